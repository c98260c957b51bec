"""What the gateway learns from facts: the index of accounts, how each command ended, which orders are held.

Set-based and small, because all facts of a running file pass here: one statement per table and batch, run inside the
batch's own transaction, so that each fact counts exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

from contracts import accounts, orders, payments
from contracts.envelope import Envelope, derived_id, encode_value
from contracts.message import Message, type_name
from services.gateway import admission

CHANNEL = "quittance_outcome"
"""NOTIFY with the flow's id when one of its commands was answered."""

OUTCOMES: Mapping[type[Message], str] = {
    orders.OrderReleased: "released",
    orders.OrderHeld: "held",
    orders.OrderReferred: "referred",
    orders.OrderRejected: "rejected",
    orders.OrderRepeated: "repeated",
    orders.OrderCancelled: "cancelled",
    orders.OrderChanged: "changed",
    orders.OrderDespatched: "despatched",
    orders.OrderDelivered: "delivered",
    orders.OrderAsked: "asked",
    orders.OrderAssigned: "assigned",
    orders.OrderNoted: "noted",
    orders.OrderSplit: "split",
    orders.OrderRanked: "ranked",
    orders.OrderRecalled: "recalled",
    orders.RecallAnswered: "recall answered",
    orders.ReturnRecorded: "recorded",
    orders.CommandRefused: "refused",
    orders.DealRegistered: "registered",
    orders.DealApproved: "approved",
    orders.DealDeclined: "declined",
    orders.DealWithdrawn: "withdrawn",
    orders.DealRefused: "refused",
    accounts.AccountOpened: "opened",
    accounts.AccountRenamed: "renamed",
    accounts.TermsChanged: "terms changed",
    accounts.LimitChanged: "limit changed",
    accounts.CoverChanged: "cover changed",
    accounts.ChangeScheduled: "scheduled",
    accounts.StatusChanged: "status changed",
    accounts.PlacedOnStop: "on stop",
    accounts.TakenOffStop: "off stop",
    accounts.AccountTerminated: "terminated",
    accounts.StopScheduled: "stop scheduled",
    accounts.StopCalledOff: "stop called off",
    accounts.StopAssigned: "stop assigned",
    accounts.StopActionAdded: "action added",
    accounts.StopActionClosed: "action closed",
    accounts.StopProgressNoted: "progress noted",
    accounts.AccountNoted: "noted",
    accounts.ApprovalRequested: "approval requested",
    accounts.RequestApproved: "approved",
    accounts.RequestDeclined: "declined",
    accounts.RequestWithdrawn: "withdrawn",
    accounts.DeputyAppointed: "deputy appointed",
    accounts.DeputyEnded: "deputy ended",
    accounts.DeputyRefused: "refused",
    accounts.CommandUnneeded: "unchanged",
    accounts.CommandRefused: "refused",
    payments.ItemPosted: "posted",
    payments.BillingErrorFound: "refused",
    payments.PeriodClosed: "closed",
    payments.StatementTaken: "taken",
    payments.StatementRepeated: "repeated",
    payments.StatementRefused: "refused",
    payments.CashRecognised: "recognised",
    payments.EntrySetAside: "set aside",
    payments.EntryTaken: "taken",
    payments.CashAllocated: "allocated",
    payments.CashUnallocated: "unallocated",
    payments.CashKeptOnAccount: "kept on account",
    payments.CashTaken: "taken",
    payments.CashGivenBack: "given back",
    payments.PayerForgotten: "forgotten",
    payments.AdviceTaken: "taken",
    payments.BankDetailsNoted: "noted",
    payments.BankDetailsConfirmed: "confirmed",
    payments.PayoutProposed: "proposed",
    payments.PayoutApproved: "approved",
    payments.PayoutDeclined: "declined",
    payments.PaymentFileMade: "file made",
    payments.RefundStopped: "stopped",
    payments.RefundOrdered: "refund ordered",
    payments.WrittenOff: "written off",
    payments.WriteOffReversed: "reversed",
    payments.ItemsOffset: "offset",
    payments.OffsetUndone: "offset undone",
    payments.CardIntended: "acquirer asked",
    payments.PostingRequested: "asked of the ERP",
    payments.PostingTaken: "posted",
    payments.RequestClosed: "declined",
    payments.CommandUnneeded: "unchanged",
    payments.CommandRefused: "refused",
}
"""Facts that answer a command, and the word for it."""

HEARD: tuple[type[Message], ...] = (*OUTCOMES, orders.StandingNoted)

