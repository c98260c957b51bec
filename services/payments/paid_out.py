"""Refunds at the bank account that pays them: gathered into files, confirmed by its statement, stopped (P10).

Each refund has one row in this stream, so it is in one file at most and paid once, whoever asks how often. Decisions are pure;
the two queries below only find what a command then names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

import asyncpg
import msgspec

from contracts.message import Fact, Message
from contracts.payments import (
    FILE_REFUNDS_MAX,
    ConfirmPaidOut,
    MakePaymentFile,
    NoteRefundPaid,
    PaidOutConfirmed,
    PaidOutReopened,
    PaymentFileMade,
    QueueRefund,
    RefundQueued,
    RefundStopped,
    ReopenPaidOut,
    ReturnRefund,
    StopRefund,
    Transfer,
)
from services.payments import ledger
from services.payments.items import open_day
from services.payments.payment_file import digest, payment_file
from services.payments.policies import OurAccount, Policy, in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import (
    DROPPED,
    FILED,
    NEW,
    PAID,
    QUEUED,
    STOPPED,
    UNRECOGNISED,
    Landed,
    Outgoing,
    PaymentFile,
    State,
    place,
    short,
)
from shared.service import Moment, To

KIND = "payment_file"


def queue(state: State, wish: QueueRefund, moment: Moment) -> Iterable[Fact]:
    if state.outgoing.get(wish.transfer.request) is not None:
        return unneeded(wish.bank_account, wish.transfer.request)
    return [
        RefundQueued(
            bank_account=wish.bank_account,
            transfer=wish.transfer,
            of_account=wish.of_account,
            of_home=wish.of_home,
            of_item=wish.of_item,
        )
    ]


# --- the file -------------------------------------------------------------------------------------------------------


def make_file(state: State, wish: MakePaymentFile, moment: Moment) -> Iterable[Fact]:
    """All refunds named or none; the fact is the intent, and the bytes follow from it."""
    if state.payment_file is not None:
        return _file_again(state.payment_file, wish)
    ours = _ours(in_force(moment.at.date()), wish.bank_account)
    refusal = _not_to_pay(wish, moment) or _not_waiting(state.outgoing, wish)
    if refusal or ours is None:
        unknown = Refusal("unknown_account", f"{wish.bank_account} pays no refunds; name one of the policy (pays_from)")
        return (refusal or unknown).of(wish.bank_account, wish.file)
    return [_made(state, wish, ours, moment)]


def _file_again(known: PaymentFile, wish: MakePaymentFile) -> list[Fact]:
    if known.refunds == wish.refunds:
        return unneeded(wish.bank_account, wish.file)
    detail = f"{wish.file!r} was made before with other payments; give this file a name of its own"
    return Refusal("other_content", detail).of(wish.bank_account, wish.file)


def _ours(policy: Policy, bank_account: str) -> OurAccount | None:
    return next((each for each in policy.pays_from.values() if each.bank_account == bank_account), None)


def _not_to_pay(wish: MakePaymentFile, moment: Moment) -> Refusal | None:
    policy = in_force(moment.at.date())
    if not policy.may(KIND, moment.role, 0):
        return Refusal("beyond_authority", f"a payment file takes a {' or '.join(policy.levels(KIND, 0))} ({policy.version})")
    if wish.on < moment.at.date():
        return Refusal("past_day", f"no bank pays on {wish.on}, which is over; name today or a later day")
    if not wish.refunds or len(set(wish.refunds)) < len(wish.refunds):
        return Refusal("no_refunds", "name at least one refund, and each once")
    return None


def _not_waiting(outgoing: Mapping[str, Outgoing | None], wish: MakePaymentFile) -> Refusal | None:
    for request in wish.refunds:
        row = outgoing.get(request)
        if row is None or row.bank_account != wish.bank_account:
            return Refusal("unknown_refund", f"{request} is no refund that {wish.bank_account} pays")
        if row.state != QUEUED:
            where = f", in {row.file}" if row.file else ""
            return Refusal("not_waiting", f"{request} is {row.state}{where} already; leave it out")
    return None


def _made(state: State, wish: MakePaymentFile, ours: OurAccount, moment: Moment) -> Fact:
    transfers = tuple(_row(state, request).transfer for request in wish.refunds)
    return PaymentFileMade(
        bank_account=wish.bank_account,
        file=wish.file,
        on=wish.on,
        digest=digest(payment_file(transfers, ours, wish.on, name_of(wish.file))),
        refunds=transfers,
        total_minor=sum(each.amount_minor for each in transfers),
        currency=transfers[0].currency,
        by=moment.actor,
    )


def _row(state: State, request: str) -> Outgoing:
    row = state.outgoing[request]
    assert row is not None, "a file names only refunds that wait"
    return row


def name_of(file: str) -> str:
    """The message id: short enough for the bank, and the file's own for ever."""
    return file if len(file) <= 35 else f"PF-{digest(file.encode())[:24].upper()}"


