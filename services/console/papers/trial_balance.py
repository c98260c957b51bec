"""The aged trial balance (V6): a line per account, group or portfolio, its buckets, credits, total and what is in dispute.

The totals are added up from the lines by the ageing itself, so they are the ageing of the whole ledger. Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec

from services.console.papers.paper import Amount, Cell, Column, Paper, Share, Table, day
from shared.receivables.ageing import Ledger, Policy, shares_bp, together

By = Literal["account", "group", "portfolio"]
HEADINGS: dict[By, str] = {"account": "Account", "group": "Credit group", "portfolio": "Portfolio"}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An account's ageing, in the currency of the paper; `group` and `portfolio` may be empty."""

    account: str
    name: str
    ledger: Ledger
    group: str = ""
    group_name: str = ""
    portfolio: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which trial balance: of whom, on which day, by what, in which currency; `known` says as known when."""

    company: str
    on: dt.date
    currency: str
    policy: Policy
    made_at: dt.datetime
    by: By = "account"
    known: str = "now"


def paper_of(lines: Iterable[Line], asked: Asked) -> Paper:
    """Lines sorted by what they are put together by, the total below, and the shares of the total. Raises `NotAged` for a ledger
    in another currency."""
    rows = _put_together(lines, asked)
    whole = together((ledger for _, _, ledger in rows), asked.currency, asked.policy)
    return Paper(
        title="Aged trial balance",
        sender=(asked.company,),
        facts=(
            ("On", day(asked.on)),
            ("Currency", asked.currency),
            ("By", HEADINGS[asked.by].lower()),
            ("Aged by", asked.policy.basis.replace("_", " ")),
            ("As known", asked.known),
        ),
        blocks=(_table(rows, whole, asked), _shares(whole)),
        made_at=asked.made_at,
        wide=True,
        flat=_table(rows, whole, asked),
    )


_Row = tuple[str, str, Ledger]


def _put_together(lines: Iterable[Line], asked: Asked) -> list[_Row]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(_key(line, asked.by), []).append(line)
    return [
        (key, _name(each, asked.by), together((line.ledger for line in each), asked.currency, asked.policy))
        for key, each in sorted(found.items())
    ]


def _key(line: Line, by: By) -> str:
    """An account without a group is a group of its own."""
    match by:
        case "account":
            return line.account
        case "group":
            return line.group or line.account
        case "portfolio":
            return line.portfolio or "no portfolio"


def _name(lines: list[Line], by: By) -> str:
    match by:
        case "account":
            return lines[0].name
        case "group":
            return next((line.group_name for line in lines if line.group_name), lines[0].name)
        case "portfolio":
            return f"{len(lines)} account{'s' if len(lines) > 1 else ''}"


def _table(rows: list[_Row], whole: Ledger, asked: Asked) -> Table:
    names = (*asked.policy.names, "Credits", "Total", "In dispute")
    return Table(
        title=f"Aged trial balance {asked.currency}",
        columns=(
            Column(HEADINGS[asked.by], share=3, width=16),
            Column("Accounts" if asked.by == "portfolio" else "Name", share=6, width=40),
            *(Column(name, "amount") for name in names),
        ),
        rows=tuple((key, name, *_cells(ledger)) for key, name, ledger in rows),
        total=("Total", f"{len(rows)} lines", *_cells(whole)),
        empty="No account has an open item.",
    )


def _cells(ledger: Ledger) -> tuple[Cell, ...]:
    columns = (*(column.minor for column in ledger.columns), ledger.credits.minor, ledger.total_minor, ledger.disputed_minor)
    return tuple(Amount(minor, ledger.currency) for minor in columns)


def _shares(whole: Ledger) -> Table:
    """F7. Without a total above nothing there are none."""
    shares = shares_bp(whole)
    columns = (*whole.columns, whole.credits)
    told: tuple[Cell, ...] = tuple(map(Share, shares)) if shares else (None,) * len(columns)
    currency = whole.currency
    rows = tuple(
        (column.name, Amount(column.minor, currency), share, Amount(column.disputed_minor, currency))
        for column, share in zip(columns, told, strict=True)
    )
    return Table(
        title="Shares of the ledger",
        columns=(
            Column("Bucket", share=1, width=30),
            Column("Amount", "amount"),
            Column("Share", "share"),
            Column("In dispute", "amount"),
        ),
        rows=rows,
        total=(
            "Total",
            Amount(whole.total_minor, currency),
            Share(sum(shares)) if shares else None,
            Amount(whole.disputed_minor, currency),
        ),
        note="Of the total, not due and credits included." if shares else "No shares: the total is not above nothing.",
    )