TWO_STEPS: Mapping[type[Message], str] = dict.fromkeys(
    (payments.UnallocateCash, payments.ReverseWriteOff, payments.UndoOffset, payments.TakePosting, payments.DeclinePosting),
    "payments",
)
"""Commands that their service decides in two steps, with that service: the answer is the fact of the second."""
_STEPPED: Mapping[str, str] = {type_name(command): service for command, service in TWO_STEPS.items()}
ENDS_SECOND_STEP = frozenset(
    {"unallocated", "reversed", "offset undone", "asked of the ERP", "posted", "declined", "unchanged", "refused"}
)

RECEIPT = "receipt"
"""The kind of item that cash from the bank is: the ledger's own, not a document that somebody sent."""

Heard = Envelope


async def project(connection: asyncpg.Connection, facts: Sequence[Heard]) -> None:
    """Bring the gateway's read tables up to these facts."""
    await _note_accounts(connection, facts)
    await _note_outcomes(connection, facts)
    await _free(connection, facts)
    await _note_held(connection, facts)


# --- accounts -------------------------------------------------------------------------------------------------------


async def _note_accounts(connection: asyncpg.Connection, facts: Iterable[Heard]) -> None:
    opened: dict[str, tuple[str, ...]] = {}
    at_desk: set[str] = set()
    portfolios: dict[str, str] = {}
    for fact in facts:
        match fact.data:
            case accounts.AccountOpened() as said:
                opened[said.account] = (said.account, said.home, said.currency, said.name, said.terms.portfolio)
            case accounts.TermsChanged() as said:
                portfolios[said.account] = said.terms.portfolio
            case orders.StandingNoted(opened=True) as said:
                at_desk.add(said.account)
    if opened:
        await _upsert_accounts(connection, list(opened.values()))
    if portfolios:
        await connection.execute(
            "update account set portfolio = changed.portfolio "
            "from unnest($1::text[], $2::text[]) as changed (account, portfolio) "
            "where account.account = changed.account",
            list(portfolios),
            list(portfolios.values()),
        )
    if at_desk:
        await _note_at_desk(connection, sorted(at_desk))


