"""Whose money is this: brings the accounts that a bank entry may be from, for all that waits at once, and asks who it is (P5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import asyncpg
import msgspec

from contracts.payments import PROPOSALS_MAX, BankEntry, Candidate, ConfirmPaidOut, RecogniseCash, SetAsideEntry
from services.payments import ledger
from services.payments.matching import values
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.lookup import key_of, keys_in
from services.payments.matching.mentions import mentions
from services.payments.matching.payer import Directory, Payer, Recognised, Unrecognised, numbers_in, plain, weighed, with_numbered
from services.payments.paid_out import paid_out
from services.payments.settling import open_value
from services.payments.state import Account, Item, Landed

NAMED_MAX = 50
"""Items read for one number of a text: numbers without prefix and zeros are shared by a few, and by more nobody is meant."""
NAMES_MAX = 200
"""Accounts that bear a word of a payer's name and are compared with it; a word that more of them bear tells none from another,
and only who bears all words of the name is looked at for it."""
WORD_MIN = 3
"""Shorter words are in too many names to look for."""
EVIDENCE_LENGTH = 500
RULES = values.Rules()
MONEY_OUT = "money that went out: set it aside, or take the receipt back that it returns"

Answer = RecogniseCash | SetAsideEntry | ConfirmPaidOut

_item = msgspec.json.Decoder(Item).decode
_account = msgspec.json.Decoder(Account).decode


async def recognise_all(connection: asyncpg.Connection, landed: Sequence[Landed]) -> list[Answer]:
    """A command for every entry, in their order."""
    cash = [each for each in landed if each.entry.amount_minor > 0]
    payments = {each.key: payment_of(each.entry) for each in cash}
    items = await _named_items(connection, payments.values())
    known = await _known(connection, payments.values(), {item.account for item in items})
    index = LedgerIndex([open_value(item) for item in items])
    found = {
        key: weighed(payment, known, RULES, mentions(payment, index, RULES, known.group_of)) for key, payment in payments.items()
    }
    numbered = await _numbered(connection, own_numbers(payments, found))
    known = known.knowing(_payer(account, ()) for account in numbered)
    paid = {(each.bank_account, each.entry): each for each in await paid_out(connection, landed)}
    return [
        paid.get((each.bank_account, each.entry.entry)) or _said(each, payments.get(each.key), found.get(each.key), known)
        for each in landed
    ]


def payment_of(entry: BankEntry) -> values.Payment:
    return values.Payment(
        receipt=entry.entry,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        received_on=entry.value_on,
        text=entry.text,
        reference=entry.reference,
        end_to_end=entry.end_to_end,
        payer=entry.payer,
        payer_account=entry.payer_account,
        lines=entry.lines,
    )


# --- what is read -----------------------------------------------------------------------------------------------------


async def _named_items(connection: asyncpg.Connection, payments: Iterable[values.Payment]) -> list[Item]:
    """Open items that bear a number or a reference which one of these payments names. Indexes: item_by_key, item_by_reference."""
    keys: dict[str, None] = {}
    references: dict[str, None] = {}
    for payment in payments:
        keys |= dict.fromkeys(key_of(line.reference) for line in payment.lines)
        keys |= dict.fromkeys(keys_in(payment.text, payment.end_to_end, payment.reference))
        references[payment.reference] = None
    rows = await connection.fetch(
        """
        select found.body from unnest($1::text[]) as asked (key) cross join lateral (
            select body from item where ref_key = asked.key and ref_key <> '' and open_home is not null limit $3) as found
        union
        select body from item where reference = any($2::text[]) and reference <> '' and open_home is not null
        """,
        list(keys),
        list(references),
        NAMED_MAX,
    )
    found = [_item(row["body"]) for row in rows]
    return [item for item in found if item.amount_minor > 0]


async def _known(connection: asyncpg.Connection, payments: Iterable[values.Payment], named: set[str]) -> Directory:
    """Accounts that are named, remembered, or called alike. Indexes: account's own key, alias_by_value, account_words."""
    payers = list(payments)
    banks = list({payer.payer_account for payer in payers if payer.payer_account})
    names = {payer.payer for payer in payers if payer.payer}
    aliases = await connection.fetch(
        """
        select account, kind, value from alias
        where (kind = 'bank_account' and value = any($1::text[])) or (kind = 'name' and value = any($2::text[]))
        """,
        banks,
        list(names),
    )
    rows = await connection.fetch(
        "select body from account where key = any($1::text[])", [*named, *(alias["account"] for alias in aliases)]
    )
    alike = await _alike(connection, [_long(plain(name)) for name in names])
    accounts = {account.account: account for account in (_account(row["body"]) for row in (*rows, *alike))}
    return Directory(_payer(account, aliases) for account in accounts.values())


