"""Credits set against debts of the same account, by agreement and due date, and taken back (P8). Pure.

An offset counts whole or not at all, like a match; where the credit is a receipt it is one of its matches, so that a receipt
that the bank takes back opens what it was set against as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from contracts.envelope import derived_id
from contracts.message import Fact, Message
from contracts.payments import (
    EntryPosted,
    ItemsOffset,
    OffsetItems,
    OffsetUndone,
    Posting,
    Settle,
    TakeBackOffset,
    UndoOffset,
)
from services.payments import ledger
from services.payments.items import item_of, open_day, settled
from services.payments.policies import Policy, in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import CREDITS, DEBTS, Item, Match, State, short
from shared.receivables import offsetting
from shared.service import Moment


def by_due_date(credit: Item, debts: Sequence[Item], on: dt.date, policy: Policy) -> tuple[Settle, ...]:
    """What an offset of this credit would settle: debts of its account and currency that may be set off, earliest due first."""
    fit = [debt for debt in debts if _line_unfit(debt, _line_of(debt.item, 1), credit, on, policy) is None]
    told = [offsetting.Debt(debt.item, debt.due_on, debt.open_minor, debt.disputed_minor) for debt in fit]
    last_due_on = on + dt.timedelta(days=policy.offset.days_ahead)
    return tuple(_line_of(*line) for line in offsetting.by_due_date(-credit.open_minor, told, last_due_on))


def _line_of(item: str, amount_minor: int) -> Settle:
    return Settle(item=item, settled_minor=amount_minor, paid_minor=amount_minor)


def offset(state: State, wish: OffsetItems, moment: Moment) -> Iterable[Fact]:
    """Settle these debts with this credit, all of them or none."""
    credit, policy = state.items.get(wish.credit), in_force(moment.at.date())
    refusal = not_reasoned(wish.reason) or _not_agreed(wish, policy) or _no_credit(credit, wish)
    refusal = refusal or _unfit(state, credit, wish, moment.at.date(), policy)
    if refusal or credit is None:
        return refusal.of(wish.account, wish.credit) if refusal else []
    return list(_set_off(state, credit, wish, moment))


def _not_agreed(wish: OffsetItems, policy: Policy) -> Refusal | None:
    if not policy.offset.needs_agreement or wish.agreement.strip():
        return None
    return Refusal("no_agreement", f"{policy.version} sets off by agreement only; name the one with this account")


def _no_credit(credit: Item | None, wish: OffsetItems) -> Refusal | None:
    if credit is None or credit.account != wish.account:
        return Refusal("unknown_item", f"{wish.account} has no credit {wish.credit!r}")
    if credit.kind not in CREDITS:
        return Refusal("wrong_kind", f"{credit.item} is a {credit.kind}; only a {' or '.join(CREDITS)} is set off")
    return None


def _unfit(state: State, credit: Item | None, wish: OffsetItems, on: dt.date, policy: Policy) -> Refusal | None:
    """Each line against its item, then all against the credit."""
    assert credit is not None, "asked only of a credit that is known"
    if not wish.lines:
        return Refusal("no_lines", "name at least one debt")
    if len({line.item for line in wish.lines}) < len(wish.lines):
        return Refusal("item_twice", "a debt stands on two lines; put them together")
    for line in wish.lines:
        if refusal := _line_unfit(state.items.get(line.item), line, credit, on, policy):
            return refusal
    total = sum(line.settled_minor for line in wish.lines)
    if total > -credit.open_minor:
        return Refusal("too_much", f"the lines take {total}, of {credit.item} {-credit.open_minor} are open (minor units)")
    return None


def _line_unfit(debt: Item | None, line: Settle, credit: Item, on: dt.date, policy: Policy) -> Refusal | None:
    if debt is None or debt.account != credit.account or (line.account or credit.account) != credit.account:
        return Refusal("unknown_item", f"{credit.account} has no debt {line.item!r}")
    if debt.kind not in DEBTS:
        return Refusal("wrong_kind", f"{debt.item} is a {debt.kind}; a credit is set against a {' or '.join(DEBTS)}")
    if debt.currency != credit.currency:
        return Refusal("other_currency", f"{debt.item} is in {debt.currency}, {credit.item} in {credit.currency}")
    if line.settled_minor != line.paid_minor or line.discount_minor or line.difference_minor:
        return Refusal("not_the_sum", f"{debt.item}: an offset takes no discount and no difference")
    if not 0 < line.settled_minor <= debt.open_minor:
        detail = f"{debt.item}: {line.settled_minor} to be set off, {debt.open_minor} {debt.currency} open (minor units)"
        return Refusal("more_than_open", detail)
    if debt.due_on > on + dt.timedelta(days=policy.offset.days_ahead):
        detail = f"{debt.item} is due on {debt.due_on}, more than {policy.offset.days_ahead} days ahead; leave it to its day"
        return Refusal("not_due", detail)
    return None


def _set_off(state: State, credit: Item, wish: OffsetItems, moment: Moment) -> Iterator[Fact]:
    on, name = open_day(state, moment.at.date()), f"OF-{derived_id('offset', moment.cause)[:16].upper()}"
    lines = tuple(_with_base(state, line) for line in wish.lines)
    total = sum(line.settled_minor for line in lines)
    base = -ledger.share(credit.open_base_minor, -total, credit.open_minor)
    yield ItemsOffset(
        account=wish.account,
        credit=credit.item,
        offset=name,
        lines=lines,
        amount_minor=total,
        effective_on=on,
        reason=wish.reason,
        agreement=wish.agreement,
        base_minor=base,
        by=moment.actor,
    )
    yield from _settled(state, credit, name, lines, base, 1)
    yield ledger.entry(credit.account, short("M", name), "offset", on, _postings(credit, lines, base), text=wish.reason)


def _with_base(state: State, line: Settle) -> Settle:
    debt = item_of(state, line.item)
    return replace(line, account=None, base_minor=ledger.share(debt.open_base_minor, line.settled_minor, debt.open_minor))


def _settled(state: State, credit: Item, by: str, lines: Sequence[Settle], base_minor: int, sign: int) -> Iterator[Fact]:
    """Every debt's own fact, and the credit's; `sign` -1 takes it back."""
    for line in lines:
        yield settled(item_of(state, line.item), sign * line.settled_minor, sign * (line.base_minor or 0), by)
    yield settled(credit, -sign * sum(line.settled_minor for line in lines), -sign * base_minor, by)


def _postings(credit: Item, lines: Sequence[Settle], base_minor: int) -> list[Posting]:
    """The credit against its debts; what their rates differ by is exchange (P1)."""
    total = sum(line.settled_minor for line in lines)
    found = [_posting(credit.currency, total, base_minor, credit.item)]
    found += [_posting(credit.currency, -line.settled_minor, -(line.base_minor or 0), line.item) for line in lines]
    difference = sum(each.base_minor for each in found)
    return [*found, Posting(ledger=ledger.EXCHANGE, amount_minor=0, currency=credit.currency, base_minor=-difference)]


def _posting(currency: str, amount_minor: int, base_minor: int, item: str) -> Posting:
    return Posting(ledger=ledger.RECEIVABLES, amount_minor=amount_minor, currency=currency, base_minor=base_minor, item=item)


# --- taken back -----------------------------------------------------------------------------------------------------


def undo(state: State, wish: UndoOffset, moment: Moment) -> Iterable[Message]:
    """Two steps, because the second must name the items."""
    match = state.match
    if match is None or match.account != wish.account or not wish.offset.startswith("OF-"):
        return Refusal("unknown_offset", f"{wish.account} has no offset {wish.offset!r}").of(wish.account, wish.offset)
    if match.taken_back:
        return unneeded(wish.account, wish.offset)
    if refusal := not_reasoned(wish.reason):
        return refusal.of(wish.account, wish.offset)
    back = TakeBackOffset(account=match.account, credit=match.receipt, offset=match.match, lines=match.lines, reason=wish.reason)
    return [back]


def take_back(state: State, wish: TakeBackOffset, moment: Moment) -> Iterable[Fact]:
    match, credit = state.match, state.items.get(wish.credit)
    if match is None or match.taken_back or credit is None or (match.receipt, match.lines) != (wish.credit, wish.lines):
        return unneeded(wish.account, wish.offset)
    return list(_undone(state, match, credit, wish.reason, moment))


def _undone(state: State, match: Match, credit: Item, reason: str, moment: Moment) -> Iterator[Fact]:
    on = open_day(state, moment.at.date())
    yield OffsetUndone(
        account=match.account,
        credit=credit.item,
        offset=match.match,
        lines=match.lines,
        amount_minor=match.allocated_minor,
        effective_on=on,
        reason=reason,
        by=moment.actor,
    )
    yield from _settled(state, credit, match.match, match.lines, match.base_minor, -1)
    yield _reversing(credit, match, on, reason)


def _reversing(credit: Item, match: Match, on: dt.date, reason: str) -> EntryPosted:
    lines = ledger.reversed_lines(_postings(credit, match.lines, match.base_minor))
    name = short("M", match.match)
    return ledger.entry(credit.account, short("U", match.match), "offset_back", on, lines, reverses=name, text=reason)
