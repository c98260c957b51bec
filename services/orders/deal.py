"""Announced large orders (O8): registered ahead, approved at the level needed, drawn on by the orders that quote them.

An approved deal counts in exposure until orders have taken it over, or it is withdrawn or expires: at every step each part
of it stands in exactly one place (F1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from contracts.message import Message
from contracts.orders import (
    ApproveDeal,
    DealApproved,
    DealDeclined,
    DealExpired,
    DealMatched,
    DealRefused,
    DealRegistered,
    DealWithdrawn,
    DeclineDeal,
    ExpireDeal,
    Finding,
    OrderReleased,
    OrderSplit,
    RecheckOpened,
    RegisterDeal,
    WithdrawDeal,
)
from services.orders.exposure import Ask
from services.orders.judge import Judged, judge, local_day
from services.orders.known import actor
from services.orders.rules import rules_for
from services.orders.state import Deal, Order, Standing, State, queue_owner, worth_another
from shared.credit.checks import BY_VALUE
from shared.credit.rulebook import Rules, authority_of, level_needed
from shared.service import READING, Moment, people_in

OPEN_MAX = 20
"""Open deals of one account: they stand in a row that every order of it reads, at about 100 bytes each. A customer who
announces more has a framework agreement, and needs a limit."""
AHEAD_DAYS_MAX = 366
"""How far a window may reach: a reservation should not outlive the yearly look at the limit it stands beside."""
TERMINATED = "terminated"


def register(state: State, command: RegisterDeal, moment: Moment) -> Iterable[Message]:
    """A large order is announced; nothing is reserved until somebody approves it."""
    standing = state.account
    if standing is None or not standing.known:
        detail = f"No account {command.account} is open. Open it, or mend the account number."
        return (_refused(command, "unknown_account", detail),)
    rules = rules_for(state.policies, moment.at, standing, "")
    if moment.role in READING:
        return (_without_authority(rules, command, moment),)
    refused = _unfit(standing, command) or _no_window(command, local_day(moment.at, rules.zone)) or _no_place(standing, command)
    if refused is not None:
        return (refused,)
    return (
        DealRegistered(
            deal=command.deal,
            account=command.account,
            currency=command.currency,
            value_minor=command.value_minor,
            from_on=command.from_on,
            until_on=command.until_on,
            evidence=command.evidence,
            level=level_needed(rules, command.value_minor).role,
            by=actor(moment),
        ),
    )


def _unfit(standing: Standing, command: RegisterDeal) -> DealRefused | None:
    if standing.status == TERMINATED:
        return _refused(command, "account_terminated", f"{command.account} is terminated: no order of it will be released.")
    if command.currency != standing.currency:
        detail = f"{command.account} trades in {standing.currency}, the deal is in {command.currency}. Register it in the first."
        return _refused(command, "wrong_currency", detail)
    if not command.value_minor:
        return _refused(command, "no_value", "A deal is worth more than nothing. Register it with the value that is expected.")
    return None


def _no_window(command: RegisterDeal, today: dt.date) -> DealRefused | None:
    last = today + dt.timedelta(days=AHEAD_DAYS_MAX)
    if command.from_on <= command.until_on and today <= command.until_on <= last:
        return None
    detail = (
        f"The window {command.from_on} to {command.until_on} must end on a day from {today} to {last}, and not before it begins."
    )
    return _refused(command, "no_window", detail)


def _no_place(standing: Standing, command: RegisterDeal) -> DealRefused | None:
    if standing.deal(command.deal) is not None:
        detail = f"{command.account} has an open deal {command.deal}. Withdraw it first, or register this one under another name."
        return _refused(command, "already_registered", detail)
    if len(standing.deals) >= OPEN_MAX:
        detail = f"{command.account} has {OPEN_MAX} open deals, the most there may be. Withdraw one, or ask for a higher limit."
        return _refused(command, "too_many", detail)
    return None


# --- a person decides -----------------------------------------------------------------------------------------------


def approve(state: State, command: ApproveDeal, moment: Moment) -> Iterable[Message]:
    """Its value is reserved from now on, whatever the limit says: that is what the authority is for."""
    deal = _waiting(state, command)
    if isinstance(deal, DealRefused):
        return (deal,)
    judged = judge(state, "", _expected(deal), moment.at, by_person=True)
    refused = _not_allowed(judged.rules, deal, command, moment)
    if refused is not None:
        return (refused,)
    return (
        DealApproved(
            deal=deal.deal,
            account=command.account,
            value_minor=deal.value_minor,
            until_on=deal.until_on,
            by=actor(moment),
            reason=command.reason,
            held_by=_not_covered(judged),
        ),
    )


def _expected(deal: Deal) -> Ask:
    """The order as it is announced: its terms are the account's, its PO number may be the deal's name."""
    return Ask(deal.value_minor, None, None, True, False, 0, "")


def _not_covered(judged: Judged) -> tuple[Finding, ...]:
    return tuple(finding for finding in judged.decision.held_by if finding.check not in BY_VALUE)


def _not_allowed(rules: Rules, deal: Deal, command: ApproveDeal, moment: Moment) -> DealRefused | None:
    """Why this person may not approve it; None when they may (A6)."""
    authority = authority_of(rules, moment.role)
    if authority is None:
        return _without_authority(rules, command, moment)
    if people_in(actor(moment)) & people_in(deal.by):
        return _refused(command, "own_request", f"{deal.by} registered {deal.deal}: somebody else has to approve it (four eyes).")
    if not authority.covers(deal.value_minor):
        needed = level_needed(rules, deal.value_minor)
        detail = f"{moment.role} may not approve {deal.value_minor} minor units: it needs {needed.role} or above."
        return _refused(command, "beyond_authority", detail)
    return None


def _without_authority(
    rules: Rules, command: RegisterDeal | ApproveDeal | DeclineDeal | WithdrawDeal, moment: Moment
) -> DealRefused:
    roles = ", ".join(each.role for each in rules.authority)
    detail = f"The role {moment.role or 'none'!r} of {actor(moment)} has no authority over deals; these have: {roles}."
    return _refused(command, "no_authority", detail)


def decline(state: State, command: DeclineDeal, moment: Moment) -> Iterable[Message]:
    """Whoever has authority over orders may say no; nothing was reserved."""
    deal = _waiting(state, command)
    if isinstance(deal, DealRefused):
        return (deal,)
    rules = _rules(state, moment)
    if authority_of(rules, moment.role) is None:
        return (_without_authority(rules, command, moment),)
    return (DealDeclined(deal=deal.deal, account=command.account, by=actor(moment), reason=command.reason),)


def withdraw(state: State, command: WithdrawDeal, moment: Moment) -> Iterable[Message]:
    """The order will not come: who registered it says so, unless they only read by now, or somebody with authority."""
    deal = _open(state, command)
    if isinstance(deal, DealRefused):
        return (deal,)
    rules = _rules(state, moment)
    is_theirs = actor(moment) == deal.by and moment.role not in READING
    if not is_theirs and authority_of(rules, moment.role) is None:
        return (_without_authority(rules, command, moment),)
    return (
        DealWithdrawn(
            deal=deal.deal,
            account=command.account,
            freed_minor=deal.reserved_minor,
            by=actor(moment),
            reason=command.reason,
        ),
    )


def expire(state: State, command: ExpireDeal, moment: Moment) -> Iterable[Message]:
    """The last day of the window is over. Quiet when the deal has ended, or is another one of that name by now.

    The days are compared by UTC, in which no last day has ended before it began: which zone ended it is the timer's.
    """
    deal = state.account.deal(command.deal) if state.account is not None else None
    if deal is None or moment.at.date() < deal.until_on:
        return ()
    return (DealExpired(deal=deal.deal, account=command.account, freed_minor=deal.reserved_minor),)


def _rules(state: State, moment: Moment) -> Rules:
    assert state.account is not None, "a deal is open only at an account that is known"
    return rules_for(state.policies, moment.at, state.account, "")


def _open(state: State, command: ApproveDeal | DeclineDeal | WithdrawDeal) -> Deal | DealRefused:
    deal = state.account.deal(command.deal) if state.account is not None else None
    if deal is not None:
        return deal
    detail = (
        f"{command.account} has no open deal {command.deal}: it was not registered, or has been used up, declined, withdrawn or "
        "has expired. Mend the name, or register it."
    )
    return _refused(command, "unknown_deal", detail)


def _waiting(state: State, command: ApproveDeal | DeclineDeal) -> Deal | DealRefused:
    deal = _open(state, command)
    if isinstance(deal, DealRefused) or not deal.reserved_minor:
        return deal
    return _refused(command, "already_approved", f"{deal.deal} is approved. If its order will not come, withdraw it.")


def _refused(command: Any, reason: str, detail: str) -> DealRefused:
    return DealRefused(deal=command.deal, account=command.account, reason=reason, detail=detail)


# --- the order comes ------------------------------------------------------------------------------------------------


def drawn(state: State, judged: Judged, deal: Deal, said: OrderReleased | OrderSplit) -> tuple[Message, ...]:
    """A release with what it takes over from its deal, and what becomes of the rest.

    A rest within the deviation is no further order: it is given back. A larger one stays reserved for the next part; so does
    any rest while a part of the same order still waits. A deal that nobody has approved is over: its order came without it.
    """
    used = judged.decision.inputs.deal_minor
    whole = isinstance(said, OrderReleased)
    if not used and (deal.reserved_minor or not whole):
        return (said,)
    rest = deal.reserved_minor - used
    freed = rest if whole and _is_no_order(rest, deal, judged.rules) else 0
    moved = replace(said, deal=deal.deal, deal_minor=used) if used else said
    return (moved, *_matched(state, deal, said, used, freed))


def named_late(state: State, before: Order, rules: Rules) -> tuple[Message, ...]:
    """A released order that changed names its deal only now: it is reserved already, so the deal gives as much back (F1)."""
    order, standing = state.order, state.account
    if order is None or standing is None or not standing.deals or order.deal == before.deal:
        return ()
    deal = standing.deal(order.deal)
    if deal is None:
        return ()
    rest = max(deal.reserved_minor - order.reserved_minor, 0)
    rest = 0 if _is_no_order(rest, deal, rules) else rest
    return _matched(state, deal, order, 0, deal.reserved_minor - rest)


def _is_no_order(rest_minor: int, deal: Deal, rules: Rules) -> bool:
    return rest_minor * 100 <= deal.value_minor * rules.reservation.deviation_percent


def _matched(
    state: State, deal: Deal, order: OrderReleased | OrderSplit | Order, used_minor: int, freed_minor: int
) -> tuple[Message, ...]:
    matched = DealMatched(
        deal=deal.deal,
        account=order.account,
        order=order.order,
        used_minor=used_minor,
        freed_minor=freed_minor,
        left_minor=deal.reserved_minor - used_minor - freed_minor,
    )
    return (matched, *(_reopened(state) if freed_minor else ()))


def _reopened(state: State) -> tuple[Message, ...]:
    """What was given back may be enough for orders that wait (O7)."""
    owner, standing = queue_owner(state), state.account
    if owner is None or standing is None or not worth_another(owner):
        return ()
    return (RecheckOpened(home=standing.home),)