def bytes_of(fact: PaymentFileMade, made_on: dt.date) -> bytes:
    """The file as it was made on that day. Raises when it is not what was journaled: then nothing is sent."""
    ours = _ours(in_force(made_on), fact.bank_account)
    assert ours is not None, "a file was made only from an account of the policy"
    content = payment_file(fact.refunds, ours, fact.on, name_of(fact.file))
    if digest(content) != fact.digest:
        raise ValueError(f"{fact.file} of {fact.bank_account} comes out as other bytes than were journaled; send nothing")
    return content


# --- what the bank says of it -----------------------------------------------------------------------------------------


def confirmation(landed: Landed, outgoing: Mapping[str, Outgoing | None]) -> ConfirmPaidOut | None:
    """The refund that this debit paid: its end-to-end id is a refund's own, and the amount is the same. Pure."""
    entry = landed.entry
    row = outgoing.get(entry.end_to_end)
    if row is None or landed.state not in (NEW, UNRECOGNISED) or row.bank_account != landed.bank_account:
        return None
    same = (-entry.amount_minor, entry.currency) == (row.transfer.amount_minor, row.transfer.currency)
    if not same or row.state != FILED:
        return None  # a person looks at what was paid without a file, twice, or as another amount
    return ConfirmPaidOut(bank_account=landed.bank_account, entry=entry.entry, request=entry.end_to_end)


def confirm(state: State, wish: ConfirmPaidOut, moment: Moment) -> Iterable[Message | To]:
    """The debit leaves suspense, and the account hears that its refund is paid."""
    landed = state.landed.get(place(wish.bank_account, wish.entry))
    row = state.outgoing.get(wish.request)
    if landed is None or row is None:
        unknown = "entry" if landed is None else "refund"
        detail = f"no such {unknown} of {wish.bank_account} is known"
        return Refusal(f"unknown_{unknown}", detail).of(wish.bank_account, wish.entry)
    if row.state == PAID:
        return unneeded(wish.bank_account, wish.entry)
    if confirmation(landed, state.outgoing) != wish:
        detail = f"{wish.entry} does not carry the id and amount of {wish.request}, or that is in no file; look at both"
        return Refusal("not_this_refund", detail).of(wish.bank_account, wish.entry)
    return list(_confirmed(state, landed, row, moment))


def _confirmed(state: State, landed: Landed, row: Outgoing, moment: Moment) -> Iterator[Message | To]:
    entry, amount = landed.entry, row.transfer.amount_minor
    yield PaidOutConfirmed(
        bank_account=landed.bank_account,
        entry=entry.entry,
        request=row.request,
        of_account=row.of_account,
        amount_minor=amount,
        currency=entry.currency,
        paid_on=entry.booked_on,
    )
    base = in_force(moment.at.date()).base_of(amount, entry.currency)
    lines = ledger.pair(ledger.REFUNDS, ledger.SUSPENSE, amount, entry.currency, base)
    name = short("O", row.request, entry.entry)  # its own for each debit: one that was dropped is followed by another
    yield ledger.entry(landed.bank_account, name, "paid_out", open_day(state, entry.booked_on), lines)
    yield To(row.of_home, NoteRefundPaid(account=row.of_account, request=row.request, paid_on=entry.booked_on))


