"""Proofs (d) to (g): nothing is named, and only amounts speak. They prove when they alone fit, and could hardly fit by accident.

Oldest first is no proof; it is done where the account's policy says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from services.payments.matching.agreeing import Agreed
from services.payments.matching.case import Case, ambiguous, match_of, names_of, proposal_of
from services.payments.matching.ledger_index import Positions
from services.payments.matching.settling import deducted, deduction_minor, discount_minor, full, less, part, undisputed
from services.payments.matching.subset import Found, subsets
from services.payments.matching.values import Match, NoMatch, Open, Outcome, Proposal, Settle
from shared.money import with_currency

FEW = 6
"""Of so few open items one of exactly this amount is proof without counting chances: a person would look at the same list."""
FEW_TO_ADD = 3
"""Sums of so few items are counted in minor units even where all amounts are round."""
VARIANTS_MAX = 24
"""Sets with discounts or credits are looked for among so many items; among more there are several, or one by accident."""
NEAR_AMOUNTS_MAX = 3
DOUBTED = 30
"""What a doubt takes off the score of an offer: below every set that nothing speaks against."""

SHORTENED = "sum with discount, credits or deductions"

Line = Callable[[Open], Settle]


class Variant(msgspec.Struct, frozen=True):
    """One way to pay: which items take part, and the line each would get."""

    how: str
    positions: Positions
    line: Line
    target_minor: int


def debts_of(case: Case) -> list[int]:
    """The payer's debts in the payment's currency, in due order."""
    return [at for at, item in enumerate(case.index.items) if item.open_minor > 0 and _is_in(case, item)]


def credits_of(case: Case) -> list[int]:
    """The payer's credit notes. Receipts are cash of other payments, and are not matched with this one."""
    return [at for at, item in enumerate(case.index.items) if item.kind == "credit_note" and _is_in(case, item)]


def _is_in(case: Case, item: Open) -> bool:
    return item.currency == case.payment.currency and case.is_payers(item)


# ── how much an exact fit proves ──────────────────────────────────────────────────────────────────────────────────────────


def chance(amounts: Sequence[int], size: int) -> float:
    """Expected number of sets of at most `size` amounts that hit any given sum by accident: sets ÷ sums they spread over.

    Sums of more than a few items are counted in steps of their greatest common divisor: whole pounds meet more often than pence.
    """
    sets = sum(math.comb(len(amounts), of) for of in range(1, size + 1))
    step = math.gcd(*amounts) if len(amounts) > FEW_TO_ADD else 1
    return sets * step / (size * max(abs(amount) for amount in amounts))


def is_likely(case: Case, amounts: Sequence[int], size: int) -> bool:
    if size == 1 and len(amounts) <= FEW:
        return True
    return chance(amounts, size) <= case.rules.chance


def likely_sum(case: Case, pool: Sequence[int], target_minor: int) -> Positions | None:
    """The only set of these items with this sum, if it hardly fits by accident."""
    if not pool:
        return None
    amounts = [item.open_minor for item in case.items(pool)]
    found = subsets(amounts, target_minor, case.rules.effort)
    if not found.unique or not is_likely(case, amounts, len(found.solutions[0])):
        return None
    return tuple(pool[at] for at in found.solutions[0])


# ── the proofs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_amount(case: Case, doubt: str) -> Outcome:
    """(d) to (f), then (g) where policy says so. `doubt` says why amounts prove nothing here; then they are offered only."""
    outcome = _judged(case)
    if doubt:
        return _offered(outcome, doubt)
    if case.rules.oldest_first and not isinstance(outcome, Match):
        return _by_policy(case) or outcome
    return outcome


def _judged(case: Case) -> Outcome:
    alone = case.of_amount(case.payment.amount_minor)
    if alone:
        return _alone(case, alone)
    debts = debts_of(case)
    if usual := _up_to_a_day(case, debts):
        return usual
    whole = Variant("exact sum", tuple(debts), full, case.payment.amount_minor)
    found = _solved(case, whole)
    if found.solutions:
        return _summed(case, whole, found)
    return _varied_alone(case, debts) or _varied(case, debts) or _nothing(case, debts, found.gave_up)


def _alone(case: Case, positions: Positions) -> Outcome:
    """(d)"""
    lines = [Agreed((full(item),), "has exactly this amount") for item in case.items(positions)]
    amounts = [case.index.items[at].open_minor for at in debts_of(case)]
    if len(positions) == 1 and is_likely(case, amounts, 1):
        return match_of(lines[0], "exact amount of one item", 85, (f"only {names_of(case, positions)} is open with this amount",))
    accident = "among so many items one of this amount may be an accident"
    why = f"{len(positions)} open items have this amount" if len(positions) > 1 else accident
    return ambiguous(why, [proposal_of(line, 50, ()) for line in lines])


