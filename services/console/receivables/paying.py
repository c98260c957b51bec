"""Money out and money given up, as facts leave them: payouts, refunds at our bank accounts, payment files, bank details.

A refund has two rows, because two streams tell of it: its account's (`payouts`) and that of the bank account which pays it
(`outgoing`). A row that has seen a fact's sequence is not changed by it. Nothing is decided here (P10, P11, A6).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts import payments as said
from contracts.envelope import Envelope, encode_value
from contracts.message import Message
from services.console.keeping import Kept
from services.console.telling import tell

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool
ASKED, APPROVED, DECLINED, DONE, PAID, RETURNED, REVERSED = (
    "asked", "approved", "declined", "done", "paid", "returned", "reversed",
)  # fmt: skip
"""A payout: `done` is written off, or ordered from a bank account or card; `returned` and `reversed` gave its money back."""
QUEUED, FILED, CONFIRMED, STOPPED = "queued", "filed", "paid", "stopped"
"""A refund at the bank account that pays it."""
ANSWERED = "answered"
"""A request to the ERP that its posting answered; the other outcome is `declined`."""
REFUND, CARD_REFUND, WRITE_OFF, WRITE_BACK = "refund", "card_refund", "write_off", "write_back"
GIVEN_UP = (WRITE_OFF, WRITE_BACK)
WORD = "payouts"
"""What the pages of money out listen to."""
SHOWN = 100
RUNS_SHOWN = 60
"""Five years of months."""
RUN_MAX = 20_000
"""Rows of one monthly run, on paper as well."""


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    request: str
    account: str
    kind: str
    item: str
    amount_minor: int
    currency: str
    reason: str
    evidence: str
    levels: tuple[str, ...]
    by: str
    at: dt.datetime
    state: str = ASKED
    answered_by: str = ""
    answer: str = ""
    changed_at: dt.datetime
    run: str = ""
    base_minor: int = 0
    payment: str = ""
    paid_on: dt.date | None = None
    reversed_by: str = ""
    sequence: int = 0

    @property
    def is_reversible(self) -> bool:
        return self.kind in GIVEN_UP and self.state == DONE


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    request: str
    bank_account: str
    account: str
    amount_minor: int
    currency: str
    iban: str
    holder: str
    state: str = QUEUED
    file: str = ""
    file_at: dt.datetime | None = None
    queued_at: dt.datetime
    sequence: int = 0


class File(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: `<bank account>/<file>`; `body` is the fact as it was said, from which the bytes follow."""

    key: str
    bank_account: str
    file: str
    on: dt.date
    digest: str
    refunds: int
    total_minor: int
    currency: str
    by: str
    made_at: dt.datetime
    body: bytes
    sequence: int = 0

    @property
    def fact(self) -> said.PaymentFileMade:
        return msgspec.json.decode(self.body, type=said.PaymentFileMade)


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account wants to be paid: nothing is, before somebody else of these levels has called it back."""

    account: str
    iban: str
    holder: str
    reason: str
    by: str
    at: dt.datetime
    levels: tuple[str, ...] = ()
    confirmed_by: str = ""
    called: str = ""
    sequence: int = 0


PAYOUTS = Kept("payouts", Payout, "request")
OUTGOING = Kept("outgoing", Outgoing, "request")
FILES = Kept("payment_files", File, "key")
DETAILS = Kept("bank_details", Details, "account")


# --- payouts, after every fact of their account -----------------------------------------------------------------------


def _proposed(row: Payout | None, data: said.PayoutProposed, fact: Envelope) -> Payout:
    return Payout(
        request=data.request,
        account=data.account,
        kind=data.kind,
        item=data.item,
        amount_minor=data.amount_minor,
        currency=data.currency,
        reason=data.reason,
        evidence=data.evidence,
        levels=data.levels,
        by=data.by,
        at=fact.time,
        changed_at=fact.time,
        payment=data.payment or "",
    )


def _becomes(state: str, *fields: str, **named: str) -> Callable[[Payout | None, Any, Envelope], Payout | None]:
    """The row in this state; `fields` of the fact under their own names, `named` as field of the row = field of the fact."""

    def turn(row: Payout | None, data: Any, fact: Envelope) -> Payout | None:
        if row is None:
            return None
        taken = {mine: getattr(data, theirs) for mine, theirs in {**{each: each for each in fields}, **named}.items()}
        return replace(row, state=state, **taken)

    return turn


def _asked_acquirer(row: Payout | None, data: said.CardIntended, fact: Envelope) -> Payout | None:
    return replace(row, state=DONE, base_minor=data.base_minor) if row is not None else None


def _asked_erp(row: Payout | None, data: said.PostingRequested, fact: Envelope) -> Payout | None:
    """Where the ERP keeps the book it carries out what was approved; nothing of ours is done before its posting comes (P1)."""
    return replace(row, answer=f"asked of the ERP ({data.request})") if row is not None else None


def _erp_answered(row: Payout | None, data: said.RequestClosed, fact: Envelope) -> Payout | None:
    if row is None:
        return None
    is_back, is_done = data.kind == f"{row.kind}_back", data.outcome == ANSWERED
    if is_back:
        return replace(row, state=REVERSED if is_done else DONE, answer=data.reason)
    if not is_done:
        return replace(row, state=DECLINED, answer=data.reason)
    return replace(row, state=DONE, answer=data.reason, base_minor=data.base_minor or 0, run=data.run or "")


OF_ACCOUNTS: Mapping[type[Message], Callable[[Payout | None, Any, Envelope], Payout | None]] = {
    said.PayoutProposed: _proposed,
    said.PayoutApproved: _becomes(APPROVED, answered_by="by", answer="reason"),
    said.PayoutDeclined: _becomes(DECLINED, answered_by="by", answer="reason"),
    said.RefundOrdered: _becomes(DONE, "base_minor"),
    said.WrittenOff: _becomes(DONE, "base_minor", "run"),
    said.WriteOffReversed: _becomes(REVERSED, reversed_by="by", answer="reason"),
    said.RefundPaid: _becomes(PAID, "paid_on"),
    said.RefundReturned: _becomes(RETURNED, answer="reason"),
    said.CardIntended: _asked_acquirer,
    said.PostingRequested: _asked_erp,
    said.RequestClosed: _erp_answered,
}


def follow(row: Payout | None, fact: Envelope) -> Payout | None:
    """The payout after this fact; None when nothing of it changed. Pure."""
    sequence = int(fact.sequence)
    if row is not None and sequence <= row.sequence:
        return None
    after = OF_ACCOUNTS[type(fact.data)](row, fact.data, fact)
    return replace(after, changed_at=fact.time, sequence=sequence) if after is not None else None


# --- at the bank account that pays ------------------------------------------------------------------------------------


def _queued(data: said.RefundQueued, fact: Envelope) -> Outgoing:
    return Outgoing(
        request=data.transfer.request,
        bank_account=data.bank_account,
        account=data.of_account,
        amount_minor=data.transfer.amount_minor,
        currency=data.transfer.currency,
        iban=data.transfer.iban,
        holder=data.transfer.holder,
        file_at=data.file_at,
        queued_at=fact.time,
    )


OF_BANKS: Mapping[type[Message], str] = {
    said.PaidOutConfirmed: CONFIRMED,
    said.PaidOutReopened: FILED,
    said.RefundStopped: STOPPED,
}
"""What one refund is after such a fact."""


def requests_of(data: Any) -> tuple[str, ...]:
    """The refunds that a fact of a bank account is about."""
    if isinstance(data, said.RefundQueued):
        return (data.transfer.request,)
    if isinstance(data, said.PaymentFileMade):
        return tuple(each.request for each in data.refunds)
    return (data.request,)


def at_bank(row: Outgoing | None, fact: Envelope) -> Outgoing | None:
    """The refund after this fact; None when nothing of it changed. Pure."""
    data, sequence = fact.data, int(fact.sequence)
    if isinstance(data, said.RefundQueued):
        return replace(_queued(data, fact), sequence=sequence) if row is None else None
    if row is None or sequence <= row.sequence:
        return None
    if isinstance(data, said.PaymentFileMade):
        return replace(row, state=FILED, file=data.file, sequence=sequence)
    return replace(row, state=OF_BANKS[type(data)], sequence=sequence)


def file_of(fact: Envelope) -> File:
    data = fact.data
    return File(
        key=key_of(data.bank_account, data.file),
        bank_account=data.bank_account,
        file=data.file,
        on=data.on,
        digest=data.digest,
        refunds=len(data.refunds),
        total_minor=data.total_minor,
        currency=data.currency,
        by=data.by,
        made_at=fact.time,
        body=encode_value(data),
        sequence=int(fact.sequence),
    )


def key_of(bank_account: str, file: str) -> str:
    return f"{bank_account}/{file}"


# --- bank details -----------------------------------------------------------------------------------------------------


def detailed(row: Details | None, fact: Envelope) -> Details | None:
    """Where the account is paid after this fact; every change begins anew with nobody's word. Pure."""
    data, sequence = fact.data, int(fact.sequence)
    if row is not None and sequence <= row.sequence:
        return None
    if isinstance(data, said.BankDetailsNoted):
        return Details(
            account=data.account,
            iban=data.iban,
            holder=data.holder,
            reason=data.reason,
            by=data.by,
            at=fact.time,
            levels=data.levels,
            sequence=sequence,
        )
    return replace(row, confirmed_by=data.by, called=data.called, sequence=sequence) if row is not None else None


