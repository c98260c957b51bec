"""Our open items against the customer's own list (P13): matched, theirs only, ours only, different; each line in one class.

The two totals and the classes explain each other to the penny. Pure; the list is read by `their_list.py`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

import msgspec

from services.console.papers.paper import Amount, Cell, Column, Paper, Table, day

Sign = Literal["auto", "same", "inverted"]

_SIGNS = re.compile(r"[^0-9A-Z]+")
_PREFIX = re.compile(r"[A-Z]*0*(.*)")


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """An open item of ours; `reference` is the customer's word for it (PO number), where we know one."""

    item: str
    currency: str
    minor: int
    on: dt.date | None = None
    reference: str = ""


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """A line of their list, with the sign that it has there."""

    reference: str
    currency: str
    minor: int
    line: int
    on: dt.date | None = None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One document on both sides or one; several lines of one reference are added up. `theirs_minor` has our sign."""

    currency: str
    ours: tuple[Ours, ...] = ()
    theirs: tuple[Theirs, ...] = ()
    ours_minor: int = 0
    theirs_minor: int = 0
    found_by: str = ""

    @property
    def difference_minor(self) -> int:
        return self.ours_minor - self.theirs_minor


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """`inverted`: their list calls a debt of theirs negative, or says it as a credit."""

    matched: tuple[Pair, ...]
    different: tuple[Pair, ...]
    ours_only: tuple[Pair, ...]
    theirs_only: tuple[Pair, ...]
    inverted: bool
    tolerance_minor: int

    @property
    def classes(self) -> tuple[tuple[str, tuple[Pair, ...]], ...]:
        return (
            ("Different", self.different), ("Theirs only", self.theirs_only), ("Ours only", self.ours_only),
            ("Matched", self.matched),
        )  # fmt: skip


def reconcile(ours: Iterable[Ours], theirs: Iterable[Theirs], *, tolerance_minor: int = 0, sign: Sign = "auto") -> Reconciled:
    """Pairs by reference, cheapest proof first: the same number; the same behind prefix and zeros; the customer's own word. What
    is not unique on both sides pairs with nothing. Within `tolerance_minor` two figures are matched."""
    pairs, mine, yours = _paired(_grouped(ours, lambda each: each.item), _grouped(theirs, lambda each: each.reference))
    inverted = sign == "inverted" or (sign == "auto" and _looks_inverted(pairs))
    told = [_signed(pair, inverted) for pair in pairs]
    return Reconciled(
        matched=_sorted(pair for pair in told if abs(pair.difference_minor) <= tolerance_minor),
        different=_sorted(pair for pair in told if abs(pair.difference_minor) > tolerance_minor),
        ours_only=_sorted(_signed(Pair(currency=key[0], ours=tuple(each)), inverted) for key, each in mine.items()),
        theirs_only=_sorted(_signed(Pair(currency=key[0], theirs=tuple(each)), inverted) for key, each in yours.items()),
        inverted=inverted,
        tolerance_minor=tolerance_minor,
    )


T = TypeVar("T", Ours, Theirs)
_Key = tuple[str, str]
_Mine = dict[_Key, list[Ours]]
_Yours = dict[_Key, list[Theirs]]


def plain(reference: str) -> str:
    """Capitals and digits: `inv-00 123` is `INV00123`. What has none of them stays as it is, and pairs with itself only."""
    return _SIGNS.sub("", reference.upper()) or reference


def bare(reference: str) -> str:
    """Behind the letters and zeros it begins with: `INV-00123` is `123`; empty when that is all."""
    match = _PREFIX.fullmatch(plain(reference))
    return match[1] if match else ""


def _grouped(lines: Iterable[T], name: Callable[[T], str]) -> dict[_Key, list[T]]:
    found: dict[_Key, list[T]] = {}
    for line in lines:
        found.setdefault((line.currency, plain(name(line))), []).append(line)
    return found


def _paired(mine: _Mine, yours: _Yours) -> tuple[list[Pair], _Mine, _Yours]:
    pairs: list[Pair] = []
    for found_by, our_word, their_word in _WAYS:
        of_mine, of_yours = _only(mine, our_word), _only(yours, their_word)
        for word in [word for word in of_mine if word in of_yours]:
            one, other = mine.pop(of_mine[word]), yours.pop(of_yours[word])
            pairs.append(Pair(currency=word[0], ours=tuple(one), theirs=tuple(other), found_by=found_by))
    return pairs, mine, yours


def _only(groups: dict[_Key, list[T]], word_of: Callable[[_Key, list[T]], str]) -> dict[_Key, _Key]:
    """Word → the only group that has it; what two groups would be called by is nobody's."""
    found: dict[_Key, _Key | None] = {}
    for key, lines in groups.items():
        if word := word_of(key, lines):
            found[key[0], word] = None if (key[0], word) in found else key
    return {word: key for word, key in found.items() if key is not None}


def _own(key: _Key, _: Sequence[Ours | Theirs]) -> str:
    return key[1]


