"""What the played trade says of items and money, as billing and the bank say it: bills, statements, intraday reports. Pure.

Some money is reported in the day before its statement, some of that never comes, some is nobody's; a bill bears a number by which
its payment is found.
"""

from __future__ import annotations

import datetime as dt
import random
import zlib
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from contracts.envelope import derived_id
from contracts.payments import BankEntry, ItemPosted, ItemSettled, PostItem, TakeStatement
from quittance.trade import Act

BANKS = ("CHAOS-BANK-1", "CHAOS-BANK-2", "CHAOS-BANK-3")
REPORTED_SHARE = 0.2
NEVER_SHARE = 0.2
"""Of what is reported in the day: not in the statement, which has other money of the same payer."""
NAMED_SHARE = 0.9
"""Payments that name what they are for; the others are recognised by nothing and wait in suspense."""
NUMBER_DIGITS = 12


def as_told(acts: Iterable[Act], on: dt.date) -> Iterator[Act]:
    for act in acts:
        match act.message:
            case ItemPosted() as posted:
                yield replace(act, message=billed(posted, on))
            case ItemSettled() as settled:
                yield from _paid(act, settled, on)
            case _:
                yield act


def number_of(item: str) -> str:
    """Of the bill that stands for this item: long enough that two never meet."""
    return f"INV-{int(derived_id(item)[:NUMBER_DIGITS], 16) % 10**NUMBER_DIGITS:0{NUMBER_DIGITS}d}"


def billed(posted: ItemPosted, on: dt.date) -> PostItem:
    return PostItem(
        account=posted.account,
        item=number_of(posted.item),
        kind=posted.kind,
        amount_minor=posted.amount_minor,
        currency=posted.currency,
        document_on=on,
        covers=posted.covers,
    )


def _paid(act: Act, settled: ItemSettled, on: dt.date) -> Iterator[Act]:
    """A statement of its own for each payment, now and then after a report of the day."""
    dice = random.Random(f"cash/{act.key}")
    entry = BankEntry(
        entry="1",
        amount_minor=settled.settled_minor,
        currency="GBP",
        booked_on=on,
        value_on=on,
        servicer_reference=derived_id("bank", act.key)[:16],
        text=f"invoice {number_of(settled.item)}" if dice.random() < NAMED_SHARE else "thank you",
    )
    bank = BANKS[zlib.crc32(act.key.encode()) % len(BANKS)]
    if dice.random() < REPORTED_SHARE:
        gone = dice.random() < NEVER_SHARE
        reported = replace(entry, servicer_reference=f"{entry.servicer_reference}X") if gone else entry
        yield _statement(act, "report", bank, reported, None)
    yield _statement(act, "statement", bank, entry, on)


def _statement(act: Act, what: str, bank: str, entry: BankEntry, closed_on: dt.date | None) -> Act:
    name = derived_id(what, act.key)
    statement = TakeStatement(
        bank_account=bank,
        statement=name,
        part=1,
        parts=1,
        currency=entry.currency,
        digest=derived_id(what, msgspec.json.encode(entry).decode()),
        entries=(entry,),
        closed_on=closed_on,
        is_provisional=closed_on is None,
    )
    return replace(act, key=f"{what}/{act.key}", message=statement)