OF_DETAILS: tuple[type[Message], ...] = (said.BankDetailsNoted, said.BankDetailsConfirmed)
AT_BANKS: tuple[type[Message], ...] = (said.RefundQueued, said.PaymentFileMade, *OF_BANKS)
HEARS: tuple[type[Message], ...] = (*OF_ACCOUNTS, *AT_BANKS, *OF_DETAILS)


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring payouts, refunds at banks, files and bank details up to these facts."""
    await _follow(connection, PAYOUTS, [(name, fact) for fact in facts if (name := payout_in(fact.data))], follow)
    at_banks = [fact for fact in facts if isinstance(fact.data, AT_BANKS)]
    await _follow(connection, OUTGOING, [(name, fact) for fact in at_banks for name in requests_of(fact.data)], at_bank)
    await FILES.save(connection, [file_of(fact) for fact in at_banks if isinstance(fact.data, said.PaymentFileMade)])
    details = [fact for fact in facts if isinstance(fact.data, OF_DETAILS)]
    await _follow(connection, DETAILS, [(_account_of(fact), fact) for fact in details], detailed)
    await tell(connection, [WORD])


def _account_of(fact: Envelope) -> str:
    account: str = fact.data.account
    return account


def payout_in(data: Any) -> str:
    """The payout that a fact is about; empty: none (a capture asks the acquirer as well, and the ERP is asked other things)."""
    if isinstance(data, said.PostingRequested | said.RequestClosed):
        return data.payout or ""
    return str(data.request or "") if type(data) in OF_ACCOUNTS else ""


async def _follow(
    connection: asyncpg.Connection,
    kept: Kept,
    facts: Iterable[tuple[str, Envelope]],
    turn: Callable[[Any, Envelope], Any],
) -> None:
    """Each named row after its facts; those that changed are written, in one statement."""
    told = list(facts)
    known = await kept.load(connection, {name for name, _ in told})
    changed: dict[str, Any] = {}
    for name, fact in told:
        if (after := turn(known.get(name), fact)) is not None:
            known[name] = changed[name] = after
    await kept.save(connection, list(changed.values()))


# --- what pages ask ---------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A payout with its account's name, and how far it is at the bank that pays it."""

    payout: Payout
    name: str
    at_bank: str
    file: str


