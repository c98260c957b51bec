"""What the bank says: statements taken once, their entries in suspense until they have an account (P3, P5). Pure.

An intraday report is provisional: its entries count at once, and the statement of their day confirms or drops them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from contracts.message import Fact, Message
from contracts.payments import (
    BankEntry,
    CashRecognised,
    CashTakenBack,
    CashUnrecognised,
    ConfirmCash,
    ConfirmEntries,
    DropEntry,
    EntriesConfirmed,
    EntryDropped,
    EntrySetAside,
    EntryTaken,
    Posting,
    ReceiveCash,
    RecogniseCash,
    ReopenPaidOut,
    SetAsideEntry,
    StatementRefused,
    StatementRepeated,
    StatementTaken,
    TakeBackCash,
    TakeEntry,
    TakeStatement,
    WithdrawCash,
)
from services.payments import ledger, twins
from services.payments.items import open_day
from services.payments.policies import in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import (
    NEW,
    PAID,
    RECOGNISED,
    SET_ASIDE,
    UNRECOGNISED,
    Known,
    Landed,
    State,
    alike_of,
    content_of,
    named,
    place,
    receipt_of,
    short,
)
from shared.service import Moment, To

PERSON = "person"


# --- statements -----------------------------------------------------------------------------------------------------


def take_statement(state: State, wish: TakeStatement, moment: Moment) -> Iterable[Message]:
    """A part of a statement counts once; one of the same name with other content is refused."""
    known = state.statement
    where = {"bank_account": wish.bank_account, "statement": wish.statement, "part": wish.part}
    if known is not None and known.digest != wish.digest:
        detail = f"{wish.statement} of {wish.bank_account} was booked with other content; ask the bank which one is right"
        return [StatementRefused(**where, reason="other_content", detail=detail)]  # type: ignore[arg-type]
    if not in_force(moment.at.date()).has_rate(wish.currency):
        detail = f"there is no rate for {wish.currency} in the ledger's policy; add one, then send the statement again"
        return [StatementRefused(**where, reason="no_rate", detail=detail)]  # type: ignore[arg-type]
    if known is not None and wish.part in known.parts:
        return [StatementRepeated(**where)]  # type: ignore[arg-type]
    if refusal := _unfit(wish):
        return [StatementRefused(**where, reason=refusal.reason, detail=refusal.detail)]  # type: ignore[arg-type]
    return list(_taken(state, wish, moment))


def _unfit(wish: TakeStatement) -> Refusal | None:
    """Two entries of one name would be one afterwards, and their money once in suspense too much."""
    if len({entry.entry for entry in wish.entries}) < len(wish.entries):
        return Refusal("entry_twice", f"two entries of {wish.statement} bear one name; number them as they stand, from 1")
    if others := {entry.currency for entry in wish.entries} - {wish.currency}:
        return Refusal("other_currency", f"{wish.statement} is in {wish.currency}, entries of it in {', '.join(sorted(others))}")
    return None


class _Sorted(NamedTuple):
    """Of one part: what is new, and which entries of reports it has; `confirms` names those by their place among others alike."""

    landed: tuple[BankEntry, ...]
    confirmed: tuple[str, ...]
    confirms: tuple[str, ...]


def _sorted(state: State, wish: TakeStatement) -> _Sorted:
    """Each entry once: final ones are paired one to one with reported ones; a report brings what is more than was told before."""
    known, listed = dict(state.known), Counter[str]()
    landed, confirmed, confirms = list[BankEntry](), list[str](), list[str]()
    for entry in wish.entries:
        name, key = named(wish.statement, entry), content_of(wish.bank_account, entry)
        row = known.get(key) or Known(key=key, bank_account=wish.bank_account)
        listed[key] += 1
        if not wish.is_provisional and (at := twins.waiting(row)):
            confirmed.append(row.reported[at - 1].entry)
            confirms.append(f"{key}/{at}")
            known[key] = twins.confirmed(row, at)
        elif _is_new(row, listed[key], wish.is_provisional) and state.landed.get(place(wish.bank_account, name)) is None:
            landed.append(replace(entry, entry=name))
            known[key] = twins.brought(row, landed[-1], wish.is_provisional)
    return _Sorted(tuple(landed), tuple(confirmed), tuple(confirms))


def _is_new(known: Known, listed: int, is_provisional: bool) -> bool:
    """A report repeats what was told of its day, by an earlier one or by its statement; a statement says each entry once."""
    return not is_provisional or listed > twins.told(known)


def _taken(state: State, wish: TakeStatement, moment: Moment) -> Iterator[Message]:
    found = _sorted(state, wish)
    yield StatementTaken(
        bank_account=wish.bank_account,
        statement=wish.statement,
        part=wish.part,
        parts=wish.parts,
        currency=wish.currency,
        digest=wish.digest,
        landed=found.landed,
        confirmed=found.confirmed,
        confirms=found.confirms,
        opening_minor=wish.opening_minor,
        closing_minor=wish.closing_minor,
        closed_on=wish.closed_on,
        is_provisional=wish.is_provisional,
        format=wish.format,
    )
    if found.landed:
        yield _into_suspense(state, wish, found.landed, moment)
    if found.confirmed:
        yield ConfirmEntries(bank_account=wish.bank_account, entries=found.confirmed)


def _into_suspense(state: State, wish: TakeStatement, landed: Sequence[BankEntry], moment: Moment) -> Fact:
    """One entry a part: the bank account against suspense, in and out apart."""
    policy = in_force(moment.at.date())
    lines: list[Posting] = []
    for sign in (1, -1):
        amounts = [entry.amount_minor for entry in landed if entry.amount_minor * sign > 0]
        if total := sum(amounts):
            base = sum(policy.base_of(amount, wish.currency) for amount in amounts)  # as they leave, each rounded by itself
            lines += ledger.pair(ledger.BANK, ledger.SUSPENSE, total, wish.currency, base)
    name = short("S", wish.bank_account, wish.statement, str(wish.part))
    on = open_day(state, max(entry.booked_on for entry in landed))
    return ledger.entry(wish.bank_account, name, "statement", on, lines)


def confirm(state: State, wish: ConfirmEntries, moment: Moment) -> Iterable[Message | To]:
    """What a statement has is final: in suspense, and on the account that it is carried to."""
    rows = [state.landed.get(place(wish.bank_account, name)) for name in wish.entries]
    found = [row for row in rows if row is not None and row.is_provisional]
    if not found:
        return unneeded(wish.bank_account)
    said = EntriesConfirmed(bank_account=wish.bank_account, entries=tuple(row.entry.entry for row in found))
    there = [row for row in found if row.state == RECOGNISED]
    return [said, *(To(row.account_home, ConfirmCash(account=row.account, receipt=row.receipt)) for row in there)]


# --- whose it is ----------------------------------------------------------------------------------------------------


def recognise(state: State, wish: RecogniseCash, moment: Moment) -> Iterable[Message | To]:
    """Its account is found, by proof or by a person; or nobody is, and a person must look."""
    landed = state.landed.get(place(wish.bank_account, wish.entry))
    if landed is None:
        return _unknown(wish.bank_account, wish.entry)
    if landed.state not in (NEW, UNRECOGNISED):
        detail = f"it is {landed.state.replace('_', ' ')} already{f', of {landed.account}' if landed.account else ''}"
        return Refusal("not_waiting", f"{detail}; give it back from there first").of(wish.bank_account, wish.entry)
    if wish.version is not None and wish.version != landed.rounds:
        detail = "it was on an account and came back to suspense since you looked at it; look again, and decide on what is so now"
        return Refusal("changed_meanwhile", detail).of(wish.bank_account, wish.entry)
    if wish.account is None or wish.account_home is None:
        return [_unrecognised(landed, wish)]
    if landed.entry.amount_minor <= 0:
        detail = "money that went out is no payment of a customer; set it aside, or take the receipt it returns back"
        return Refusal("money_out", detail).of(wish.bank_account, wish.entry)
    return list(_recognised(state, landed, wish, moment))


def _unknown(bank_account: str, entry: str) -> list[Fact]:
    return Refusal("unknown_entry", f"no entry {entry!r} of {bank_account} is known").of(bank_account, entry)


def _unrecognised(landed: Landed, wish: RecogniseCash) -> Fact:
    entry = landed.entry
    return CashUnrecognised(
        bank_account=landed.bank_account,
        entry=entry.entry,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        booked_on=entry.booked_on,
        why=wish.reason or "nothing in it names one account",
        payer=entry.payer,
        text=entry.text,
        candidates=wish.candidates,
    )


def _recognised(state: State, landed: Landed, wish: RecogniseCash, moment: Moment) -> Iterator[Message | To]:
    entry = landed.entry
    assert wish.account is not None and wish.account_home is not None, "only what has an account is recognised"
    receipt = receipt_of(landed.bank_account, entry.entry, landed.rounds)
    yield CashRecognised(
        bank_account=landed.bank_account,
        entry=entry.entry,
        receipt=receipt,
        payer_of=wish.account,
        payer_home=wish.account_home,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        by=wish.by,
        evidence=wish.evidence,
        who=moment.actor,
    )
    base = in_force(moment.at.date()).base_of(entry.amount_minor, entry.currency)
    lines = ledger.pair(ledger.SUSPENSE, ledger.TRANSIT, entry.amount_minor, entry.currency, base)
    on = open_day(state, entry.booked_on)
    yield ledger.entry(landed.bank_account, short("T", receipt), "recognised", on, lines)
    yield To(wish.account_home, _carried(landed, wish, receipt))


def _carried(landed: Landed, wish: RecogniseCash, receipt: str) -> ReceiveCash:
    entry = landed.entry
    assert wish.account is not None
    return ReceiveCash(
        account=wish.account,
        receipt=receipt,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        received_on=entry.value_on,
        bank_account=landed.bank_account,
        bank_entry=entry.entry,
        payer=entry.payer,
        payer_account=entry.payer_account,
        reference=entry.reference,
        end_to_end=entry.end_to_end,
        text=entry.text,
        lines=entry.lines,
        charges_minor=entry.charges_minor,
        is_provisional=landed.is_provisional,
        learned=wish.learn and wish.by == PERSON,
        by=wish.by,
    )


def set_aside(state: State, wish: SetAsideEntry, moment: Moment) -> Iterable[Fact]:
    """Bank charges, interest, our own transfers: out of suspense without an account."""
    landed = state.landed.get(place(wish.bank_account, wish.entry))
    if landed is None:
        return _unknown(wish.bank_account, wish.entry)
    if landed.state == SET_ASIDE:
        return unneeded(wish.bank_account, wish.entry)
    if refusal := not_reasoned(wish.reason) or _not_to_set_aside(landed, wish):
        return refusal.of(wish.bank_account, wish.entry)
    entry = landed.entry
    base = in_force(moment.at.date()).base_of(entry.amount_minor, entry.currency)
    lines = ledger.pair(ledger.SUSPENSE, wish.ledger, entry.amount_minor, entry.currency, base)
    return [
        EntrySetAside(
            bank_account=wish.bank_account,
            entry=wish.entry,
            ledger=wish.ledger,
            amount_minor=entry.amount_minor,
            currency=entry.currency,
            reason=wish.reason,
            by=moment.actor,
        ),
        ledger.entry(
            wish.bank_account, short("A", wish.bank_account, wish.entry), "set_aside", open_day(state, entry.booked_on), lines
        ),
    ]


def _not_to_set_aside(landed: Landed, wish: SetAsideEntry) -> Refusal | None:
    allowed = (ledger.CHARGES, ledger.BANK, ledger.REFUNDS, ledger.EXCHANGE)
    if wish.ledger not in allowed:
        return Refusal("wrong_ledger", f"{wish.ledger!r}: what is nobody's payment goes to one of {', '.join(allowed)}")
    return _not_waiting(landed)


def _not_waiting(landed: Landed) -> Refusal | None:
    if landed.state not in (NEW, UNRECOGNISED):
        return Refusal("not_waiting", f"it is {landed.state.replace('_', ' ')} already")
    return None


def take(state: State, wish: TakeEntry, moment: Moment) -> Iterable[Fact]:
    """Only what waits has an owner to find out whose it is."""
    landed = state.landed.get(place(wish.bank_account, wish.entry))
    if landed is None:
        return _unknown(wish.bank_account, wish.entry)
    if refusal := _not_waiting(landed):
        return refusal.of(wish.bank_account, wish.entry)
    if landed.owner == wish.owner and not wish.note:
        return unneeded(wish.bank_account, wish.entry)
    return [EntryTaken(bank_account=wish.bank_account, entry=wish.entry, owner=wish.owner, note=wish.note, by=moment.actor)]


# --- back again -----------------------------------------------------------------------------------------------------


def take_back(state: State, wish: TakeBackCash, moment: Moment) -> Iterable[Fact]:
    """A receipt that was not that account's is in suspense again, for a person."""
    landed = state.landed.get(place(wish.bank_account, wish.entry))
    if landed is None or landed.state != RECOGNISED or landed.receipt != wish.receipt:
        return unneeded(wish.bank_account, wish.entry)
    entry = landed.entry
    base = in_force(moment.at.date()).base_of(entry.amount_minor, entry.currency)
    lines = ledger.pair(ledger.TRANSIT, ledger.SUSPENSE, entry.amount_minor, entry.currency, base)
    return [
        CashTakenBack(
            bank_account=wish.bank_account,
            entry=wish.entry,
            receipt=wish.receipt,
            from_account=wish.from_account,
            amount_minor=entry.amount_minor,
            currency=entry.currency,
            reason=wish.reason,
        ),
        ledger.entry(wish.bank_account, short("B", wish.receipt), "taken_back", moment.at.date(), lines),
    ]