def _up_to_a_day(case: Case, debts: list[int]) -> Outcome | None:
    """(e) People pay all that is due up to some day, or all there is: of the few sets of that kind only one has the sum.

    They leave out what they dispute and what is paid in part, or not; and take their credit notes, or not.
    """
    tried = [one for pool in _pools(case, debts) for one in _runs(case, pool)]
    fits = dict.fromkeys(tuple(sorted(one)) for one, total in tried if total == case.payment.amount_minor and len(one) > 1)
    if len(fits) != 1:
        return None
    [positions] = fits
    if _is_exchangeable(case, debts, positions) or not _is_few(case, positions, len(tried)):
        return None
    found = Agreed(tuple(full(item) for item in case.items(positions)), "all that is open up to a day makes this amount")
    return match_of(found, "all up to a day", 82, (f"{len(tried)} sets of all up to a day were tried, one fits",))


def _pools(case: Case, debts: list[int]) -> list[Positions]:
    items = case.index.items
    undisputed = tuple(at for at in debts if not items[at].disputed_minor)
    untouched = tuple(at for at in undisputed if items[at].open_minor == items[at].amount_minor)
    return list(dict.fromkeys((tuple(debts), undisputed, untouched)))


def _runs(case: Case, pool: Positions) -> Iterator[tuple[Positions, int]]:
    """All of the pool up to each day on which some of it falls due, without credit notes and with all of them."""
    credit = tuple(credits_of(case))
    off, total, items = sum(item.open_minor for item in case.items(credit)), 0, case.index.items
    for size, at in enumerate(pool, 1):
        total += items[at].open_minor
        if size == len(pool) or items[pool[size]].due_on != items[at].due_on:
            yield pool[:size], total
            if credit:
                yield (*pool[:size], *credit), total + off


def _is_exchangeable(case: Case, debts: list[int], positions: Positions) -> bool:
    """An item of the set has the amount of one outside, which then may be meant as well."""
    inside = {item.open_minor for item in case.items(positions)}
    return any(case.index.items[at].open_minor in inside for at in debts if at not in positions)


def _is_few(case: Case, positions: Positions, tried: int) -> bool:
    """Expected accidental fits of so many sets, as in `chance`."""
    amounts = [abs(item.open_minor) for item in case.items(positions)]
    return tried * math.gcd(*amounts) / (len(amounts) * max(amounts)) <= case.rules.chance


def _solved(case: Case, variant: Variant) -> Found:
    cash = [variant.line(item).paid_minor for item in case.items(variant.positions)]
    return subsets(cash, variant.target_minor, case.rules.effort) if cash else Found((), complete=True)


def _agreed(case: Case, variant: Variant, solution: Iterable[int]) -> Agreed:
    return Agreed(tuple(variant.line(case.index.items[variant.positions[at]]) for at in solution), variant.how)


def _summed(case: Case, variant: Variant, found: Found) -> Outcome:
    """(e) and (f): one solution, and no accident."""
    ways = [_agreed(case, variant, one) for one in found.solutions]
    amounts = [item.open_minor for item in case.items(variant.positions)]
    size = len(found.solutions[0])
    names = ", ".join(line.item for line in ways[0].lines)
    if found.unique and is_likely(case, amounts, size):
        score = 80 if variant.how == "exact sum" else 75
        proof = "exact sum of open items" if variant.how == "exact sum" else SHORTENED
        return match_of(ways[0], proof, score, (f"only {names} together make this amount",))
    if found.unique:
        why = f"only {names} make this amount, but among so many sums that may be an accident"
    else:
        why = f"{'more than ' * (not found.complete)}{len(ways)} sets of open items make this amount"
    return ambiguous(why, [proposal_of(way, _rank(case, variant, way), ()) for way in ways], found.gave_up)


def _rank(case: Case, variant: Variant, way: Agreed) -> int:
    """People clear the account, or the oldest items up to a day: such a set goes before any other."""
    oldest = [case.index.names[at] for at in variant.positions[: len(way.lines)]]
    return 60 if [line.item for line in way.lines] == oldest else 50


def _varied_alone(case: Case, debts: list[int]) -> Outcome | None:
    """(f) for one item, before sets of them: the only one that agrees once discount, deduction, dispute or charges are off."""
    alone = [(at, found) for at in debts if (found := case.agreed((at,))) and found.firm and not found.is_tolerated]
    if not alone:
        return None
    amounts = [item.open_minor for item in case.items(debts)]
    if len(alone) == 1 and is_likely(case, amounts, 1):
        return match_of(alone[0][1], SHORTENED, 78, (f"only {names_of(case, (alone[0][0],))} agrees",))
    return ambiguous(
        "several open items agree less discount, deduction or charges", [proposal_of(found, 50, ()) for _, found in alone]
    )


