"""Our open items against an ERP's list of its own (P1): ours only, theirs only, other amount, currency or due day; and requests
that it has not answered in time. Pure; the list is read by `open_list.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from services.console.papers.paper import Amount, Cell, Column, Paper, Table, day

OURS_ONLY, THEIRS_ONLY = "ours only", "theirs only"
RECEIPT = "receipt"


class Ours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An open item of ours; `requests` are open requests that would change it."""

    account: str
    item: str
    kind: str
    currency: str
    minor: int
    due_on: dt.date
    requests: tuple[str, ...] = ()


class Theirs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the ERP's list; debits positive."""

    account: str
    item: str
    currency: str
    minor: int
    line: int
    reference: str = ""
    due_on: dt.date | None = None


class Differs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`what`: ours only, theirs only, or which of amount, currency and due date are not the same."""

    what: str
    ours: Ours | None = None
    theirs: Theirs | None = None

    @property
    def account(self) -> str:
        return self.ours.account if self.ours is not None else self.theirs.account if self.theirs is not None else ""


class Overdue(msgspec.Struct, frozen=True, kw_only=True):
    request: str
    account: str
    kind: str
    answer_by: dt.date
    days: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The stored result: what differs, how many items are the same, and what was not answered in time."""

    differs: tuple[Differs, ...]
    same: int
    overdue: tuple[Overdue, ...] = ()


def compare(ours: Iterable[Ours], theirs: Iterable[Theirs], overdue: Iterable[Overdue] = ()) -> Difference:
    """Item by item of each account: by the ERP's number, and a receipt of ours by the id of its request in their reference."""
    yours = _together(theirs)
    by_reference = {(each.account, each.reference): each for each in yours.values() if each.reference}
    found: list[Differs] = []
    same = 0
    for mine in ours:
        other = _counterpart(mine, yours, by_reference)
        if other is not None:
            del yours[other.account, other.item]
        what = OURS_ONLY if other is None else ", ".join(_not_same(mine, other))
        same += not what
        found += [Differs(what=what, ours=mine, theirs=other)] if what else []
    found += [Differs(what=THEIRS_ONLY, theirs=each) for each in yours.values()]
    return Difference(differs=tuple(sorted(found, key=_place)), same=same, overdue=tuple(overdue))


_Key = tuple[str, str]


def _together(theirs: Iterable[Theirs]) -> dict[_Key, Theirs]:
    """An item that the list has on several lines, as one; of lines in two currencies the second is an item of its own."""
    found: dict[_Key, Theirs] = {}
    for each in theirs:
        key = (each.account, each.item)
        before = found.get(key)
        if before is not None and before.currency != each.currency:
            key = (each.account, f"{each.item} {each.currency}")
            before = found.get(key)
        minor = each.minor if before is None else before.minor + each.minor
        found[key] = replace(each if before is None else before, item=key[1], minor=minor)
    return found


def _counterpart(mine: Ours, yours: dict[_Key, Theirs], by_reference: dict[_Key, Theirs]) -> Theirs | None:
    found = yours.get((mine.account, mine.item))
    if found is None and mine.kind == RECEIPT:
        found = by_reference.get((mine.account, mine.item.removeprefix("RC-"))) or by_reference.get((mine.account, mine.item))
    return found if found is not None and (found.account, found.item) in yours else None


def _not_same(mine: Ours, other: Theirs) -> list[str]:
    """A credit has no due day that anybody holds against it."""
    found = []
    if mine.currency != other.currency:
        found.append("currency")
    if mine.minor != other.minor:
        found.append("amount")
    if mine.minor > 0 and other.due_on is not None and mine.due_on != other.due_on:
        found.append("due date")
    return found


def _place(each: Differs) -> tuple[str, str, str]:
    return each.account, each.what, each.ours.item if each.ours is not None else each.theirs.item if each.theirs else ""


# --- as a paper -----------------------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Whose book, on which day, against which list, held against it by whom."""

    company: str
    legal_entity: str
    on: dt.date
    made_at: dt.datetime
    list_name: str
    digest: str
    by: str


