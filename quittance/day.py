"""A trading day of our own: accounts, orders, and what billing, bank and credit desk do meanwhile. Seeded, pure.

A distributor of phones with some three hundred trade accounts: orders come in two waves, some twice, some badly written;
old invoices are paid in the morning, limits are raised and stops lifted in the afternoon.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
from collections.abc import Iterable, Iterator

import msgspec

from contracts.accounts import ChangeLimit, PutOnStop, TakeOffStop
from contracts.orders import ApproveDeal, RegisterDeal
from contracts.payments import PostItem
from quittance import bank
from quittance.trade import Act, receipt

DATE = dt.date(2026, 3, 2)
"""A Monday in winter, so that the wall clock in London is UTC."""
OPENED_BEFORE = dt.timedelta(days=7)
"""The accounts are a week old, so that a limit may have expired since."""
POSTED_AT = dt.time(18, 30)
"""Invoices are posted in the evening of their day, so that a look at a past day finds what was owed then."""
OPENS, CLOSES, ENDS = dt.time(7), dt.time(18), dt.time(20)
ACCOUNTS, ORDERS = 300, 3_000
PEAKS = ((10.4, 1.3), (14.8, 1.6))
"""Hours around which orders come, and how widely."""
CURRENCY = "GBP"
DUE_IN = ((-40, -12, -4, 3, 9, 16, 22, 28), (1, 2, 5, 12, 12, 12, 12, 12))
"""Days until old invoices fall due, and how likely each is: most of the trade is in time."""
DEALS = 8
DIRECTOR = "fay.morgan"
"""Of the people at the desk (`clerks`)."""
EVIDENCE = (
    "The buyer's mail of Friday: 400 handsets for the spring launch.",
    "Signed quotation, valid to the end of the month.",
    "Contract with the council: first call-off expected this week.",
)
TOWNS = ("Leeds", "Bristol", "Derby", "Hull", "Exeter", "Luton", "Swansea", "Dundee", "Preston", "Reading", "Norwich", "Bath")
TRADES = ("Mobile", "Phones", "Telecom", "Wireless", "Connect", "Comms", "Cellular", "Airtime")
GOODS = (
    ("PH-A15-128", "Phone A15 128 GB", "129.90"),
    ("PH-S24-256", "Phone S24 256 GB", "612.00"),
    ("PH-IP15-128", "Phone 15 128 GB", "689.50"),
    ("PH-G85", "Phone G85", "198.40"),
    ("TB-T9", "Tablet T9", "164.00"),
    ("WT-W7", "Watch W7", "189.00"),
    ("SIM-PAYG", "SIM pay as you go", "0.45"),
    ("CASE-UNI", "Case, universal", "3.125"),
    ("CHG-30W", "Charger 30 W", "8.90"),
    ("CBL-USBC", "Cable USB-C 1 m", "1.95"),
    ("BUD-P2", "Earbuds P2", "41.60"),
    ("GLASS-67", "Screen glass 6.7 in", "1.20"),
)
ACCOUNT_COLUMNS = (
    "account", "name", "currency", "limit", "parent", "payment_days", "risk_class", "tier", "portfolio", "status",
    "limit_expires_on", "cash_on_delivery", "po_required", "standard_order", "legal_entity",
)  # fmt: skip
ORDER_COLUMNS = ("reference", "received_at", "account", "currency", "sku", "description", "quantity", "unit_price", "po_number")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """`limit` in whole pounds."""

    account: str
    name: str
    limit: int
    parent: str = ""
    payment_days: int = 30
    status: str = "open"
    risk_class: str = "standard"
    tier: str = "standard"
    portfolio: str = "main"
    limit_expires_on: str = ""
    cash_on_delivery: bool = False
    po_required: bool = False
    standard_order: int = 0
    legal_entity: str = ""


class Day(msgspec.Struct, frozen=True):
    """The two files as bytes, and what happens besides: acts with their times, until `ends`."""

    accounts: bytes
    orders: bytes
    acts: list[Act]
    opened_at: dt.datetime
    ends: dt.datetime


def day(seed: int, size: int = 1) -> Day:
    """The day of a house, or of one so many times as large."""
    dice = random.Random(f"day/{seed}")  # noqa: S311 - a game, not a secret
    accounts = list(_accounts(dice, ACCOUNTS * size))
    rows = _order_rows(accounts, ORDERS * size, dice)
    acts = [*_items(accounts, seed, dice), *_desk(accounts, dice), *_deals(accounts, random.Random(f"deals/{seed}"))]  # noqa: S311
    return Day(_accounts_csv(accounts), _csv(ORDER_COLUMNS, rows), acts, _at(dt.time(6)) - OPENED_BEFORE, _at(ENDS))


def _at(time: dt.time) -> dt.datetime:
    return dt.datetime.combine(DATE, time, tzinfo=dt.UTC)


def _csv(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


# --- accounts -------------------------------------------------------------------------------------------------------


def _accounts(dice: random.Random, count: int) -> Iterator[Account]:
    """The first of every ten leads a group of three; every kind of trouble occurs."""
    for n in range(count):
        lead = n - n % 10
        child = n % 10 in (1, 2) and lead % 30 == 0
        yield Account(
            account=f"T{1000 + n}",
            name=f"{dice.choice(TOWNS)} {dice.choice(TRADES)} Ltd",
            limit=_limit(n, dice),
            parent=f"T{1000 + lead}" if child else "",
            payment_days=dice.choice((14, 30, 30, 30, 60)),
            status="on_stop" if n % 43 == 7 else "open",
            risk_class="high" if n % 11 == 5 else "standard",
            tier=("standard", "standard", "key")[n % 3],
            portfolio=("north", "south", "key")[n % 3],
            limit_expires_on=(DATE - dt.timedelta(days=3)).isoformat() if n % 97 == 13 else "",
            cash_on_delivery=n % 37 == 9,
            po_required=n % 12 == 4,
            standard_order=6_000 if n % 17 == 8 else 0,
        )


def _limit(n: int, dice: random.Random) -> int:
    """A fifth trades close to its limit."""
    limit = dice.choice((8_000, 12_000, 20_000, 35_000, 60_000))
    return limit * 2 // 5 if n % 5 == 3 else limit * 2 if n % 30 == 0 else limit


def _accounts_csv(accounts: Iterable[Account]) -> bytes:
    return _csv(ACCOUNT_COLUMNS, ([_cell(getattr(one, name)) for name in ACCOUNT_COLUMNS] for one in _with_currency(accounts)))


def account_rows(accounts: Iterable[Account]) -> bytes:
    """Lines for the end of a day's accounts file."""
    return _accounts_csv(accounts).partition(b"\n")[2]


