"""Refunds at the bank account that pays them: gathered into files, confirmed by its statement, stopped (P10).

Each refund has one row in this stream, so it is in one file at most and paid once, whoever asks how often. Decisions are pure;
the two queries below only find what a command then names.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts.envelope import derived_id
from contracts.message import Fact, Message
from contracts.payments import (
    FILE_REFUNDS_MAX,
    ConfirmPaidOut,
    GatherRefunds,
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
from shared.receivables.payment_file import digest, name_of, payment_file
from shared.service import Moment, Step, Timer, To
from shared.working_time import holidays_of

KIND = "payment_file"
PAY_OUT = "pay_out"
"""Timer: one a bank account, at the cut-off at which what waits then goes into a file."""
Gathering = MakePaymentFile | GatherRefunds
DAYS_AHEAD_MAX = 30
"""How far a banking day is looked for: no region closes its banks that long."""


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
            file_at=file_at(wish.bank_account, moment.at),
        )
    ]


# --- the file -------------------------------------------------------------------------------------------------------


def make_file(state: State, wish: MakePaymentFile, moment: Moment) -> Iterable[Fact]:
    """All refunds named or none; the fact is the intent, and the bytes follow from it."""
    return _file(state, wish, moment, moment.actor, _beyond(moment))


def gather(state: State, wish: GatherRefunds, moment: Moment) -> Iterable[Fact]:
    """The policy's own file at the cut-off: each of its refunds was approved by somebody and needs nobody again. What was stopped
    or filed since it was gathered is left out, because it must not hold up the others."""
    policy = in_force(moment.at.date())
    waits = tuple(each for each in wish.refunds if _waits(state.outgoing.get(each), wish.bank_account))
    if state.payment_file is not None or not waits:
        return unneeded(wish.bank_account, wish.file)
    today = replace(wish, refunds=waits, on=_payable_on(wish, policy, moment.at.date()))
    return _file(state, today, moment, policy.version, None)


def _waits(row: Outgoing | None, bank_account: str) -> bool:
    return row is not None and row.bank_account == bank_account and row.state == QUEUED


def _payable_on(wish: GatherRefunds, policy: Policy, today: dt.date) -> dt.date:
    """The day of the cut-off; when that is over, the first on which banks pay."""
    ours = _ours(policy, wish.bank_account)
    days = (today + dt.timedelta(days=n) for n in range(DAYS_AHEAD_MAX))
    if wish.on >= today or ours is None:
        return wish.on
    return next((day for day in days if is_banking_day(day, ours.region)), today)


def _file(state: State, wish: Gathering, moment: Moment, by: str, refusal: Refusal | None) -> Iterable[Fact]:
    if state.payment_file is not None:
        return _file_again(state.payment_file, wish)
    ours = _ours(in_force(moment.at.date()), wish.bank_account)
    refusal = refusal or _not_to_pay(wish, moment) or _not_waiting(state.outgoing, wish)
    if refusal or ours is None:
        unknown = Refusal("unknown_account", f"{wish.bank_account} pays no refunds; name one of the policy (pays_from)")
        return (refusal or unknown).of(wish.bank_account, wish.file)
    return [_made(state, wish, ours, by)]


def _file_again(known: PaymentFile, wish: Gathering) -> list[Fact]:
    if known.refunds == wish.refunds:
        return unneeded(wish.bank_account, wish.file)
    detail = f"{wish.file!r} was made before with other payments; give this file a name of its own"
    return Refusal("other_content", detail).of(wish.bank_account, wish.file)


def _ours(policy: Policy, bank_account: str) -> OurAccount | None:
    return next((each for each in policy.pays_from.values() if each.bank_account == bank_account), None)


def _beyond(moment: Moment) -> Refusal | None:
    policy = in_force(moment.at.date())
    if policy.may(KIND, moment.role, 0):
        return None
    return Refusal("beyond_authority", f"a payment file takes a {' or '.join(policy.levels(KIND, 0))} ({policy.version})")


def _not_to_pay(wish: Gathering, moment: Moment) -> Refusal | None:
    if wish.on < moment.at.date():
        return Refusal("past_day", f"no bank pays on {wish.on}, which is over; name today or a later day")
    if not wish.refunds or len(set(wish.refunds)) < len(wish.refunds):
        return Refusal("no_refunds", "name at least one refund, and each once")
    return None


def _not_waiting(outgoing: Mapping[str, Outgoing | None], wish: Gathering) -> Refusal | None:
    currencies = set()
    for request in wish.refunds:
        row = outgoing.get(request)
        if row is None or row.bank_account != wish.bank_account:
            return Refusal("unknown_refund", f"{request} is no refund that {wish.bank_account} pays")
        if row.state != QUEUED:
            where = f", in {row.file}" if row.file else ""
            return Refusal("not_waiting", f"{request} is {row.state}{where} already; leave it out")
        currencies.add(row.transfer.currency)
    if len(currencies) > 1:
        return Refusal("other_currency", f"{' and '.join(sorted(currencies))} in one file; make one file for each currency")
    return None


def _made(state: State, wish: Gathering, ours: OurAccount, by: str) -> Fact:
    transfers = tuple(_row(state, request).transfer for request in wish.refunds)
    return PaymentFileMade(
        bank_account=wish.bank_account,
        file=wish.file,
        on=wish.on,
        digest=digest(payment_file(transfers, ours.named, wish.on, name_of(wish.file))),
        refunds=transfers,
        total_minor=sum(each.amount_minor for each in transfers),
        currency=transfers[0].currency,
        by=by,
        our_iban=ours.iban,
        our_name=ours.name,
        our_bic=ours.bic,
    )


def _row(state: State, request: str) -> Outgoing:
    row = state.outgoing[request]
    assert row is not None, "a file names only refunds that wait"
    return row


# --- the clock of files -----------------------------------------------------------------------------------------------


def file_at(bank_account: str, now: dt.datetime) -> dt.datetime | None:
    """The next cut-off of this account behind `now`; None where the policy leaves files to people."""
    ours = _ours(in_force(now.date()), bank_account)
    return cut_off(ours, now) if ours is not None else None


def cut_off(ours: OurAccount, now: dt.datetime) -> dt.datetime | None:
    if ours.cut_off is None:
        return None
    for days in range(DAYS_AHEAD_MAX):
        on = now.date() + dt.timedelta(days=days)
        at = dt.datetime.combine(on, ours.cut_off, dt.UTC)
        if at > now and is_banking_day(on, ours.region):
            return at
    return None


def is_banking_day(on: dt.date, region: str) -> bool:
    return on.weekday() < 5 and on not in holidays_of(region, on.year)


def timers(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    """Set by each refund that comes; what was stopped or paid by then is not found when it fires."""
    if after.outgoing is before.outgoing:
        return
    for request, row in after.outgoing.items():
        if row is not None and row.state == QUEUED and row is not before.outgoing.get(request) and row.file_at is not None:
            yield Timer(PAY_OUT, row.bank_account, row.file_at, moment.home)


async def fire(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """All that waits at this bank account, a file for each currency, to be executed on the day of the cut-off."""
    rows = await waiting(connection, timer.key, timer.cursor)
    commands: list[tuple[str, Message]] = [(timer.home, each) for each in gathered(timer.key, rows, now.date())]
    return Step(commands, rows[-1].request if len(rows) == FILE_REFUNDS_MAX else None)


def gathered(bank_account: str, waiting: Sequence[Transfer], on: dt.date) -> Iterator[GatherRefunds]:
    """A file for each currency; its name follows from what is in it, so that the same refunds are never two files."""
    by_currency = defaultdict(list)
    for each in waiting:
        by_currency[each.currency].append(each.request)
    for currency, requests in sorted(by_currency.items()):
        name = f"PF-{on:%Y%m%d}-{currency}-{derived_id('file', bank_account, *requests)[:12].upper()}"
        yield GatherRefunds(bank_account=bank_account, file=name, on=on, refunds=tuple(requests))


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


async def waiting(connection: asyncpg.Connection, bank_account: str, after: str = "") -> tuple[Transfer, ...]:
    """Refunds that this account is to pay and no file has: at most one file's. Index: outgoing_queued."""
    rows = await connection.fetch(
        "select body from outgoing where queued_at = $1 and key > $2 order by key limit $3", bank_account, after, FILE_REFUNDS_MAX
    )
    return tuple(_outgoing(row["body"]).transfer for row in rows)
