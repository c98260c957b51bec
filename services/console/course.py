"""What was said about an order, as a line of its timeline: who did what, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set

from contracts import orders
from services.console import refusing
from services.console.people import ROLES
from services.console.said import Said
from shared.credit import reasons
from shared.service import FOR, people_in

POLICY = "policy"
MACHINES = frozenset({"developer"})
"""Credentials that have a person's role and are nobody: that of a local installation may do everything there."""


def told(fact: Said, people: Mapping[str, str], currency: str) -> str:
    """`Referred to the Director by R. Osei: too much for me`."""

    def by(name: str) -> str:
        return "" if name == POLICY else f" by {people.get(name, name)}"

    def money(minor: int) -> str:
        return f"{reasons.amount(minor, currency)} {currency}".rstrip()

    match fact.data:
        case orders.OrderReleased() as said:
            return _because(f"Released{by(said.by) or ' by policy'}, {money(said.reserved_minor)} reserved", said.reason)
        case orders.OrderHeld() as said:
            return "Held: " + "; ".join(reasons.told(finding, currency) for finding in said.decision.held_by)
        case orders.OrderReferred() as said:
            return _because(f"Referred to the {role_of(said.level)}{by(said.by)}", said.reason)
        case orders.OrderRejected() as said:
            return _because(f"Rejected{by(said.by) or ' by policy'}", said.reason)
        case orders.OrderCancelled() as said:
            return _because("Cancelled", said.reason)
        case orders.OrderChanged() as said:
            return _because(f"Changed to {money(said.placed.total_minor)}", said.reason)
        case orders.OrderSplit() as said:
            parts = f"{money(said.released_minor)} released{by(said.by)}, {money(said.held_minor)} still waits"
            return _because(parts, said.reason)
        case orders.OrderAsked() as said:
            return f"Customer asked{by(said.by)}: {said.question}"
        case orders.OrderAssigned() as said:
            if said.owner == said.by:
                return f"Taken{by(said.by)}"
            return _because(f"Given to {people.get(said.owner, said.owner)}{by(said.by)}", said.reason)
        case orders.OrderNoted() as said:
            return f"Note{by(said.by)}: {said.note}"
        case orders.OrderRanked() as said:
            return f"Number {said.rank} in the order of release{by(said.by)}" if said.rank else f"Place taken away{by(said.by)}"
        case orders.OrderWarned():
            return "Warned: half of its time is over"
        case orders.OrderEscalated() as said:
            return f"Escalated to the {role_of(said.level)}" + (" when its time was over" if said.mark == "breach" else "")
        case orders.OrderBreached() as said:
            return "Its time is over" + (", the customer was asked" if said.asked else "")
        case orders.ReservationLapsed() as said:
            return f"Reservation lapsed, {money(said.freed_minor)} free again"
        case orders.OrderRecalled() as said:
            return _because("Recalled from the warehouse", said.reason)
        case orders.RecallAnswered() as said:
            return "The warehouse stopped it" if said.stopped else "The warehouse could not stop it: it had left"
        case orders.OrderDespatched() as said:
            return f"Despatched, {money(said.amount_minor)}" + ("" if said.last else ", more to come")
        case orders.OrderBilled() as said:
            return f"Invoiced, {money(said.amount_minor)} on {said.item}"
        case orders.OrderDelivered() as said:
            return "Delivered" + (f", POD {said.pod}" if said.pod else "")
        case orders.OrderRepeated():
            return "Sent again; nothing changed"
        case orders.CommandRefused() as said:
            return f"Refused: {refusing.in_words(said.detail, currency)}"
        case _:
            return fact.words.capitalize()


def said_by(fact: Said, people: Mapping[str, str]) -> str:
    """Who caused it: a person with the role they had, or a system by the name of its credential."""
    shown = " for ".join(people.get(name, name) for name in fact.actor.split(FOR))
    return with_role(shown, fact, people.keys())


def with_role(shown: str, fact: Said, known: Set[str]) -> str:
    """The actor as `shown`, with the role it had. Who works elsewhere under a person's role is a person too, whom nobody here
    knows by name; a service has no role, and the credential of a system one that no person has."""
    if not fact.actor:
        return ""
    is_here = bool(people_in(fact.actor) & known)
    if is_here or (fact.role in ROLES and fact.actor not in MACHINES):
        return f"{shown}, {role_of(fact.role)}" if fact.role else shown
    return f"{fact.actor}, a system"


def role_of(role: str) -> str:
    return ROLES.get(role, role.replace("_", " ")).lower()


def _because(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what
