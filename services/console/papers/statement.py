"""A statement of account (P13): what the customer owes us on a day and what came of it, by currency, with the way to pay.

Either the open items of the day or all movements since another day. It refuses to be made when its lines do not add up to
its balance. Pure.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from services.console.pages import money_text, words
from services.console.papers.paper import Amount, Cell, Column, Paper, Prose, Share, Table, day
from shared.receivables.ageing import Ledger, shares_bp


class NotAgreed(ValueError):
    """The lines of a statement do not give its balance: which, and by how much. It must not go out."""


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are, from policy data: `address` and `details` (registration, VAT, telephone) as lines, `pay` as pairs."""

    name: str
    address: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    pay: tuple[tuple[str, str], ...] = ()
    footer: str = ""


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    name: str
    address: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An open item in minor units of its balance's currency: what it was, what is left, and how much of that is in dispute."""

    item: str
    kind: str
    document_on: dt.date | None
    due_on: dt.date | None
    original_minor: int
    open_minor: int
    disputed_minor: int = 0
    reference: str = ""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A movement between the two days: debits positive."""

    on: dt.date
    kind: str
    item: str
    minor: int
    reference: str = ""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One currency. `ledger`: its ageing on the day; `opening_minor` and `moved` only where movements are asked for."""

    ledger: Ledger
    lines: tuple[Line, ...]
    opening_minor: int = 0
    moved: tuple[Moved, ...] = ()


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`since` None: the open items on `on`. `reference`: what the payer is to quote."""

    ours: Ours
    customer: Customer
    on: dt.date
    balances: tuple[Balance, ...]
    made_at: dt.datetime
    since: dt.date | None = None
    reference: str = ""


def paper_of(statement: Statement) -> Paper:
    """The statement as a paper. Raises `NotAgreed`."""
    for balance in statement.balances:
        _agree(balance, statement)
    ours, customer = statement.ours, statement.customer
    blocks = [block for balance in statement.balances for block in _blocks(balance, statement)]
    if statement.since is not None:
        blocks = [*(_movements(balance, statement.since, statement.on) for balance in statement.balances), *blocks]
    return Paper(
        title="Statement of account",
        sender=(ours.name, *ours.address, *ours.details),
        addressee=(customer.name, *customer.address),
        facts=_facts(statement),
        blocks=(*blocks, *_pay(statement)),
        made_at=statement.made_at,
        footer=ours.footer,
        flat=_flat(statement),
    )


def _agree(balance: Balance, statement: Statement) -> None:
    currency, total = balance.ledger.currency, balance.ledger.total_minor
    said = {"open items": sum(line.open_minor for line in balance.lines)}
    if statement.since is not None:
        said["opening balance and movements"] = balance.opening_minor + sum(each.minor for each in balance.moved)
    for name, minor in said.items():
        if minor != total:
            text = f"{name} are {money_text(minor, currency)}, its balance is {money_text(total, currency)} {currency}"
            raise NotAgreed(f"statement of {statement.customer.account} on {statement.on}: {text}; fold its items again")


def _facts(statement: Statement) -> tuple[tuple[str, str], ...]:
    totals = [
        (balance.ledger.currency, balance.ledger.total_minor, balance.ledger.overdue_minor) for balance in statement.balances
    ]
    period = f"{day(statement.since)} to {day(statement.on)}" if statement.since else day(statement.on)
    return (
        ("Account", statement.customer.account),
        ("Period" if statement.since else "Date", period),
        *((f"Balance {currency}", money_text(minor, currency)) for currency, minor, _ in totals),
        *((f"Overdue {currency}", money_text(minor, currency)) for currency, _, minor in totals if minor),
        *((("Please quote", statement.reference),) if statement.reference else ()),
    )


def _blocks(balance: Balance, statement: Statement) -> list[Table | Prose]:
    debts = [line for line in balance.lines if line.open_minor >= 0]
    against = [line for line in balance.lines if line.open_minor < 0]
    blocks: list[Table | Prose] = [_open(balance.ledger.currency, debts, statement.on)]
    if against:
        blocks.append(_unallocated(balance.ledger.currency, against))
    return [*blocks, _ageing(balance.ledger)]


# --- tables -----------------------------------------------------------------------------------------------------------


def _open(currency: str, debts: list[Line], on: dt.date) -> Table:
    """Oldest due first; the column of disputes only where there is one."""
    disputed = any(line.disputed_minor for line in debts)
    columns = [
        Column("Date", "day"), Column("Document", share=3, width=22), Column("Your reference", share=3, width=22),
        Column("Due", "day"), Column("Days overdue", "count"), Column("Original", "amount"), Column("Open", "amount"),
    ]  # fmt: skip
    rows = [_row(line, currency, on, disputed=disputed) for line in sorted(debts, key=_by_due)]
    sums = [Amount(sum(line.open_minor for line in debts), currency)]
    if disputed:
        columns.append(Column("In dispute", "amount"))
        sums.append(Amount(sum(line.disputed_minor for line in debts), currency))
    blanks: list[Cell] = [None] * (len(columns) - len(sums))
    blanks[1] = f"Total {currency}"
    return Table(
        title=f"Open items in {currency}",
        columns=tuple(columns),
        rows=tuple(rows),
        total=(*blanks, *sums),
        empty="Nothing is owed.",
        note="Amounts in dispute are being looked into; please pay the rest." if disputed else "",
    )


def _row(line: Line, currency: str, on: dt.date, *, disputed: bool) -> tuple[Cell, ...]:
    late = (on - line.due_on).days if line.due_on else 0
    cells: tuple[Cell, ...] = (
        line.document_on, _document(line), line.reference, line.due_on, late if late > 0 else None,
        Amount(line.original_minor, currency), Amount(line.open_minor, currency),
    )  # fmt: skip
    return (*cells, Amount(line.disputed_minor, currency) if line.disputed_minor else None) if disputed else cells


def _document(line: Line | Moved) -> str:
    """`Credit note CN-204`."""
    return f"{words(line.kind).capitalize()} {line.item}"


def _by_due(line: Line) -> tuple[dt.date, str]:
    return line.due_on or line.document_on or dt.date.max, line.item


def _unallocated(currency: str, against: list[Line]) -> Table:
    rows = [
        (line.document_on, _document(line), line.reference, Amount(line.open_minor, currency))
        for line in sorted(against, key=lambda line: (line.document_on or dt.date.max, line.item))
    ]
    columns = (
        Column("Date", "day"), Column("Document", share=3, width=22), Column("Your reference", share=3, width=22),
        Column("Amount", "amount"),
    )  # fmt: skip
    return Table(
        title=f"Payments and credits not yet set against invoices, in {currency}",
        columns=columns,
        rows=tuple(rows),
        total=(None, f"Total {currency}", None, Amount(sum(line.open_minor for line in against), currency)),
        note="Please tell us which invoices these are for.",
    )


def _movements(balance: Balance, since: dt.date, until: dt.date) -> Table:
    """A running balance, from the opening to the closing one."""
    currency, left = balance.ledger.currency, balance.opening_minor
    rows: list[tuple[Cell, ...]] = [(since, "Opening balance", None, None, None, Amount(left, currency))]
    for each in sorted(balance.moved, key=lambda each: each.on):
        left += each.minor
        debit, credit = (each.minor, 0) if each.minor >= 0 else (0, -each.minor)
        sides = (Amount(debit, currency) if debit else None, Amount(credit, currency) if credit else None)
        rows.append((each.on, _document(each), each.reference, *sides, Amount(left, currency)))
    columns = (
        Column("Date", "day"), Column("Movement", share=3, width=26), Column("Your reference", share=2, width=22),
        Column("Debit", "amount"), Column("Credit", "amount"), Column("Balance", "amount"),
    )  # fmt: skip
    closing = (until, "Closing balance", None, None, None, Amount(left, currency))
    return Table(title=f"Movements in {currency}", columns=columns, rows=tuple(rows), total=closing)


def _ageing(ledger: Ledger) -> Table:
    """The ageing line, what of it is in dispute, and its share of the balance (P12, F7)."""
    columns = (*ledger.columns, ledger.credits)
    names = (*(column.name for column in ledger.columns), "Credits", "Balance")
    rows: list[tuple[Cell, ...]] = [
        ("Amount", *(Amount(column.minor, ledger.currency) for column in columns), Amount(ledger.total_minor, ledger.currency))
    ]
    if ledger.disputed_minor:
        disputed = (*(column.disputed_minor for column in columns), ledger.disputed_minor)
        rows.append(("In dispute", *(Amount(minor, ledger.currency) if minor else None for minor in disputed)))
    if shares := shares_bp(ledger):
        rows.append(("Share", *map(Share, shares), Share(sum(shares))))
    return Table(
        title=f"Ageing in {ledger.currency}, days overdue",
        columns=(Column("", share=1), *(Column(name, "amount") for name in names)),
        rows=tuple(rows),
    )


def _pay(statement: Statement) -> tuple[Prose, ...]:
    quoted = (("Quote", statement.reference),) if statement.reference else ()
    return (Prose(title="How to pay", lines=(*statement.ours.pay, *quoted)),) if statement.ours.pay else ()


def _flat(statement: Statement) -> Table:
    """Every open item of every currency as one row."""
    names = ("Account", "Currency", "Document", "Kind", "Your reference", "Date", "Due", "Original", "Open", "In dispute")
    kinds = {"Date": "day", "Due": "day", "Original": "amount", "Open": "amount", "In dispute": "amount"}
    rows = [
        (
            statement.customer.account, balance.ledger.currency, line.item, words(line.kind), line.reference, line.document_on,
            line.due_on, *(Amount(each, balance.ledger.currency) for each in _amounts(line)),
        )
        for balance in statement.balances
        for line in sorted(balance.lines, key=_by_due)
    ]  # fmt: skip
    columns = tuple(Column(name, kinds.get(name, "text")) for name in names)  # type: ignore[arg-type]
    return Table(title="Open items", columns=columns, rows=tuple(rows))


def _amounts(line: Line) -> tuple[int, int, int]:
    return line.original_minor, line.open_minor, line.disputed_minor