_SEEN = "($1::text[] = '{}' or b.portfolio = any($1))"


async def payouts(database: Database, seen: Iterable[str], *, waiting: bool) -> list[Shown]:
    """Those that wait for an answer, oldest first; or all others, newest first. Indexes: payouts_asked, payouts_changed."""
    which, order = ("=", "p.at") if waiting else ("<>", "p.changed_at desc")
    rows = await database.fetch(
        f"""
        select {_columns(PAYOUTS, "p")}, coalesce(b.name, '') as shown, coalesce(o.state, '') as at_bank,
            coalesce(o.file, '') as of_file
        from payouts p left join book b using (account) left join outgoing o using (request)
        where p.state {which} 'asked' and {_SEEN} order by {order}, p.request limit $2
        """,
        list(seen),
        SHOWN,
    )
    return [Shown(PAYOUTS.of(row), row["shown"], row["at_bank"], row["of_file"]) for row in rows]


def _columns(kept: Kept, alias: str) -> str:
    return ", ".join(f'{alias}."{name}"' for name in kept.kinds)


async def payout(database: Database, seen: Iterable[str], request: str) -> Payout | None:
    row = await database.fetchrow(
        f"select {_columns(PAYOUTS, 'p')} from payouts p left join book b using (account) where p.request = $2 and {_SEEN}",
        list(seen),
        request,
    )
    return PAYOUTS.of(row) if row else None