class _Priced(Account, frozen=True, kw_only=True):
    currency: str = CURRENCY


def _with_currency(accounts: Iterable[Account]) -> Iterator[_Priced]:
    return (_Priced(**msgspec.structs.asdict(account)) for account in accounts)


def _cell(value: str | int | bool) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case 0:
            return ""
        case _:
            return str(value)


# --- orders ---------------------------------------------------------------------------------------------------------

Row = tuple[str, ...]


def _order_rows(accounts: list[Account], count: int, dice: random.Random) -> list[Row]:
    """Every document's rows together, in order of time."""
    documents: list[tuple[dt.datetime, list[Row]]] = []
    for n, at in enumerate(sorted(_arrival(dice) for _ in range(count)), start=1):
        document = _order(f"SO{100_000 + n}", at, dice.choice(accounts), dice)
        documents.append((at, _spoilt(document, dice) if n % 71 == 0 else document))
        if n % 97 == 0:
            documents.append(_again(document, at, dice, changed=n % 485 == 0))
    documents.sort(key=lambda each: each[0])
    return [row for _, rows in documents for row in rows]


def _arrival(dice: random.Random) -> dt.datetime:
    """A moment of the working day, likelier around its two peaks."""
    while True:
        hour = dice.gauss(*dice.choice(PEAKS)) if dice.random() < 0.85 else dice.uniform(OPENS.hour, CLOSES.hour)
        if OPENS.hour <= hour < CLOSES.hour:
            return _at(dt.time(0)) + dt.timedelta(seconds=int(hour * 3600))


def _order(name: str, at: dt.datetime, account: Account, dice: random.Random) -> list[Row]:
    number = f"PO-{dice.randint(10_000, 99_999)}" if account.po_required and dice.random() > 0.2 else ""
    return [_line(name, at, account, number, dice) for _ in range(dice.choice((1, 1, 2, 2, 3, 5)))]


def _line(name: str, at: dt.datetime, account: Account, number: str, dice: random.Random) -> Row:
    sku, description, price = dice.choice(GOODS)
    quantity = dice.choice((1, 1, 2, 3, 5)) if len(price) > 5 else dice.choice((5, 10, 20, 50))
    return name, at.isoformat(), account.account, CURRENCY, sku, description, str(quantity), price, number


