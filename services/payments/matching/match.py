"""The cash matching of P6: cheapest proof first, and no guess. `match` is all that the service calls.

Pure: the same payment, items and rules give the same answer, whatever order the items come in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from services.payments.matching.advice import by_advice
from services.payments.matching.amounts import by_amount
from services.payments.matching.case import Case
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.lookup import flat
from services.payments.matching.named import by_reference, by_reference_alone, by_words, references_of, referred_to
from services.payments.matching.naming import Names, names_in
from services.payments.matching.values import Open, Outcome, Payment, Rules, Settled

_ON_ACCOUNT = re.compile(
    r"\b(on account|on a/c|a/c payment|akonto|a conto|acompte|acconto|deposit|prepayment|vorauszahlung)\b", re.IGNORECASE
)
_IN_PART = re.compile(
    r"\b(part(ial)? (payment|[0-9])|instal?lment|rate [0-9]|teilzahlung|abschlag(szahlung)?"
    r"|paiement partiel|deelbetaling|termijn)\b",
    re.IGNORECASE,
)
TWINS_SHOWN = 3


def match(
    payment: Payment,
    open_items: Sequence[Open],
    rules: Rules,
    settled: Mapping[str, Settled] | None = None,
    accounts: Collection[str] | None = None,
) -> Outcome:
    """Match one payment with its candidate items.

    `settled` are items closed lately, by number, so that a second payment is recognised. `accounts` are those the payer pays for:
    None when all candidates are the payer's, empty when the payer is unknown (then amounts alone decide nothing).
    Raises ValueError when an item comes twice.
    """
    return match_in(LedgerIndex(open_items, settled), payment, rules, accounts)


def match_in(index: LedgerIndex, payment: Payment, rules: Rules, accounts: Collection[str] | None = None) -> Outcome:
    """The same against an index that serves many payments."""
    case = Case(payment, index, rules, None if accounts is None else frozenset(accounts))
    references = references_of(case)
    referred, evidence = referred_to(case, references) if references else ((), ())
    if referred and (sure := by_reference_alone(case, referred, evidence)):
        return sure
    names = names_in(payment, index, rules)
    if referred and (outcome := by_reference(case, names, referred, evidence)):
        return outcome
    if payment.lines and (outcome := by_advice(case)):
        return outcome
    if outcome := by_words(case, names):
        return outcome
    return by_amount(case, _doubt(case, names))


def _doubt(case: Case, names: Names) -> str:
    """Why amounts alone may not be believed: the payment speaks of something that is not here, or nobody knows whose it is."""
    if names.unplaced:
        return f"the text names {', '.join(names.unplaced)}, which is no open item"
    if case.payment.lines:
        return "the advice names no open item"
    if twins := case.index.settled_amounts.get((case.payment.currency, case.payment.amount_minor)):
        return f"{', '.join(twins[:TWINS_SHOWN])} of this amount is settled already, and this may be a second payment of it"
    said = flat(case.payment.text)
    if _ON_ACCOUNT.search(said):
        return "the text says that it is money on account"
    if _IN_PART.search(said) and not _is_rest(case):
        return "the text says that it pays a part"
    return "" if case.payer_is_known else "the payer is not known"


def _is_rest(case: Case) -> bool:
    """The last part of something is all that is open of it."""
    items = case.items(case.of_amount(case.payment.amount_minor))
    return any(item.open_minor != item.amount_minor for item in items)