async def _upsert_accounts(connection: asyncpg.Connection, rows: list[tuple[str, ...]]) -> None:
    await connection.execute(
        """
        insert into account (account, home, currency, name, portfolio)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        on conflict (account) do update set home = excluded.home, currency = excluded.currency, name = excluded.name,
            portfolio = excluded.portfolio
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def _note_at_desk(connection: asyncpg.Connection, names: list[str]) -> None:
    """The desk's note may come before the fact it notes: then a row is made that AccountOpened completes."""
    await connection.execute(
        """
        insert into account (account, home, currency, name, portfolio, at_desk)
        select name, name, '', '', '', true from unnest($1::text[]) as named (name)
        on conflict (account) do update set at_desk = true
        """,
        names,
    )


# --- how commands ended ---------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """`is_counted`: it may be what a file sent; else the file is only where it began (a held order that its credit freed)."""

    command: str
    flow: str
    outcome: str
    body: bytes
    is_counted: bool = True


def answers(facts: Iterable[Heard]) -> list[Answer]:
    """The first fact of each command: later ones of the same cause are its consequences."""
    return [
        Answer(fact.causationid, fact.correlationid, outcome, _told(fact), not _is_decided_again(fact))
        for fact in facts
        if (outcome := OUTCOMES.get(type(fact.data))) is not None and _is_first(fact)
    ]


def _is_decided_again(fact: Heard) -> bool:
    match fact.data:
        case orders.OrderReleased() | orders.OrderHeld() | orders.OrderReferred() | orders.OrderRejected():
            return fact.data.placed is None
        case _:
            return False


def _is_first(fact: Heard) -> bool:
    match fact.data:
        case payments.ItemPosted():
            # How a bill does not fit its account is said before it is entered all the same (P2); a receipt answers nobody.
            # What a document of the ERP opened is told by that document.
            return fact.data.kind != RECEIPT and fact.data.posting is None
        case payments.RequestClosed():
            return fact.data.outcome == "declined" and _numbered_first(fact)
        case payments.BillingErrorFound() if fact.data.posted:
            return False
        case orders.OrderReleased() | orders.OrderHeld() | orders.OrderReferred() | orders.OrderRejected():
            # The first decision carries the order; a person's decision has no order with it and answers their command.
            return fact.data.placed is not None or _numbered_first(fact)
        case _:
            return _numbered_first(fact)


def _numbered_first(fact: Heard) -> bool:
    service = fact.source.split("/")[1]
    return fact.id == derived_id(service, fact.causationid, "0")


def _told(fact: Heard) -> bytes:
    return encode_value({"type": type_name(type(fact.data)), "id": fact.id, "time": fact.time, "data": fact.data})


async def _note_outcomes(connection: asyncpg.Connection, facts: Iterable[Heard]) -> None:
    found = await _of_first_steps(connection, answers(facts))
    if not found:
        return
    flows = await connection.fetch(
        """
        update wish set outcome = given.outcome, answer = given.body, answered_at = now()
        from unnest($1::text[], $2::text[], $3::bytea[]) as given (id, outcome, body)
        where wish.id = given.id and wish.outcome is null returning wish.flow
        """,
        [answer.command for answer in found],
        [answer.outcome for answer in found],
        [answer.body for answer in found],
    )
    for flow in {row["flow"] for row in flows}:
        await connection.execute("select pg_notify($1, $2)", CHANNEL, flow)
    await _tally(connection, Counter((answer.flow, answer.outcome) for answer in found if answer.is_counted))


async def _of_first_steps(connection: asyncpg.Connection, found: list[Answer]) -> list[Answer]:
    """Answers to a second step, as answers to the command that it is a step of. Index: wish_of_flow."""
    flows = {answer.flow for answer in found if answer.outcome in ENDS_SECOND_STEP}
    if not flows:
        return found
    waiting = await connection.fetch(
        "select id, type from wish where flow = any($1::text[]) and outcome is null and type = any($2::text[])",
        list(flows),
        list(_STEPPED),
    )
    first = {derived_id(_STEPPED[row["type"]], row["id"], "0"): row["id"] for row in waiting}
    return [answer._replace(command=first.get(answer.command, answer.command)) for answer in found]


async def _free(connection: asyncpg.Connection, facts: Iterable[Heard]) -> None:
    """What the ledger kept out has not used its identity up: mended, it may come again under its own number (P2)."""
    if items := kept_out(facts):
        await admission.release(connection, admission.keys_of_items(items))


def kept_out(facts: Iterable[Heard]) -> list[str]:
    """Items and advices that were refused. A number that is booked with other content is guarded by the ledger itself."""
    items: dict[str, None] = {}
    for fact in facts:
        match fact.data:
            case payments.BillingErrorFound(posted=False) as said:
                items[said.item] = None
            case payments.CommandRefused(item=str() as item):
                items[item] = None
    return list(items)


async def _tally(connection: asyncpg.Connection, counted: Mapping[tuple[str, str], int]) -> None:
    await connection.execute(
        """
        insert into tally (flow, outcome, count)
        select counted.flow, counted.outcome, counted.count
        from unnest($1::text[], $2::text[], $3::bigint[]) as counted (flow, outcome, count)
        join flow on flow.id = counted.flow and flow.is_file order by 1, 2
        on conflict (flow, outcome) do update set count = tally.count + excluded.count
        """,
        [flow for flow, _ in counted],
        [outcome for _, outcome in counted],
        list(counted.values()),
    )


# --- orders that wait for a person ----------------------------------------------------------------------------------


class HeldRow(NamedTuple):
    order: str
    account: str
    home: str
    since: Any
    level: str | None
    placed: bytes | None
    decision: bytes | None


def held_changes(facts: Iterable[Heard]) -> dict[str, HeldRow | None]:
    """Order → its row, or None when it waits no more; the last fact of a batch counts."""
    changes: dict[str, HeldRow | None] = {}
    for fact in facts:
        match fact.data:
            case orders.OrderHeld() | orders.OrderReferred() as said:
                changes[said.order] = _held_row(fact, changes.get(said.order))
            case orders.OrderReleased() | orders.OrderRejected() as said if said.placed is None or said.order in changes:
                changes[said.order] = None
            case orders.OrderCancelled() as said:
                changes[said.order] = None
    return changes


def _held_row(fact: Heard, before: HeldRow | None) -> HeldRow:
    said = fact.data
    placed = encode_value(said.placed) if said.placed else before and before.placed
    decision = encode_value(said.decision) if said.decision else before and before.decision
    return HeldRow(said.order, said.account, fact.partitionkey, fact.time, getattr(said, "level", None), placed, decision)


async def _note_held(connection: asyncpg.Connection, facts: Iterable[Heard]) -> None:
    changes = held_changes(facts)
    if gone := [order for order, row in changes.items() if row is None]:
        await connection.execute('delete from held where "order" = any($1::text[])', gone)
    if rows := [row for row in changes.values() if row is not None]:
        await connection.execute(
            """
            insert into held ("order", account, home, since, level, placed, decision)
            select * from unnest
                ($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[], $7::bytea[])
            on conflict ("order") do update set level = excluded.level,
                placed = coalesce(excluded.placed, held.placed), decision = coalesce(excluded.decision, held.decision)
            """,
            *map(list, zip(*rows, strict=True)),
        )