def _spoilt(rows: list[Row], dice: random.Random) -> list[Row]:
    """One cell of the first row as bad exports write it."""
    column, text = dice.choice(((6, "12x"), (2, ""), (2, "T9999"), (1, "02.03.26 9 Uhr"), (7, "1.299,00"), (3, "EUR")))
    first = rows[0]
    return [(*first[:column], text, *first[column + 1 :]), *rows[1:]]


def _again(rows: list[Row], at: dt.datetime, dice: random.Random, changed: bool) -> tuple[dt.datetime, list[Row]]:
    """The same order once more a while later, as a nervous sender's system does; now and then with another quantity."""
    later = at + dt.timedelta(minutes=dice.randint(10, 90))
    # Its own time is part of what was sent, so a true repetition keeps it.
    copy = [(*row[:6], str(int(row[6]) + 1), *row[7:]) for row in rows] if changed else rows
    return later, copy


# --- billing, bank, credit desk -------------------------------------------------------------------------------------


def _items(accounts: list[Account], seed: int, dice: random.Random) -> Iterator[Act]:
    """What was owed before the day began, and what of it is paid during the day."""
    for account in accounts:
        for n in range(dice.choice((0, 1, 2, 3, 4))):
            yield from _item(account, n, dice)


def _item(account: Account, n: int, dice: random.Random) -> Iterator[Act]:
    due_on = DATE + dt.timedelta(days=dice.choices(*DUE_IN)[0])
    document_on = min(due_on - dt.timedelta(days=account.payment_days), DATE - dt.timedelta(days=1))
    amount = account.limit * 100 * dice.randint(4, 22) // 100
    item = bank.number("INV-", f"{account.account}/{n}")
    posted = PostItem(
        account=account.account,
        item=item,
        kind="invoice",
        amount_minor=amount,
        currency=CURRENCY,
        document_on=document_on,
        due_on=due_on,
    )
    posted_on = max(document_on, (_at(dt.time(6)) - OPENED_BEFORE).date())  # older ones are brought forward with the account
    at = dt.datetime.combine(posted_on, POSTED_AT, tzinfo=dt.UTC)
    yield Act(at, f"item/{item}", account.account, posted)
    if due_on < DATE and dice.random() < 0.7:
        paid = amount if dice.random() > 0.15 else amount * dice.randint(80, 98) // 100
        at = _at(dt.time(dice.choice((8, 9, 9, 11, 12, 13, 15, 16)), dice.randint(0, 59)))
        yield receipt(account.account, account.name, item, paid, CURRENCY, f"REC-{item}", at)


def _desk(accounts: list[Account], dice: random.Random) -> Iterator[Act]:
    """Two accounts go on stop late in the morning; in the afternoon limits are raised and stops lifted."""
    for account in dice.sample([one for one in accounts if one.status == "open"], 2):
        stop = PutOnStop(account=account.account, reason="cheque returned unpaid")
        yield Act(_minute(11, 30, dice), f"stop/{account.account}", account.account, stop)
    for n, account in enumerate(accounts):
        if account.status == "on_stop" and n % 2:
            lifted = TakeOffStop(account=account.account, reason="paid by transfer this morning")
            yield Act(_minute(14, 0, dice), f"off/{account.account}", account.account, lifted)
        if n % 5 == 3 and n % 3 == 0:
            raised = ChangeLimit(account=account.account, limit_minor=account.limit * 250, reason="review: good payer")
            yield Act(_minute(13, 15, dice), f"limit/{account.account}", account.account, raised)


def _deals(accounts: list[Account], dice: random.Random) -> Iterator[Act]:
    """Large orders that are announced in the morning; the director approves every second one, the others wait for somebody."""
    for n, account in enumerate(dice.sample([one for one in accounts if one.status == "open"], DEALS)):
        deal, name = f"LAUNCH-{n + 1:02}", account.account
        announced = RegisterDeal(
            deal=deal,
            account=name,
            currency=CURRENCY,
            value_minor=account.limit * dice.choice((20, 40, 110)),
            from_on=DATE + dt.timedelta(days=n % 3),
            until_on=DATE + dt.timedelta(days=3 + 4 * n),
            evidence=dice.choice(EVIDENCE),
        )
        at = _at(dt.time(7, 20 + 2 * n))
        yield Act(at, f"deal/{deal}", name, announced)
        if n % 2:
            yes = ApproveDeal(deal=deal, account=name, reason="known launch, the customer is good for it")
            yield Act(at + dt.timedelta(minutes=25), f"deal/{deal}/yes", name, yes, by=DIRECTOR)


def _minute(hour: int, minute: int, dice: random.Random) -> dt.datetime:
    return _at(dt.time(hour, minute)) + dt.timedelta(minutes=dice.randint(0, 90))