def reopen(state: State, wish: ReopenPaidOut, moment: Moment) -> Iterable[Fact]:
    """Only for a debit that was dropped: the next one with this id confirms the refund; the account has heard of it already."""
    landed, row = state.landed.get(place(wish.bank_account, wish.entry)), state.outgoing.get(wish.request)
    dropped = landed is not None and landed.state == DROPPED and landed.entry.end_to_end == wish.request
    if not dropped or row is None or row.state != PAID:
        return unneeded(wish.bank_account, wish.entry)
    return [PaidOutReopened(bank_account=wish.bank_account, entry=wish.entry, request=wish.request)]


def stop(state: State, wish: StopRefund, moment: Moment) -> Iterable[Message | To]:
    """What waits is stopped by anybody who may pay; what the bank has, by the bank's own word only."""
    row = state.outgoing.get(wish.request)
    if row is None or row.bank_account != wish.bank_account:
        detail = f"{wish.bank_account} pays no refund {wish.request!r}"
        return Refusal("unknown_refund", detail).of(wish.bank_account, wish.request)
    if row.state == STOPPED:
        return unneeded(wish.bank_account, wish.request)
    if refusal := not_reasoned(wish.reason) or _not_to_stop(row, wish, moment):
        return refusal.of(wish.bank_account, wish.request)
    return [
        RefundStopped(
            bank_account=wish.bank_account,
            request=wish.request,
            of_account=row.of_account,
            reason=wish.reason,
            by_bank=wish.by_bank,
            by=moment.actor,
        ),
        To(row.of_home, ReturnRefund(account=row.of_account, request=row.request, item=row.of_item, reason=wish.reason)),
    ]


def _not_to_stop(row: Outgoing, wish: StopRefund, moment: Moment) -> Refusal | None:
    policy = in_force(moment.at.date())
    if not policy.may(KIND, moment.role, 0):
        return Refusal("beyond_authority", f"stopping a refund takes a {' or '.join(policy.levels(KIND, 0))} ({policy.version})")
    if row.state != QUEUED and not wish.by_bank:
        detail = f"it is in {row.file}; ask the bank, and say `by_bank` when it has rejected or returned it"
        return Refusal("with_the_bank", detail)
    return None


# --- found in sets ----------------------------------------------------------------------------------------------------

_outgoing = msgspec.json.Decoder(Outgoing).decode


async def paid_out(connection: asyncpg.Connection, landed: Sequence[Landed]) -> list[ConfirmPaidOut]:
    """Of these entries the debits that paid a refund, in one query. Index: primary key of outgoing."""
    debits = [each for each in landed if each.entry.amount_minor < 0 and each.entry.end_to_end]
    if not debits:
        return []
    names = list({each.entry.end_to_end for each in debits})
    rows = await connection.fetch("select key, body from outgoing where key = any($1::text[])", names)
    known = {row["key"]: _outgoing(row["body"]) for row in rows}
    return [found for each in debits if (found := confirmation(each, known)) is not None]


async def waiting(connection: asyncpg.Connection, bank_account: str) -> tuple[Transfer, ...]:
    """Refunds that this account is to pay and no file has: at most one file's. Index: outgoing_queued."""
    rows = await connection.fetch(
        "select body from outgoing where queued_at = $1 order by key limit $2", bank_account, FILE_REFUNDS_MAX
    )
    return tuple(_outgoing(row["body"]).transfer for row in rows)
