"""Billing, the bank and the cash desk: what a deed of theirs says to the ledger.

A person looks at what is committed and wishes something of it; by the time it is decided it may be another. Nothing here is sure
of an answer.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec

from contracts import payments
from contracts.envelope import derived_id
from contracts.message import Message
from services.payments.state import Item, Landed, Match, Receipt, home_of_bank
from tests.faults.simulation.clockwork import EPOCH
from tests.faults.simulation.history import BANKS, Cash, Deed
from tests.faults.simulation.house import Poison

CURRENCY = "GBP"
TODAY = EPOCH.date()
LAST_MONTH = TODAY.replace(day=1) - dt.timedelta(days=1)
NAMES = {"a": "Alder Telecom", "b": "Birch Handsets", "c": "Cedar Electronics", "d": "Dogwood Parts"}
MEMBERS = ("", " North", " Overseas")
OLD_SHARE = 7
"""Every so many invoices are of last month, which may be closed by then."""


class Wish(NamedTuple):
    home: str
    message: Message


def name_of(account: str) -> str:
    return f"{NAMES[account[0]]}{MEMBERS[int(account[1:])]}"


def home_of(account: str) -> str:
    return f"{account[0]}0"


async def wish_of(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
    """What is sent; None where there is nothing to be done."""
    return await DEEDS[deed.what](deed, connection)


# --- billing ----------------------------------------------------------------------------------------------------------


def number_of(order: str) -> str:
    return f"{zlib.crc32(order.encode()) % 10**8:08d}"


async def _billed(deed: Deed, _: asyncpg.Connection) -> Wish:
    number = number_of(deed.order)
    on = LAST_MONTH if int(number) % OLD_SHARE == 0 else TODAY
    covers = (payments.Covers(order=deed.order, amount_minor=deed.minor),)
    return _item(deed, f"INV-{number}", "invoice", document_on=on, covers=covers)


async def _credited(deed: Deed, _: asyncpg.Connection) -> Wish:
    return _item(deed, f"CN-{number_of(deed.key)}", "credit_note", document_on=TODAY)


async def _badly_billed(deed: Deed, _: asyncpg.Connection) -> Wish:
    return _item(deed, f"INV-{number_of(deed.key)}", "invoice", document_on=TODAY, text=Poison.TEXT)


def _item(deed: Deed, item: str, kind: str, **more: Any) -> Wish:
    message = payments.PostItem(account=deed.account, item=item, kind=kind, amount_minor=deed.minor, currency=CURRENCY, **more)
    return Wish(home_of(deed.account), message)


async def _closed(deed: Deed, _: asyncpg.Connection) -> Wish:
    return Wish(home_of(deed.account), payments.ClosePeriod(account=deed.account, month=LAST_MONTH))


# --- the bank ---------------------------------------------------------------------------------------------------------


async def _stated(deed: Deed, _: asyncpg.Connection) -> Wish:
    entries = tuple(_entry(str(n), cash) for n, cash in enumerate(deed.cash, start=1))
    statement = payments.TakeStatement(
        bank_account=deed.account,
        statement=deed.order,
        part=1,
        parts=1,
        currency=CURRENCY,
        digest=derived_id(deed.order, str(deed.minor)),
        entries=entries,
        closed_on=TODAY if deed.what == "statement" else None,
        is_provisional=deed.what == "intraday",
    )
    return Wish(home_of_bank(deed.account), statement)


def _entry(name: str, cash: Cash) -> payments.BankEntry:
    number = number_of(cash.order) if cash.order else ""
    told: Mapping[str, Mapping[str, Any]] = {
        "number": {"text": f"Invoice {number}", "payer": "somebody"},
        "damaged": {"text": f"invoice {number[:-1]}{9 - int(number[-1] or 0)}" if number else "", "payer": name_of(cash.account)},
        "name": {"payer": name_of(cash.account).upper()},
        "bank account": {"payer_account": f"IBAN-{cash.account}"},
        "nobody": {"payer": "Unheard of Trading"},
        "charge": {"is_charge": True},
        "out": {"is_reversal": True, "text": number},
    }
    sign = -1 if cash.how in ("charge", "out") else 1
    return payments.BankEntry(
        entry=name,
        amount_minor=sign * cash.minor,
        currency=CURRENCY,
        booked_on=TODAY,
        value_on=TODAY,
        servicer_reference=cash.reference,
        **told[cash.how],
    )


# --- the cash desk ----------------------------------------------------------------------------------------------------

UNRECOGNISED = "select body from landed where new_at is null order by key"
WAITING = "select body from receipt where account = $1 and waiting_home is not null order by key"
OPEN = "select body from item where open_home = $1 and kind <> 'receipt' order by key"
MATCHES = "select body from match order by key"

_landed = msgspec.json.Decoder(Landed).decode
_receipt = msgspec.json.Decoder(Receipt).decode
_item_row = msgspec.json.Decoder(Item).decode
_match = msgspec.json.Decoder(Match).decode


async def _recognised(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
    landed = await _suspended(deed, connection)
    if landed is None:
        return None
    whose = {"account": deed.account, "account_home": home_of(deed.account), "learn": deed.minor % 2 == 0}
    if deed.minor % 11 == 0:
        whose["account_home"] = deed.account  # taken for a root
    message = payments.RecogniseCash(bank_account=landed.bank_account, entry=landed.entry.entry, **whose)  # type: ignore[arg-type]
    return Wish(home_of_bank(landed.bank_account), message)


async def _set_aside(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
    landed = await _suspended(deed, connection)
    if landed is None:
        return None
    message = payments.SetAsideEntry(
        bank_account=landed.bank_account, entry=landed.entry.entry, ledger="bank_charges", reason="our own transfer"
    )
    return Wish(home_of_bank(landed.bank_account), message)


async def _badly_set_aside(deed: Deed, _: asyncpg.Connection) -> Wish:
    bank = BANKS[deed.minor % len(BANKS)]
    message = payments.SetAsideEntry(bank_account=bank, entry="none", ledger="bank_charges", reason=Poison.TEXT)
    return Wish(home_of_bank(bank), message)


async def _suspended(deed: Deed, connection: asyncpg.Connection) -> Landed | None:
    found: list[Landed] = [_landed(row["body"]) for row in await connection.fetch(UNRECOGNISED)]
    return _chosen(deed, [landed for landed in found if landed.state == "unrecognised"])


async def _waiting(deed: Deed, connection: asyncpg.Connection) -> Receipt | None:
    return _chosen(deed, [_receipt(row["body"]) for row in await connection.fetch(WAITING, deed.account)])


def _chosen(deed: Deed, found: Sequence[Any]) -> Any:
    return found[deed.minor % len(found)] if found else None


async def _allocated(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
    """As much of the first items as the money lasts for, or now and then all of one item, whatever there is."""
    receipt = await _waiting(deed, connection)
    items: list[Item] = [_item_row(row["body"]) for row in await connection.fetch(OPEN, home_of(deed.account))]
    if receipt is None or not items:
        return None
    lines, left = [], receipt.unallocated_minor
    for item in items[: 1 + deed.minor % 3]:
        part = item.open_minor if deed.minor % 10 == 0 else min(item.open_minor, left)
        left -= part
        if part:
            account = item.account if item.account != receipt.account else None
            lines.append(payments.Settle(item=item.item, settled_minor=part, paid_minor=part, account=account))
    message = payments.AllocateCash(
        account=receipt.account,
        receipt=receipt.receipt,
        lines=tuple(lines),
        version=receipt.version if deed.minor % 2 else None,
        reason="as I see it",
    )
    return Wish(receipt.home, message)


async def _unallocated(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
    match = _chosen(deed, [_match(row["body"]) for row in await connection.fetch(MATCHES)])
    if match is None:
        return None
    return Wish(home_of(match.account), payments.UnallocateCash(account=match.account, match=match.match, reason="wrong"))


def _of_receipt(message: Callable[[Receipt], Message]) -> Do:
    async def wished(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
        receipt = await _waiting(deed, connection)
        return None if receipt is None else Wish(receipt.home, message(receipt))

    return wished


async def _taken(deed: Deed, connection: asyncpg.Connection) -> Wish | None:
    """What waits on the account, else an entry in suspense."""
    if receipt := await _waiting(deed, connection):
        return Wish(receipt.home, payments.TakeCash(account=receipt.account, receipt=receipt.receipt, owner="carl"))
    if landed := await _suspended(deed, connection):
        taken = payments.TakeEntry(bank_account=landed.bank_account, entry=landed.entry.entry, owner="carl")
        return Wish(home_of_bank(landed.bank_account), taken)
    return None


Do = Callable[[Deed, asyncpg.Connection], Awaitable[Wish | None]]
DEEDS: Mapping[str, Do] = {
    "invoice": _billed,
    "credit": _credited,
    "bad bill": _badly_billed,
    "close month": _closed,
    "statement": _stated,
    "intraday": _stated,
    "bad entry": _badly_set_aside,
    "recognise": _recognised,
    "set aside": _set_aside,
    "allocate": _allocated,
    "unallocate": _unallocated,
    "give back": _of_receipt(lambda r: payments.GiveBackCash(account=r.account, receipt=r.receipt, reason="not theirs")),
    "keep": _of_receipt(
        lambda r: payments.KeepOnAccount(account=r.account, receipt=r.receipt, reason="agreed", version=r.version)
    ),
    "retry": _of_receipt(lambda r: payments.RetryCash(account=r.account, receipt=r.receipt)),
    "take": _taken,
}
"""Every deed that is mail for the ledger."""
