"""Which accounts a payment's numbers name, and whether cash or further numbers confirm it (P5). Reads all accounts' named items.

It recognises nobody: a mention is evidence, and `payer.recognise` weighs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.payments.matching.case import Case
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.lookup import number_in
from services.payments.matching.named import references_of, referred_to
from services.payments.matching.naming import exact_hits, names_in
from services.payments.matching.payer import Mention
from services.payments.matching.values import Open, Payment, Rules

CONFIRMING = 2
"""So many numbers of one group confirm each other: strangers' numbers that a text hits by accident belong to many groups."""
LINES_SHARE = 2
"""At least one in so many lines of an advice must name an item of the group with its amount."""


def mentions(payment: Payment, index: LedgerIndex, rules: Rules, group_of: Callable[[str], str]) -> tuple[Mention, ...]:
    """One mention for every account of an open item that is named; `group_of` says to which group an account belongs."""
    case = Case(payment, index, rules, frozenset())
    found: dict[str, set[int]] = {}
    for at in sorted({*_referred(case), *_worded(case), *_advised(case)}):
        found.setdefault(group_of(index.items[at].account), set()).add(at)
    confirmed = {group for group, positions in found.items() if _is_confirmed(case, positions)}
    accounts = {(item.account, group) for group, positions in found.items() for item in case.items(positions)}
    return tuple(Mention(account, group in confirmed) for account, group in sorted(accounts))


def _is_confirmed(case: Case, positions: Iterable[int]) -> bool:
    """By its check digits, by its advice, by the cash, or by more numbers of the same group."""
    ours = set(positions)
    if ours & set(_referred(case)):
        return True
    if case.payment.lines:
        return _confirming_lines(case, ours) * LINES_SHARE >= len(case.payment.lines)
    exact = case.in_currency(sorted(ours))
    agreed = case.agreed(exact)
    return len(exact) >= CONFIRMING or (agreed is not None and agreed.firm and not agreed.is_tolerated)


# ── what is named ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _referred(case: Case) -> tuple[int, ...]:
    references = references_of(case)
    return referred_to(case, references)[0] if references else ()


def _worded(case: Case) -> tuple[int, ...]:
    """Exact names; of a name that several items share, the one with the amount of the payment."""
    names = names_in(case.payment, case.index, case.rules)
    shared = (at for _, hits in names.choices for at in hits if case.index.items[at].open_minor == case.payment.amount_minor)
    return (*names.exact, *shared)


def _advised(case: Case) -> tuple[int, ...]:
    return tuple(at for line in case.payment.lines for at in exact_hits(case.index, number_in(line.reference)))


def _confirming_lines(case: Case, ours: set[int]) -> int:
    """Lines that name one of these items with what is open of it, before or after what was taken off."""
    count = 0
    for line in case.payment.lines:
        hits = ours & set(exact_hits(case.index, number_in(line.reference)))
        gross = line.amount_minor + line.taken_minor + line.discount_minor
        count += any(_is_open_with(case.index.items[at], (line.amount_minor, gross)) for at in hits)
    return count


def _is_open_with(item: Open, amounts: tuple[int, int]) -> bool:
    return item.open_minor in amounts
