"""What a person may do to orders on the desk, as commands: from a form to wishes, and from outcomes to words (O5, A6).

Nothing is decided here: the order desk refuses what may not be, and its words are shown. Only what would be no wish at all is
sent back at once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.message import Command
from contracts.orders import (
    AskCustomer,
    AssignOrder,
    NoteOrder,
    RankOrder,
    ReferOrder,
    RejectOrder,
    ReleaseOrder,
    SplitOrder,
)
from services.console import amounts, refusing
from services.console.following import Order
from services.console.people import Person
from services.console.showing import Row
from services.console.wishes import Outcome
from shared.credit.checks import BEHIND_QUEUE
from shared.credit.reasons import amount
from shared.credit.rulebook import Authority, Rules, authority_of, level_needed

TEXT_MAX = 500
NAME_MAX = 64
DO = ("release", "refer", "reject", "ask", "note", "split", "take", "assign", "rank")
IN_BULK = ("release", "refer", "reject", "note", "take", "assign")
"""A question, a part and a place in the queue are about one order."""
ENDS = ("release", "reject")
"""After these the next order is taken in hand."""
BULK_MAX = 200


class Unfit(ValueError):
    """This form is no wish: what is missing, in words for who filled it in."""


class Wish(msgspec.Struct, frozen=True):
    """What the form says. `text` is the reason, question or note."""

    do: str
    text: str = ""
    level: str = ""
    owner: str = ""
    part: str = ""
    rank: str = ""


def wish_of(form: Mapping[str, str]) -> Wish:
    """Raises `Unfit` when it asks for nothing that there is, or does not say why."""
    fields = {name: form.get(name, "").strip() for name in Wish.__struct_fields__}
    wish = Wish(**fields)
    if wish.do not in DO:
        raise Unfit(f"There is no such action; choose one of {', '.join(DO)}.")
    if len(wish.text) > TEXT_MAX:
        raise Unfit(f"At most {TEXT_MAX} characters fit; put the rest into a second note.")
    if not wish.text and wish.do in _ASKS:
        raise Unfit(_ASKS[wish.do])
    return wish


_ASKS = {
    "release": "Say why it may go: whoever looks at this decision later reads it.",
    "refer": "Say why it needs more authority.",
    "reject": "Say why: sales tells the customer so.",
    "ask": "Write the question.",
    "note": "Write the note.",
    "split": "Say why a part may go.",
}


def command_of(wish: Wish, order: Order, who: Person) -> Command:
    """Raises `Unfit` for a part, place or person that cannot be."""
    named = {"order": order.order, "account": order.account}
    match wish.do:
        case "release":
            return ReleaseOrder(**named, reason=wish.text)
        case "refer":
            return ReferOrder(**named, reason=wish.text, level=wish.level or None)
        case "reject":
            return RejectOrder(**named, reason=wish.text)
        case "ask":
            return AskCustomer(**named, question=wish.text)
        case "note":
            return NoteOrder(**named, note=wish.text)
        case "split":
            return SplitOrder(**named, release_minor=_part(wish.part, order), reason=wish.text)
        case "take":
            return AssignOrder(**named, owner=who.name)
        case "assign":
            return AssignOrder(**named, owner=_owner(wish.owner), reason=wish.text)
        case _:
            return RankOrder(**named, rank=_rank(wish.rank))


def _part(text: str, order: Order) -> int:
    try:
        part = amounts.minor_of(text, order.currency)
    except amounts.NoAmount as error:
        raise Unfit(f"The part: {error}.") from error
    if not 0 < part < order.waiting_minor:
        whole = amount(order.waiting_minor, order.currency)
        raise Unfit(f"A part is more than nothing and less than the {whole} that wait; to release all of it, release it.")
    return part


def _owner(text: str) -> str:
    if not 0 < len(text) <= NAME_MAX:
        raise Unfit("Say whom to give it to.")
    return text


def _rank(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 9_999:
        raise Unfit("A place in the order of release is a number from 1; 0 takes it away.")
    return int(text)


# --- many at once ---------------------------------------------------------------------------------------------------


def safe_in_bulk(row: Row) -> bool:
    """May be released among others without being looked at alone: not above the account's standard order level (the desk's own
    authority where it has none), asked of nobody else, and against nothing that nobody overrides."""
    standard = row.account_terms.standard_order_minor
    own = row.rules.authority[0].maximum_minor
    level = standard if standard is not None else own
    final = any(not getattr(row.rules.checks, name).override for name in row.order.checks if name != BEHIND_QUEUE)
    return not row.order.level and not final and (level is None or row.order.waiting_minor <= level)


class Told(msgspec.Struct, frozen=True):
    """What became of it all. `lines` are about single orders."""

    text: str
    tone: str
    lines: tuple[str, ...] = ()
    ended: bool = False


def told_of(wish: Wish, order: Order, outcome: Outcome, first: str = "") -> Told:
    """`first`: who decided it before, where it was too late."""
    if not outcome.is_done:
        why = refusing.told(outcome, order.currency)
        return Told(f"{order.reference}: {why}{' ' + first if first else ''}", outcome.tone)
    said = _SAID[wish.do].format(order=order.reference, level=refusing.spoken(outcome.fact.get("level", "")), owner=wish.owner)
    return Told(said, outcome.tone, ended=wish.do in ENDS)


_SAID = {
    "release": "{order} is released.",
    "refer": "{order} is referred: it waits for the {level}.",
    "reject": "{order} is rejected.",
    "ask": "The question about {order} is noted; its clock runs on.",
    "note": "The note on {order} is kept.",
    "split": "A part of {order} is released; the rest waits.",
    "take": "{order} is yours.",
    "assign": "{order} is given to {owner}.",
    "rank": "{order} has its place in the order of release.",
}


def told_of_many(wish: Wish, done: Sequence[tuple[Order, Outcome]], left: Iterable[Order]) -> Told:
    """`left`: orders that may not go with others."""
    good = [order for order, outcome in done if outcome.is_done]
    bad = [f"{order.reference}: {refusing.told(outcome, order.currency)}" for order, outcome in done if not outcome.is_done]
    kept = [f"{order.reference}: look at it alone, it may not be released among others." for order in left]
    text = f"{len(good)} of {len(good) + len(bad) + len(kept)} {_DONE[wish.do]}."
    tone = "ok" if not bad and not kept else "warn" if good else "bad"
    return Told(text, tone, tuple(bad + kept))


_DONE = {
    "release": "released",
    "refer": "referred",
    "reject": "rejected",
    "note": "noted",
    "take": "taken",
    "assign": "given away",
}


# --- authority ------------------------------------------------------------------------------------------------------


class May(msgspec.Struct, frozen=True):
    """What this person's role allows with this order: a hint for the page; the order desk decides. `split`: a part that is small
    enough. `up` is where it would be referred to; `levels` are all above. `nobody`: no level releases it as it stands."""

    release: bool
    split: bool
    why_not: str
    up: str
    levels: tuple[str, ...]
    nobody: bool = False


def may(who: Person, row: Row, final: Sequence[str]) -> May:
    rules, order = row.rules, row.order
    own, needed = authority_of(rules, who.role), _needed(rules, order)
    above = [each for each in rules.authority if each.level > max(_level(rules, order.level), own.level if own else 0)]
    up = next((each.role for each in above if each.covers(order.waiting_minor)), "")
    levels = tuple(each.role for each in above)
    if final:
        return May(False, False, refusing.nobody(final), up, levels, nobody=True)
    if own is None:
        return May(False, False, "your role releases no orders", up, levels)
    if own.level < needed.level or not own.covers(order.waiting_minor):
        return May(False, own.level >= _level(rules, order.level), f"needs {refusing.a_role(needed.role)}", up, levels)
    return May(True, True, "", up, levels)


def _needed(rules: Rules, order: Order) -> Authority:
    needed, asked = level_needed(rules, order.waiting_minor), authority_of(rules, order.level) if order.level else None
    return asked if asked is not None and asked.level > needed.level else needed


def _level(rules: Rules, role: str) -> int:
    found = authority_of(rules, role) if role else None
    return found.level if found is not None else 0