def own_numbers(payments: Mapping[str, values.Payment], found: Mapping[str, Recognised | Unrecognised]) -> set[str]:
    """Words that may be an account's own number, of payments that nobody recognised; for the others no person chooses. Pure."""
    return {word for key, payment in payments.items() if isinstance(found[key], Unrecognised) for word in numbers_in(payment)}


async def _numbered(connection: asyncpg.Connection, words: Collection[str]) -> list[Account]:
    """Accounts with one of these numbers. Index: account's own key."""
    if not words:
        return []
    rows = await connection.fetch("select body from account where key = any($1::text[])", list(words))
    return [_account(row["body"]) for row in rows]


async def _alike(connection: asyncpg.Connection, names: Sequence[Sequence[str]]) -> list[asyncpg.Record]:
    """Accounts with a rare word of one of these names, or with all of its words, each once. Index: account_words."""
    words = sorted({word for name in names for word in name})
    common = await connection.fetch(
        """
        select word from unnest($1::text[]) as asked (word) where $2 <= (
            select count(*) from (
                select from account where string_to_array(words_of_name, ' ') && array[word] limit $2) as bearing)
        """,
        words,
        NAMES_MAX,
    )
    rare = set(words) - {row["word"] for row in common}
    found: list[asyncpg.Record] = await connection.fetch(
        """
        select body from account where string_to_array(words_of_name, ' ') && $1::text[]
        union
        select found.body from unnest($2::text[]) as asked (words) cross join lateral (
            select body from account where string_to_array(words_of_name, ' ') @> string_to_array(asked.words, ' ')
            limit $3) as found
        """,
        sorted(rare),
        [" ".join(name) for name in names if name and not rare.intersection(name)],
        NAMES_MAX,
    )
    return found


def _long(words: str) -> list[str]:
    return [word for word in words.split() if len(word) >= WORD_MIN]


def _payer(account: Account, aliases: Iterable[Mapping[str, str]]) -> Payer:
    mine = [(alias["kind"], alias["value"]) for alias in aliases if alias["account"] == account.account]
    own = (account.bank.iban,) if account.bank is not None and account.bank.confirmed_by else ()
    return Payer(
        account=account.account,
        name=account.name,
        bank_accounts=(*own, *(value for kind, value in mine if kind == "bank_account")),
        aliases=tuple(value for kind, value in mine if kind == "name"),
        home=account.home,
    )


# --- the answer ---------------------------------------------------------------------------------------------------------


def _said(landed: Landed, payment: values.Payment | None, answer: Recognised | Unrecognised | None, known: Directory) -> Answer:
    entry, bank_account = landed.entry, landed.bank_account
    if entry.is_charge:
        return SetAsideEntry(
            bank_account=bank_account, entry=entry.entry, ledger=ledger.CHARGES, reason="a charge of the bank's own"
        )
    if payment is None or answer is None:
        return RecogniseCash(bank_account=bank_account, entry=entry.entry, by="service", reason=MONEY_OUT)
    if isinstance(answer, Recognised):
        return RecogniseCash(
            bank_account=bank_account,
            entry=entry.entry,
            account=answer.account,
            account_home=known.group_of(answer.account),
            by=answer.by[:40],
            evidence=tuple(each[:EVIDENCE_LENGTH] for each in answer.evidence),
        )
    answer = with_numbered(answer, payment, known)
    candidates = tuple(
        Candidate(account=each.account, home=known.group_of(each.account), why=each.why[:EVIDENCE_LENGTH])
        for each in answer.candidates[:PROPOSALS_MAX]
    )
    return RecogniseCash(
        bank_account=bank_account, entry=entry.entry, by="service", candidates=candidates, reason=answer.why[:EVIDENCE_LENGTH]
    )
