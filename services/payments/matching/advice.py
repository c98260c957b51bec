"""Proof (b): the customer says line by line what the payment is for, and what was taken off (P4, P6, C1).

Every line is looked up by its number, never by scanning. Cash of lines that fit no item stays unallocated, and nobody guesses.
An advice that does not add up to the payment is read in the one way in which it does, else line by line where number and
amount agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from services.payments.matching.agreeing import Agreed
from services.payments.matching.amounts import debts_of, is_likely
from services.payments.matching.case import Case, ambiguous, match_of, names_of, proposal_of
from services.payments.matching.ledger_index import LedgerIndex, Positions
from services.payments.matching.lookup import number_in
from services.payments.matching.naming import exact_hits, near_hits
from services.payments.matching.settling import (
    discount_minor,
    full,
    item_tolerance_minor,
    less,
    part,
    payment_tolerance_minor,
)
from services.payments.matching.structured import compact, verified
from services.payments.matching.values import AdviceLine, NoMatch, Open, Outcome, Rules, Settle
from shared.money import with_currency

PROOF = "advice lines"
ROUNDING_MINOR = 1
"""Customers round a discount their own way."""
KNOWN_SHARE_MIN = 2
"""At least one part in so many of the advised cash must be for items we know, or the advice is for somebody else."""


UNKNOWN_SHOWN = 5
MENDED = 90
"""Score of an advice with a slip in it: other items may be looked at before it is believed."""


class Line(NamedTuple):
    """An advice line with its cash: what of the payment is for it."""

    advice: AdviceLine
    cash: int

    @property
    def gross(self) -> int:
        return self.cash + self.advice.discount_minor + self.advice.taken_minor


class Share(NamedTuple):
    """What all lines of one item say together."""

    cash: int
    discount: int
    taken: int
    reason: str


class Short(NamedTuple):
    """Cash that is missing and tied to no item: it becomes a residual of the largest."""

    amount: int
    reason: str
    is_charge: bool = False


class Sorted(msgspec.Struct):
    """Lines by what became of them."""

    shares: dict[int, Share]
    short: list[Short]
    unknown: list[str]
    settled: dict[int, int]
    unexplained: list[str]


def by_advice(case: Case) -> Outcome | None:
    """(b), or None when no line fits an item and the words may say more."""
    told = _read(case)
    if _gap(case, told) in (0, case.payment.charges_minor):
        return _by_lines(case, told, ())
    mended = _mended(case, told)
    if len(mended) == 1:
        [(how, lines)] = mended.items()
        return _by_lines(case, list(lines), (how,))
    if mended:
        return ambiguous(f"{_misses(case, told)}: {'; or '.join(mended)}", ())
    return _as_far_as_sure(case, told)


def _gap(case: Case, lines: Iterable[Line]) -> int:
    return sum(line.cash for line in lines) - case.payment.amount_minor


def _misses(case: Case, lines: Iterable[Line]) -> str:
    currency = case.payment.currency
    advised, paid = with_currency(sum(line.cash for line in lines), currency), with_currency(case.payment.amount_minor, currency)
    return f"the advice adds up to {advised}, the payment is {paid}"


def _by_lines(case: Case, lines: Sequence[Line], mended: tuple[str, ...]) -> Outcome | None:
    sorted_lines = _sort(case, lines)
    if not sorted_lines.shares:
        return _all_settled(case, sorted_lines)
    gap = _gap(case, lines)
    found = _settled(case, sorted_lines, gap)
    evidence = (*_evidence(case, lines, sorted_lines), *mended)
    if found is None:
        return ambiguous("deductions of the advice are larger than any item they could belong to", ())
    if doubts := _doubts(case, sorted_lines):
        return ambiguous(doubts[0], [proposal_of(found, 50, evidence)] if found.unallocated_minor >= 0 else [])
    return match_of(found, PROOF, MENDED if mended else 90 if sorted_lines.unknown else 98, evidence)


# ── an advice that does not add up ────────────────────────────────────────────────────────────────────────────────────────


def _mended(case: Case, lines: Sequence[Line]) -> dict[str, tuple[Line, ...]]:
    """Every way in which one slip explains why the advice misses the payment to the penny."""
    gap = _gap(case, lines)
    items = [_open_item_of(case, line) for line in lines]
    readings = [*_mistyped(case, lines, items, gap), *_too_many(lines, gap)]
    if not readings and all(item is not None and _agrees(case, item, line) for item, line in zip(items, lines, strict=True)):
        readings = [*_left_out(case, lines, [case.index.at[item.item] for item in items if item], gap)]
    return dict(readings)


def _open_item_of(case: Case, line: Line) -> Open | None:
    at = _item_of(case, line)
    return case.index.items[at] if at is not None and case.index.is_open(at) else None


def _agrees(case: Case, item: Open, line: Line) -> bool:
    """To the penny, or by what discount leaves: where something is wrong, a small difference may be it."""
    return line.gross == item.open_minor or line.gross == item.open_minor - discount_minor(
        item, case.payment.received_on, case.rules
    )


Reading = tuple[str, tuple[Line, ...]]


def _mistyped(case: Case, lines: Sequence[Line], items: Sequence[Open | None], gap: int) -> Iterator[Reading]:
    """The amount of one line contradicts its item, and what is open of the item makes the advice add up."""
    for at, (line, item) in enumerate(zip(lines, items, strict=True)):
        if item is not None and not _agrees(case, item, line) and line.gross - item.open_minor == gap:
            right = Line(msgspec.structs.replace(line.advice, amount_minor=line.cash - gap), line.cash - gap)
            open_with, advised = (with_currency(minor, item.currency) for minor in (item.open_minor, line.gross))
            yield f"{item.item} is open with {open_with}, not {advised}", (*lines[:at], right, *lines[at + 1 :])


def _too_many(lines: Sequence[Line], gap: int) -> Iterator[Reading]:
    """One line alone is as much as the advice is over."""
    for at, line in enumerate(lines):
        if line.cash == gap:
            yield f"without {line.advice.reference} the advice adds up", (*lines[:at], *lines[at + 1 :])


def _left_out(case: Case, lines: Sequence[Line], named: Sequence[int], gap: int) -> Iterator[Reading]:
    """All lines are right, and what the payment is over is the only other item of that amount."""
    if gap >= 0 or not case.payer_is_known:
        return
    others = [at for at in debts_of(case) if at not in set(named)]
    alone = [at for at in case.of_amount(-gap) if at in others]
    if len(alone) == 1 and is_likely(case, [item.open_minor for item in case.items(others)], 1):
        item = case.index.items[alone[0]]
        yield f"{item.item} is what the advice leaves out", (*lines, Line(AdviceLine(item.item, -gap), -gap))


def _as_far_as_sure(case: Case, lines: Sequence[Line]) -> Outcome | None:
    """Nothing explains the gap. Banks keep a little of what is all sure; else lines whose number and amount agree are paid."""
    gap, items = _gap(case, lines), [_open_item_of(case, line) for line in lines]
    sure = [line for line, item in zip(lines, items, strict=True) if item is not None and _agrees(case, item, line)]
    if len(sure) == len(lines) and 0 < gap <= case.rules.fee_minor:
        return _by_lines(case, lines, ())
    if not sure or _gap(case, sure) > 0 or any(line.cash < 0 for line in lines if line not in sure):
        sorted_lines = _sort(case, lines)
        return ambiguous(_misses(case, lines), ()) if sorted_lines.shares else _all_settled(case, sorted_lines)
    left = len(lines) - len(sure)
    return _by_lines(case, sure, (f"{_misses(case, lines)}; {left} lines whose number or amount does not agree are left out",))


def _read(case: Case) -> list[Line]:
    """Amounts of an advice are net or gross of what was taken: the reading whose sum is the payment is meant, else net."""
    net = [Line(line, line.amount_minor) for line in case.payment.lines]
    gross = [Line(line, line.amount_minor - line.taken_minor - line.discount_minor) for line in case.payment.lines]
    cash = case.payment.amount_minor
    return min((net, gross), key=lambda lines: abs(sum(line.cash for line in lines) - cash))


# ── which item a line means ───────────────────────────────────────────────────────────────────────────────────────────────


def _sort(case: Case, lines: Sequence[Line]) -> Sorted:
    found = Sorted({}, [], [], {}, [])
    for line in lines:
        at = _item_of(case, line)
        if at is None:
            _sort_unknown(found, line)
        elif not case.index.is_open(at):
            found.settled[at] = found.settled.get(at, 0) + line.cash
            found.unknown.append(line.advice.reference)
        else:
            _add(found.shares, at, line)
    return found


def _sort_unknown(found: Sorted, line: Line) -> None:
    """A negative line of no item is a deduction if it says why; the customer numbers it its own way."""
    if line.cash >= 0:
        found.unknown.append(line.advice.reference)
    elif line.advice.reason:
        found.short.append(Short(-line.cash, line.advice.reason))
    else:
        found.unexplained.append(line.advice.reference)


def _add(shares: dict[int, Share], at: int, line: Line) -> None:
    before = shares.get(at, Share(0, 0, 0, ""))
    advice = line.advice
    reason = before.reason or advice.reason
    shares[at] = Share(
        before.cash + line.cash, before.discount + advice.discount_minor, before.taken + advice.taken_minor, reason
    )


def _item_of(case: Case, line: Line) -> int | None:
    """The one item of the line's number that its amount does not contradict, or None."""
    index = case.index
    hits = _hits(index, line.advice.reference)
    hits = tuple(at for at in hits if not index.is_open(at) or _is_possible(case, index.items[at], line))
    if len(hits) == 1 and index.is_open(hits[0]):
        return hits[0] if _fits(case, hits[0], line) or not _rivals(case, line, hits[0]) else None
    if hits:
        return _only([at for at in hits if _fits(case, at, line)]) if len(hits) > 1 else hits[0]
    return _only([at for at in near_hits(index, number_in(line.advice.reference)) if _fits(case, at, line)])