def _bare(key: _Key, _: Sequence[Ours | Theirs]) -> str:
    return bare(key[1])


def _customers(_: _Key, lines: Sequence[Ours]) -> str:
    return plain(lines[0].reference) if lines[0].reference else ""


_Way = tuple[str, Callable[[_Key, list[Ours]], str], Callable[[_Key, list[Theirs]], str]]
_WAYS: tuple[_Way, ...] = (
    ("number", _own, _own),
    ("number without prefix", _bare, _bare),
    ("their reference", _customers, _own),
)


def _looks_inverted(pairs: Iterable[Pair]) -> bool:
    """More pairs agree with the other sign than with the same."""
    same = other = 0
    for pair in pairs:
        mine, yours = sum(each.minor for each in pair.ours), sum(each.minor for each in pair.theirs)
        same += mine == yours != 0
        other += mine == -yours != 0
    return other > same


def _signed(pair: Pair, inverted: bool) -> Pair:
    yours = sum(each.minor for each in pair.theirs)
    return msgspec.structs.replace(
        pair, ours_minor=sum(each.minor for each in pair.ours), theirs_minor=-yours if inverted else yours
    )


def _sorted(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple(sorted(pairs, key=lambda pair: (pair.currency, _our_name(pair), _their_name(pair))))


# --- as a paper -----------------------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account, on which day, against which list of theirs."""

    company: str
    account: str
    name: str
    on: dt.date
    made_at: dt.datetime
    list_name: str = ""


def paper_of(found: Reconciled, asked: Asked) -> Paper:
    """The totals and what explains them first, then each class; as a workbook it is what a clerk works through."""
    return Paper(
        title="Account reconciliation",
        sender=(asked.company,),
        facts=(
            ("Account", asked.account),
            ("Name", asked.name),
            ("On", day(asked.on)),
            ("Their list", asked.list_name),
            ("Their signs", "inverted" if found.inverted else "as ours"),
        ),
        blocks=(_summary(found), *(_class(name, pairs) for name, pairs in found.classes)),
        made_at=asked.made_at,
        wide=True,
        flat=_every(found),
    )


def _summary(found: Reconciled) -> Table:
    """By currency: ours − theirs = what the classes leave, nothing else."""
    currencies = sorted({pair.currency for _, pairs in found.classes for pair in pairs})
    rows: list[tuple[Cell, ...]] = []
    for currency in currencies:
        for name, pairs in found.classes:
            rows.append((currency, name, *_totals([pair for pair in pairs if pair.currency == currency], currency)))
        every = [pair for _, pairs in found.classes for pair in pairs if pair.currency == currency]
        rows.append((currency, "All", *_totals(every, currency)))
    columns = (
        Column("Currency", share=1), Column("Class", share=3, width=20), Column("Documents", "count"), Column("Ours", "amount"),
        Column("Theirs", "amount"), Column("Difference", "amount"),
    )  # fmt: skip
    return Table(title="Summary", columns=columns, rows=tuple(rows), empty="Neither side has an open item.")


def _totals(pairs: Sequence[Pair], currency: str) -> tuple[Cell, ...]:
    mine, yours = sum(pair.ours_minor for pair in pairs), sum(pair.theirs_minor for pair in pairs)
    return len(pairs), Amount(mine, currency), Amount(yours, currency), Amount(mine - yours, currency)


_COLUMNS = (
    Column("Our document", share=3, width=22),
    Column("Their reference", share=3, width=22),
    Column("Currency", width=10),
    Column("Date", "day"),
    Column("Ours", "amount"),
    Column("Theirs", "amount"),
    Column("Difference", "amount"),
    Column("Lines of their list", share=2, width=20),
    Column("Found by", share=2, width=22),
)


def _class(name: str, pairs: Sequence[Pair]) -> Table:
    return Table(title=name, columns=_COLUMNS, rows=tuple(map(_row, pairs)))


def _every(found: Reconciled) -> Table:
    rows = tuple((name, *_row(pair)) for name, pairs in found.classes for pair in pairs)
    return Table(title="Reconciliation", columns=(Column("Class", share=2), *_COLUMNS), rows=rows)


def _row(pair: Pair) -> tuple[Cell, ...]:
    """Only a side that has the document has a figure."""
    currency = pair.currency
    days = [on for on in (*(each.on for each in pair.ours), *(each.on for each in pair.theirs)) if on is not None]
    return (
        _our_name(pair),
        _their_name(pair),
        currency,
        days[0] if days else None,
        Amount(pair.ours_minor, currency) if pair.ours else None,
        Amount(pair.theirs_minor, currency) if pair.theirs else None,
        Amount(pair.difference_minor, currency),
        ", ".join(str(each.line) for each in pair.theirs),
        pair.found_by,
    )


def _our_name(pair: Pair) -> str:
    return pair.ours[0].item if pair.ours else ""


def _their_name(pair: Pair) -> str:
    return pair.theirs[0].reference if pair.theirs else ""