def drop(state: State, wish: DropEntry, moment: Moment) -> Iterable[Message | To]:
    """An intraday entry that its day's statement does not have never was: its receipt goes, with all that it settled."""
    landed = state.landed.get(place(wish.bank_account, wish.entry))
    known = state.known.get(alike_of(wish.content))
    if landed is None or known is None or known.bank_account != wish.bank_account or not twins.waits(known, wish.entry):
        return unneeded(wish.bank_account, wish.entry)
    return list(_dropped(landed, wish, moment))


def _dropped(landed: Landed, wish: DropEntry, moment: Moment) -> Iterator[Message | To]:
    entry = landed.entry
    yield EntryDropped(
        bank_account=wish.bank_account,
        entry=wish.entry,
        content=wish.content,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        reason=wish.reason,
    )
    at = {RECOGNISED: ledger.TRANSIT, PAID: ledger.REFUNDS, SET_ASIDE: landed.aside}.get(landed.state, ledger.SUSPENSE)
    base = in_force(moment.at.date()).base_of(entry.amount_minor, entry.currency)
    lines = ledger.pair(at, ledger.BANK, entry.amount_minor, entry.currency, base)
    yield ledger.entry(wish.bank_account, short("D", wish.bank_account, wish.entry), "dropped", moment.at.date(), lines)
    if landed.state == PAID:
        yield ReopenPaidOut(bank_account=landed.bank_account, entry=entry.entry, request=entry.end_to_end)
    if landed.state == RECOGNISED:
        yield To(landed.account_home, WithdrawCash(account=landed.account, receipt=landed.receipt, reason=wish.reason))