def _hits(index: LedgerIndex, reference: str) -> Positions:
    if found := index.by_reference.get(compact(reference)):
        return tuple(found)
    for one in verified(reference) if reference[:2].upper() == "RF" else ():
        if found := index.by_form.get(one.number.lstrip("0")):
            return tuple(found)
    return exact_hits(index, number_in(reference))


def _is_possible(case: Case, item: Open, line: Line) -> bool:
    """Of the payment's currency, the payer's, and a credit where the line is one."""
    same_sign = line.gross == 0 or (item.open_minor < 0) == (line.gross < 0)
    return item.currency == case.payment.currency and same_sign and (not case.payer_is_known or case.is_payers(item))


def _fits(case: Case, at: int, line: Line) -> bool:
    if not case.index.is_open(at):
        return case.index.settled_at(at).amount_minor == line.gross
    item = case.index.items[at]
    if not _is_possible(case, item, line):
        return False
    gap = item.open_minor - line.gross
    return abs(gap) <= item_tolerance_minor(item, case.rules) or gap == discount_minor(item, case.payment.received_on, case.rules)


def _rivals(case: Case, line: Line, taken: int) -> bool:
    """Another number at one edit has exactly this amount: the line's number may be damaged into a wrong one."""
    number = case.index.numbers[taken]
    return any(at != taken and _fits(case, at, line) for at in case.index.near(number))


