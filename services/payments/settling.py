"""From receipts that wait to commands: brings the items that each may be for, and asks the matching engine (P6).

First only what the payments name is read, for all of them in one query: most are proved by it. What is not proved so gets all
that is open of its group, up to a bound; beyond the bound amounts alone prove nothing, and a person is told so.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from contracts.message import Message
from contracts.payments import PROPOSALS_MAX, AllocateCash, Alternative, Proposal, ReferCash, Settle
from services.payments.matching import values
from services.payments.matching.advice import PROOF
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.lookup import flat, key_of, keys_in
from services.payments.matching.match import match_in
from services.payments.matching.named import REFERENCE, WORDS
from services.payments.policies import Policy, in_force
from services.payments.state import RECEIPT, Account, Advice, Item, Receipt

CANDIDATES_MAX = 2_000
"""Open items of one group that are looked at for amounts: the search for sums ends before it has seen more."""
SETTLED_DAYS = 400
"""Items settled longer ago than this are not taken for what somebody pays twice: numbers come round again after a year."""
TEXT_LENGTH = 500
NOTES_MAX = 40
BY_NAME = frozenset({REFERENCE, WORDS, PROOF})
"""Proofs that rest on what the payment itself names."""
CERTAIN = 95
"""The least score of such a proof that no other item could change: nothing damaged, nothing left over."""

_item = msgspec.json.Decoder(Item).decode
_account = msgspec.json.Decoder(Account).decode
_advice = msgspec.json.Decoder(Advice).decode


class Case(msgspec.Struct):
    """One receipt on its way to an answer."""

    receipt: Receipt
    payment: values.Payment
    rules: values.Rules
    accounts: frozenset[str] | None
    keys: tuple[str, ...]
    advice: str | None = None


async def settle_all(connection: asyncpg.Connection, receipts: Sequence[Receipt], on: dt.date) -> list[tuple[str, Message]]:
    """(home, command) for every receipt, in their order."""
    if not receipts:
        return []
    cases = await _cases(connection, receipts, on)
    answers: dict[str, Message] = {}
    named = await _named(connection, cases, on)
    _by_name(cases, named, answers)
    await _by_all(connection, [case for case in cases if case.receipt.receipt not in answers], named, answers)
    return [(case.receipt.home, answers[case.receipt.receipt]) for case in cases]


# --- what is asked ----------------------------------------------------------------------------------------------------


async def _cases(connection: asyncpg.Connection, receipts: Sequence[Receipt], on: dt.date) -> list[Case]:
    names = list({receipt.account for receipt in receipts})
    rows = await connection.fetch("select body from account where key = any($1::text[])", names)
    known: dict[str, Account] = {account.account: account for account in (_account(row["body"]) for row in rows)}
    advices = await _advices(connection, names)
    policy = in_force(on)
    return [_case(receipt, known[receipt.account], advices.get(receipt.account, ()), policy) for receipt in receipts]


async def _advices(connection: asyncpg.Connection, accounts: list[str]) -> Mapping[str, list[Advice]]:
    """Advices that wait for their payment. Index: advice_open."""
    found: dict[str, list[Advice]] = defaultdict(list)
    for row in await connection.fetch("select body from advice where open_account = any($1::text[]) order by key", accounts):
        advice: Advice = _advice(row["body"])
        found[advice.account].append(advice)
    return found


def _case(receipt: Receipt, account: Account, advices: Iterable[Advice], policy: Policy) -> Case:
    advice = None if receipt.lines else _advice_of(receipt, advices)
    lines = advice.lines if advice is not None else receipt.lines
    payment = values.Payment(
        receipt=receipt.receipt,
        amount_minor=receipt.free_minor,
        currency=receipt.currency,
        received_on=receipt.received_on,
        text=receipt.text,
        reference=receipt.reference,
        end_to_end=receipt.end_to_end,
        payer=receipt.payer,
        payer_account=receipt.payer_account,
        lines=lines,
        charges_minor=receipt.charges_minor,
    )
    group = receipt.account == receipt.home
    accounts = None if group else frozenset((receipt.account,))
    return Case(receipt, payment, rules_of(account, policy), accounts, _keys(payment), advice.advice if advice else None)


def _advice_of(receipt: Receipt, advices: Iterable[Advice]) -> Advice | None:
    """The one advice of this amount that names the payment, or that nothing else could be meant by."""
    fits = [each for each in advices if (each.amount_minor, each.currency) == (receipt.free_minor, receipt.currency)]
    said = f"{flat(receipt.text)} {receipt.end_to_end} {receipt.reference}".casefold()
    named = [each for each in fits if each.payment_reference and each.payment_reference.casefold() in said]
    found = named or fits
    return found[0] if len(found) == 1 else None


def rules_of(account: Account, policy: Policy) -> values.Rules:
    return values.Rules(
        tolerance_minor=policy.tolerance.amount_minor,
        tolerance_basis_points=policy.tolerance.basis_points,
        limit_minor=policy.takes.get("payments", 0),
        discount_grace_days=policy.discount_grace_days,
        oldest_first=account.portfolio in policy.oldest_first,
        reasons={word: values.Reason(kind) for kind, words in policy.reasons.items() for word in words},
    )


def _keys(payment: values.Payment) -> tuple[str, ...]:
    """Everything that may be a number of an item, as it is indexed."""
    lines = (key_of(line.reference) for line in payment.lines)
    words = keys_in(payment.text, payment.end_to_end, payment.reference)
    return tuple(dict.fromkeys(key for key in (*lines, *words) if key))


# --- by what is named ---------------------------------------------------------------------------------------------------


async def _named(connection: asyncpg.Connection, cases: Sequence[Case], on: dt.date) -> Mapping[str, LedgerIndex]:
    homes = list({case.receipt.home for case in cases})
    keys = list({key for case in cases for key in case.keys})
    references = list({case.payment.reference for case in cases if case.payment.reference})
    return await named_items(connection, homes, keys, references, on)


def _by_name(cases: Sequence[Case], named: Mapping[str, LedgerIndex], answers: dict[str, Message]) -> None:
    for case in cases:
        index = named.get(case.receipt.home)
        if index is None:
            continue
        outcome = match_in(index, case.payment, case.rules, case.accounts)
        if isinstance(outcome, values.Match) and _is_certain(outcome):
            answers[case.receipt.receipt] = _allocated(case, outcome, index)


def _is_certain(found: values.Match) -> bool:
    whole = not found.unallocated_minor and not any(line.residual_minor for line in found.lines)
    return found.proof in BY_NAME and found.score >= CERTAIN and whole


async def named_items(
    connection: asyncpg.Connection, homes: list[str], keys: list[str], references: list[str], on: dt.date
) -> dict[str, LedgerIndex]:
    """Home -> the items, open or settled lately, that bear one of these numbers. Indexes: item_by_key, item_by_reference."""
    rows = await connection.fetch(
        """
        select body from item where ref_key = any($2::text[]) and ref_key <> '' and home = any($1::text[])
        union
        select body from item where reference = any($3::text[]) and reference <> '' and home = any($1::text[])
        """,
        homes,
        keys,
        references,
    )
    by_home: dict[str, list[Item]] = defaultdict(list)
    for row in rows:
        item: Item = _item(row["body"])
        by_home[item.home].append(item)
    return {home: index_of(items, on) for home, items in by_home.items()}


def index_of(items: Iterable[Item], on: dt.date) -> LedgerIndex:
    found = list(items)
    since = on - dt.timedelta(days=SETTLED_DAYS)
    settled = {
        item.item: values.Settled(abs(item.amount_minor), item.currency, item.account, item.reference)
        for item in found
        if not item.open_minor and item.document_on >= since
    }
    return LedgerIndex([open_value(item) for item in found if item.free_minor and item.kind != RECEIPT], settled)


def open_value(item: Item) -> values.Open:
    return values.Open(
        item=item.item,
        account=item.account,
        kind=item.kind,
        open_minor=item.free_minor,
        amount_minor=item.amount_minor,
        currency=item.currency,
        document_on=item.document_on,
        due_on=item.due_on,
        reference=item.reference,
        order=item.order or "",
        po_number=item.po_number,
        discounts=() if item.discounted_minor else item.discounts,
        disputed_minor=item.disputed_minor,
    )


# --- by all that is open ------------------------------------------------------------------------------------------------


async def _by_all(
    connection: asyncpg.Connection, cases: Sequence[Case], named: Mapping[str, LedgerIndex], answers: dict[str, Message]
) -> None:
    if not cases:
        return
    items = await open_items(connection, list({case.receipt.home for case in cases}))
    whole = {home: len(found) <= CANDIDATES_MAX for home, found in items.items()}
    indexes = {home: _index_of_all(found, named.get(home)) for home, found in items.items()}
    nothing = LedgerIndex(())
    for case in cases:
        home = case.receipt.home
        index = indexes.get(home) or named.get(home) or nothing
        outcome = match_in(index, case.payment, case.rules, case.accounts)
        answers[case.receipt.receipt] = _answer(case, outcome, index, whole=whole.get(home, True))


def _index_of_all(items: Sequence[Item], named: LedgerIndex | None) -> LedgerIndex:
    """All that is looked at of a group, with what it names and has settled lately: one for all its receipts."""
    return LedgerIndex(
        [open_value(item) for item in items[:CANDIDATES_MAX] if item.free_minor], dict(named.settled) if named else None
    )


async def open_items(connection: asyncpg.Connection, homes: list[str]) -> dict[str, list[Item]]:
    """Home -> what is open of it, oldest due first, one more than is looked at. Index: item_open."""
    rows = await connection.fetch(
        """
        select found.body from unnest($1::text[]) as asked (home) cross join lateral (
            select body from item where open_home = asked.home and kind <> 'receipt' order by due_on, key limit $2) as found
        """,
        homes,
        CANDIDATES_MAX + 1,
    )
    by_home: dict[str, list[Item]] = defaultdict(list)
    for row in rows:
        item: Item = _item(row["body"])
        by_home[item.home].append(item)
    return by_home


# --- the answer ---------------------------------------------------------------------------------------------------------


def _answer(case: Case, outcome: values.Outcome, index: LedgerIndex, whole: bool) -> Message:
    match outcome:
        case values.Match() if whole or outcome.proof in BY_NAME:
            return _allocated(case, outcome, index)
        case values.Match():
            offered = Proposal(lines=_lines(case, outcome.lines, index), proof=outcome.proof, score=outcome.score)
            why = f"more than {CANDIDATES_MAX} items are open, so that an amount alone proves nothing"
            return _referred(case, why, (offered,), gave_up=True)
        case values.Ambiguous() | values.NoMatch():
            proposals = tuple(
                Proposal(lines=_lines(case, each.lines, index), proof="proposal", score=each.score, why=_notes(each.reasons))
                for each in outcome.proposals
            )
            return _referred(case, outcome.why, proposals, outcome.gave_up)


def _allocated(case: Case, found: values.Match, index: LedgerIndex) -> Message:
    return AllocateCash(
        account=case.receipt.account,
        receipt=case.receipt.receipt,
        lines=_lines(case, found.lines, index),
        proof=found.proof,
        score=found.score,
        evidence=_notes(found.evidence),
        rejected=tuple(Alternative(items=each.items, why=each.why[:TEXT_LENGTH]) for each in found.rejected[:PROPOSALS_MAX]),
        version=case.receipt.version,
        advice=case.advice,
    )


def _referred(case: Case, why: str, proposals: tuple[Proposal, ...], gave_up: bool) -> Message:
    return ReferCash(
        account=case.receipt.account,
        receipt=case.receipt.receipt,
        why=why[:TEXT_LENGTH],
        proposals=proposals[:PROPOSALS_MAX],
        gave_up=gave_up,
    )


def _notes(notes: Iterable[str]) -> tuple[str, ...]:
    return tuple(note[:TEXT_LENGTH] for note in notes)[:NOTES_MAX]


def _lines(case: Case, lines: Iterable[values.Settle], index: LedgerIndex) -> tuple[Settle, ...]:
    owner = {item.item: item.account for item in index.items}
    return tuple(
        Settle(
            item=line.item,
            settled_minor=line.settled_minor,
            paid_minor=line.paid_minor,
            discount_minor=line.discount_minor,
            difference_minor=line.difference_minor,
            residual_minor=line.residual_minor,
            reason=line.reason,
            account=owner[line.item] if owner[line.item] != case.receipt.account else None,
        )
        for line in lines
    )