class Waits(NamedTuple):
    """Refunds that no file has, of one bank account and currency."""

    bank_account: str
    currency: str
    refunds: list[tuple[Outgoing, str]]

    @property
    def total_minor(self) -> int:
        return sum(each.amount_minor for each, _ in self.refunds)

    @property
    def file_at(self) -> dt.datetime | None:
        return max((each.file_at for each, _ in self.refunds if each.file_at is not None), default=None)


async def waiting(database: Database) -> list[Waits]:
    """At most one file's refunds of each. Index: outgoing_queued."""
    rows = await database.fetch(
        f"""
        select {_columns(OUTGOING, "o")}, coalesce(b.name, '') as shown
        from (
            select *, row_number() over (partition by bank_account, currency order by request) as place
            from outgoing where state = 'queued'
        ) o left join book b using (account)
        where o.place <= $1 order by o.bank_account, o.currency, o.request
        """,
        said.FILE_REFUNDS_MAX,
    )
    found: dict[tuple[str, str], Waits] = {}
    for row in rows:
        key = (row["bank_account"], row["currency"])
        found.setdefault(key, Waits(*key, [])).refunds.append((OUTGOING.of(row), row["shown"]))
    return list(found.values())


async def files(database: Database) -> list[tuple[File, int]]:
    """The newest files, each with how many of its refunds the bank has confirmed. Indexes: payment_files_made, outgoing_file."""
    rows = await database.fetch(
        f"""
        select {_columns(FILES, "f")}, (select count(*) from outgoing o
            where o.bank_account = f.bank_account and o.file = f.file and o.state = 'paid') as confirmed
        from payment_files f order by f.made_at desc, f.key limit $1
        """,
        SHOWN,
    )
    return [(FILES.of(row), row["confirmed"]) for row in rows]


async def file(database: Database, key: str) -> File | None:
    row = await database.fetchrow(f"select {FILES.columns} from payment_files where key = $1", key)
    return FILES.of(row) if row else None


async def unconfirmed(database: Database, seen: Iterable[str]) -> list[tuple[Details, str]]:
    """Details that nobody has called back yet, oldest first. Index: bank_details_new."""
    rows = await database.fetch(
        f"""
        select {_columns(DETAILS, "d")}, coalesce(b.name, '') as shown from bank_details d left join book b using (account)
        where d.confirmed_by = '' and {_SEEN} order by d.at limit $2
        """,
        list(seen),
        SHOWN,
    )
    return [(DETAILS.of(row), row["shown"]) for row in rows]


async def details(database: Database, account: str) -> Details | None:
    row = await database.fetchrow(f"select {DETAILS.columns} from bank_details where account = $1", account)
    return DETAILS.of(row) if row else None


# --- monthly runs -----------------------------------------------------------------------------------------------------


async def run(database: Database, seen: Iterable[str], month: str) -> list[Shown]:
    """What this monthly run gave up, reversed ones too, by account. Index: payouts_run."""
    rows = await database.fetch(
        f"""
        select {_columns(PAYOUTS, "p")}, coalesce(b.name, '') as shown from payouts p left join book b using (account)
        where p.run = $2 and p.run <> '' and {_SEEN} order by p.account, p.at, p.request limit $3
        """,
        list(seen),
        month,
        RUN_MAX,
    )
    return [Shown(PAYOUTS.of(row), row["shown"], "", "") for row in rows]


async def runs(database: Database) -> list[str]:
    """The months that have one, newest first. Index: payouts_run."""
    rows = await database.fetch("select distinct run from payouts where run <> '' order by 1 desc limit $1", RUNS_SHOWN)
    return [row["run"] for row in rows]