def _only(hits: Sequence[int]) -> int | None:
    return hits[0] if len(hits) == 1 else None


# ── what is settled ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _settled(case: Case, lines: Sorted, gap: int) -> Agreed | None:
    """All items with their shares, missing cash laid on the largest, the rest unallocated. None if none can bear it."""
    short = list(lines.short)
    settles: list[Settle] = []
    for at, share in sorted(lines.shares.items()):
        item = case.index.items[at]
        settles.append(_line(item, share, case))
        if item.open_minor < 0 and share.cash < item.open_minor:
            short.append(Short(item.open_minor - share.cash, f"more taken than credit {item.item} has"))
    short += _missing(case, gap)
    laid = _lay(settles, short, case.rules)
    if laid is None:
        return None
    unallocated = case.payment.amount_minor - sum(line.paid_minor for line in laid)
    return Agreed(tuple(laid), f"{len(laid)} items of {len(case.payment.lines)} lines", unallocated)


def _missing(case: Case, gap: int) -> list[Short]:
    """Less came than was advised: banks kept it, and said so or not."""
    if gap <= 0:
        return []
    if gap == case.payment.charges_minor:
        return [Short(gap, "bank charges", is_charge=True)]
    return [Short(gap, "charges on the way")]


def _line(item: Open, share: Share, case: Case) -> Settle:
    if item.open_minor < 0:
        cash = max(share.cash, item.open_minor)
        return full(item) if cash == item.open_minor else part(item, cash, reason="credit taken in part")
    over = share.cash - item.open_minor
    if over >= 0:
        small = 0 < over <= payment_tolerance_minor((item,), case.rules)
        return less(item, difference_minor=-over, reason="small difference") if small else full(item)
    return _less_than_open(item, share, case)