def paper_of(found: Difference, asked: Asked) -> Paper:
    return Paper(
        title="Differences to the ERP",
        sender=(asked.company,),
        facts=(
            ("Legal entity", asked.legal_entity),
            ("On", day(asked.on)),
            ("Their list", asked.list_name),
            ("SHA-256", asked.digest),
            ("By", asked.by),
        ),
        blocks=(_summary(found), _differences(found), _late(found)),
        made_at=asked.made_at,
        wide=True,
        flat=_differences(found),
    )


def _summary(found: Difference) -> Table:
    counts: dict[str, int] = {}
    for each in found.differs:
        counts[each.what] = counts.get(each.what, 0) + 1
    rows: list[tuple[Cell, ...]] = [
        ("the same", found.same),
        *sorted(counts.items()),
        ("not answered in time", len(found.overdue)),
    ]
    return Table(title="Summary", columns=(Column("What", share=3, width=24), Column("Items", "count")), rows=tuple(rows))


_COLUMNS = (
    Column("Account", share=2, width=16),
    Column("Our item", share=3, width=22),
    Column("Their document", share=3, width=22),
    Column("What differs", share=2, width=20),
    Column("Currency", width=10),
    Column("Ours", "amount"),
    Column("Theirs", "amount"),
    Column("Due, ours", "day"),
    Column("Due, theirs", "day"),
    Column("Asked of the ERP", share=2, width=18),
    Column("Line of their list", "count"),
)


def _differences(found: Difference) -> Table:
    return Table(title="Differences", columns=_COLUMNS, rows=tuple(map(_row, found.differs)), empty="Both ledgers say the same.")


def _row(each: Differs) -> tuple[Cell, ...]:
    mine, other = each.ours, each.theirs
    return (
        each.account,
        mine.item if mine is not None else "",
        other.item if other is not None else "",
        each.what,
        mine.currency if mine is not None else other.currency if other is not None else "",
        Amount(mine.minor, mine.currency) if mine is not None else None,
        Amount(other.minor, other.currency) if other is not None else None,
        mine.due_on if mine is not None and mine.minor > 0 else None,
        other.due_on if other is not None else None,
        ", ".join(mine.requests) if mine is not None else "",
        other.line if other is not None else None,
    )


def _late(found: Difference) -> Table:
    columns = (
        Column("Request", share=2, width=20), Column("Account", share=2, width=16), Column("Kind", share=2, width=18),
        Column("Answer by", "day"), Column("Days late", "count"),
    )  # fmt: skip
    rows = tuple((each.request, each.account, each.kind, each.answer_by, each.days) for each in found.overdue)
    return Table(title="Requests not answered in time", columns=columns, rows=rows)


# --- requests, as the file that goes to the ERP -----------------------------------------------------------------------------


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a request's entry, as somebody posts it there."""

    request: str
    kind: str
    company_code: str
    account: str
    on: dt.date
    ledger: str
    item: str
    minor: int
    currency: str
    reverses: str
    reason: str


def requests_paper(lines: Sequence[Posted], company: str, made_at: dt.datetime) -> Paper:
    """A row per line of an entry; the request is the reference that the ERP's document must bear, by which it is posted once."""
    columns = (
        Column("Request", width=20), Column("Kind", width=16), Column("Company code", width=12), Column("Account", width=16),
        Column("Posting date", "day"), Column("Ledger", width=14), Column("Item", width=22), Column("Amount", "amount"),
        Column("Currency", width=10), Column("Reverses", width=16), Column("Reason", share=3, width=30),
    )  # fmt: skip
    rows = tuple(
        (
            each.request, each.kind, each.company_code, each.account, each.on, each.ledger, each.item,
            Amount(each.minor, each.currency), each.currency, each.reverses, each.reason,
        )
        for each in lines
    )  # fmt: skip
    table = Table(title="Requests", columns=columns, rows=rows, empty="Nothing is asked of the ERP.")
    return Paper(title="Requests to the ERP", sender=(company,), facts=(), blocks=(table,), made_at=made_at, wide=True)
