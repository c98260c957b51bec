"""What billing and the bank tell of the played trade: invoices with numbers, and statements as banks write them. Pure.

Most payers name the invoice, some in their own way, some nothing at all: what becomes of it is for the ledger to find out.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

from contracts.envelope import derived_id
from contracts.payments import BankEntry, TakeStatement

OUR_ACCOUNT = "GB82WEST12345698765432"
"""The distributor's own bank account; every IBAN registry shows it as an example, nobody has it."""
NUMBERS = 10**9
"""Invoice numbers of the played trade: so many that two of a run are never the same."""
Way = Callable[[str, str], str]
_WAYS: tuple[tuple[Way, int], ...] = (
    (lambda number, name: f"{name} {number}", 40),
    (lambda number, name: number.removeprefix("INV-"), 20),
    (lambda number, name: f"PAYMENT INVOICE {number.replace('-', ' ')} THANK YOU", 15),
    (lambda number, name: f"/ROC/{number}//URI/{name.upper()}", 10),
    (lambda number, name: f"your ref {number.lower()}", 9),
    (lambda number, name: "payment on account", 4),
    (lambda number, name: "", 2),
)
"""How payers write what they pay for, and how often each does."""


def number(prefix: str, name: str) -> str:
    """A document's number, the same for ever for the same thing."""
    return f"{prefix}{int(derived_id(name)[:15], 16) % NUMBERS:09d}"


def paid(account: str, name: str, item: str, amount_minor: int, currency: str, receipt: str, at: dt.datetime) -> TakeStatement:
    """The bank tells of one payment: a statement of one entry, as an hourly feed brings them."""
    dice = random.Random(f"bank/{receipt}")  # noqa: S311 - a game, not a secret
    way = dice.choices([way for way, _ in _WAYS], [weight for _, weight in _WAYS])[0]
    entry = BankEntry(
        entry="1",
        amount_minor=amount_minor,
        currency=currency,
        booked_on=at.date(),
        value_on=at.date(),
        payer=name.upper()[:35],
        payer_account=f"GB-{derived_id('payer', account)[:14].upper()}" if dice.random() < 0.9 else "",
        servicer_reference=receipt,
        text=way(item, name),
    )
    return TakeStatement(
        bank_account=OUR_ACCOUNT,
        statement=receipt,
        part=1,
        parts=1,
        currency=currency,
        digest=derived_id("statement", receipt, str(amount_minor)),
        entries=(entry,),
        closed_on=at.date(),
        format="feed",
    )