def _varied(case: Case, debts: list[int]) -> Outcome | None:
    """(f): all variants are looked at together, and one set of lines must be the only one that any of them finds."""
    solved = [(variant, found) for variant in _variants(case, debts) if (found := _solved(case, variant)).solutions]
    ways = {way.lines: way for variant, found in solved for way in (_agreed(case, variant, one) for one in found.solutions)}
    if len(ways) == 1:
        return _summed(case, *solved[0])
    why = "several readings with discount, credits or deductions make this amount"
    return ambiguous(why, [proposal_of(way, 50, ()) for way in ways.values()]) if ways else None


def _variants(case: Case, debts: list[int]) -> list[Variant]:
    payment, rules, cash = case.payment, case.rules, case.payment.amount_minor
    both = sorted((*debts, *credits_of(case)))
    if len(both) > VARIANTS_MAX:
        return []
    items = case.items(debts)
    variants: list[Variant] = []

    def discounted(item: Open) -> Settle:
        off = discount_minor(item, payment.received_on, rules)
        return less(item, discount_minor=off, reason="early payment") if off else full(item)

    def agreed_off(item: Open) -> Settle:
        off = deduction_minor(item, rules)
        return deducted(item, off, rules) if off else full(item)

    if len(both) > len(debts):
        variants.append(Variant("with credits", tuple(both), full, cash))
    if any(discount_minor(item, payment.received_on, rules) for item in items):
        variants.append(Variant("less early-payment discount", tuple(debts), discounted, cash))
        if len(both) > len(debts):
            variants.append(Variant("less early-payment discount, with credits", tuple(both), discounted, cash))
    if any(deduction_minor(item, rules) for item in items):
        variants.append(Variant("less agreed deduction", tuple(debts), agreed_off, cash))
    if any(item.disputed_minor for item in items):
        variants.append(Variant("all but what is disputed", _collectable(case, debts), undisputed, cash))
    return variants


def _collectable(case: Case, debts: list[int]) -> Positions:
    return tuple(at for at in debts if case.index.items[at].disputed_minor < case.index.items[at].open_minor)


def _by_policy(case: Case) -> Outcome | None:
    """(g)"""
    found = oldest_first(case, debts_of(case))
    return match_of(found, "oldest first", 60, ("the account's policy says oldest first",)) if found else None


def oldest_first(case: Case, positions: Sequence[int]) -> Agreed | None:
    """Debts in the order given until the cash is used up; the last one in part, what is left over unallocated."""
    rest, lines = case.payment.amount_minor, []
    for item in case.items(positions):
        if rest and item.open_minor > 0:
            paid = min(rest, item.open_minor)
            lines.append(full(item) if paid == item.open_minor else part(item, paid))
            rest -= paid
    return Agreed(tuple(lines), "in order of due date", rest, firm=False) if lines else None


def _nothing(case: Case, debts: list[int], gave_up: bool) -> NoMatch:
    why = (
        "no open item and no set of them makes this amount"
        if not gave_up
        else "no set of open items was found before the search ended"
    )
    return NoMatch(why if debts else "nothing is open in this currency", _near_amounts(case, debts), gave_up)


def _near_amounts(case: Case, debts: list[int]) -> tuple[Proposal, ...]:
    """Items of which banks may have kept the difference, the nearest first."""
    cash, fee = case.payment.amount_minor, case.rules.fee_minor
    near = sorted(
        (item.open_minor - cash, at)
        for at, item in zip(debts, case.items(debts), strict=True)
        if 0 < item.open_minor - cash <= fee
    )
    lines = [(gap, part(case.index.items[at], cash)) for gap, at in near[:NEAR_AMOUNTS_MAX]]
    return tuple(
        proposal_of(Agreed((line,), f"short by {with_currency(gap, case.payment.currency)}"), 30, ()) for gap, line in lines
    )


def _offered(outcome: Outcome, doubt: str) -> Outcome:
    """What amounts alone would say, to a person."""
    if isinstance(outcome, Match):
        found = Agreed(outcome.lines, outcome.proof, outcome.unallocated_minor)
        return ambiguous(f"{doubt}; amounts alone do not decide", [proposal_of(found, outcome.score - DOUBTED, outcome.evidence)])
    return msgspec.structs.replace(outcome, why=f"{doubt}; {outcome.why}")