def _less_than_open(item: Open, share: Share, case: Case) -> Settle:
    """Discount as far as it was earned; then the deduction, by its reason; then a small difference; else the item stays open."""
    allowed = discount_minor(item, case.payment.received_on, case.rules)
    earned = min(share.discount, allowed + ROUNDING_MINOR if allowed else 0, item.open_minor - share.cash)
    gap = item.open_minor - share.cash - earned
    taken = share.taken + share.discount - earned
    if gap == 0:
        return less(item, discount_minor=earned, reason="early payment" if earned else "")
    if taken > 0 or share.reason:
        reason = share.reason or ("discount taken late" if share.discount else "deduction")
        return _deducted(item, share.cash, earned, min(gap, taken) if taken > 0 else gap, reason, case.rules)
    if gap <= payment_tolerance_minor((item,), case.rules):
        return less(item, discount_minor=earned, difference_minor=gap, reason="small difference")
    return _open(item, share.cash, earned, 0, "partial payment")


def _deducted(item: Open, cash: int, earned: int, taken: int, code: str, rules: Rules) -> Settle:
    """A reason code posts where policy says; what it may not post, and every code without an entry, stays open for a claim."""
    reason = rules.reasons.get(code)
    cause = reason.cause if reason else code
    gap = item.open_minor - cash - earned
    if reason and reason.posts_to == "discount" and taken == gap:
        return less(item, discount_minor=earned + taken, reason=cause)
    if reason and reason.posts_to == "difference" and taken == gap and gap <= payment_tolerance_minor((item,), rules):
        return less(item, discount_minor=earned, difference_minor=taken, reason=cause)
    return _open(item, cash, earned, taken, cause)


def _open(item: Open, cash: int, earned: int, residual: int, reason: str) -> Settle:
    return Settle(
        item=item.item,
        settled_minor=cash + earned,
        paid_minor=cash,
        discount_minor=earned,
        residual_minor=residual,
        reason=reason,
    )


def _lay(settles: list[Settle], short: Iterable[Short], rules: Rules) -> list[Settle] | None:
    """Missing cash is taken off the item with the most of it, which stays open for it; stated charges close as a difference."""
    for one in short:
        at = max(range(len(settles)), key=lambda each: settles[each].paid_minor)
        line = settles[at]
        if line.paid_minor <= one.amount:
            return None
        known = rules.reasons.get(one.reason)
        reason = "; ".join(filter(None, (line.reason, known.cause if known else one.reason)))
        settles[at] = _lowered(line, one, reason)
    return settles


def _lowered(line: Settle, one: Short, reason: str) -> Settle:
    paid = line.paid_minor - one.amount
    if one.is_charge:
        return msgspec.structs.replace(line, paid_minor=paid, difference_minor=line.difference_minor + one.amount, reason=reason)
    settled = line.settled_minor - one.amount
    return msgspec.structs.replace(
        line, paid_minor=paid, settled_minor=settled, residual_minor=line.residual_minor + one.amount, reason=reason
    )


# ── what speaks for it, and against ───────────────────────────────────────────────────────────────────────────────────────


def _all_settled(case: Case, lines: Sorted) -> Outcome | None:
    """Every known line is paid already: the same payment came twice."""
    if not lines.settled:
        return None
    names = names_of(case, sorted(lines.settled))
    same = all(case.index.settled_at(at).amount_minor == cash for at, cash in lines.settled.items())
    if same and len(lines.settled) == len(case.payment.lines):
        return NoMatch(f"duplicate: {names} is settled already, with this amount")
    return NoMatch(f"the advice names {names}, settled already")


def _doubts(case: Case, found: Sorted) -> list[str]:
    known = sum(share.cash for share in found.shares.values())
    doubts = []
    if found.unexplained:
        doubts.append(f"{', '.join(found.unexplained)} is taken off without a reason, and is no credit of ours")
    if known * KNOWN_SHARE_MIN < case.payment.amount_minor:
        doubts.append("most of the advice is for items that are not open here")
    if sum(share.cash for share in found.shares.values() if share.cash > 0) <= 0:
        doubts.append("the advice pays no debt")
    return doubts


def _evidence(case: Case, lines: Sequence[Line], found: Sorted) -> tuple[str, ...]:
    evidence = [f"advice of {len(lines)} lines, {len(found.shares)} items found by number"]
    if found.unknown:
        some = ", ".join(found.unknown[:UNKNOWN_SHOWN])
        evidence.append(f"{len(found.unknown)} lines of no open item ({some}): their cash is unallocated")
    if found.short:
        evidence.append(f"{len(found.short)} deductions of no item, laid on the largest")
    return tuple(evidence)
