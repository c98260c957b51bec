"""Open items of one or many accounts, arranged so that a payment finds what it names without looking at the rest (P6).

Built once, used for any number of payments; it is never changed. Its order does not depend on the order in which items came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from services.payments.matching.lookup import Number, number_in, tail_of
from services.payments.matching.structured import compact
from services.payments.matching.values import Open, Settled

DAMAGED_MIN = 5
"""A four-digit number has a hundred neighbours at one edit among ten thousand: below five places damage cannot be mended.

Even so a damaged name never stands alone: the amount must agree with exactly one of those it may mean.
"""
EXACT_MIN = 5
"""Bare digits of a text that are a document number by themselves; four are a year, and too often a quantity."""
TAIL_MIN = 5
"""The last group of a number may stand for it (`00123` of `INV-2024-100123`) when it has as many significant places."""
ENDING_MIN = 4
"""Last places that people quote of a number they know; so few mean one item only together with its amount."""
INSIDE_MIN = 5
"""A number inside a verified reference needs as many places, or it is found in the check digits of others."""

Positions = tuple[int, ...]


class LedgerIndex:
    """`items` are the open ones in due order; positions beyond them are the `settled` ones."""

    def __init__(self, open_items: Iterable[Open], settled: Mapping[str, Settled] | None = None) -> None:
        """Raises ValueError when one item comes twice: it would be paid twice."""
        self.items: Sequence[Open] = sorted(open_items, key=lambda one: (one.due_on, one.document_on, one.item))
        self.settled = tuple(sorted((settled or {}).items(), key=lambda pair: pair[0]))
        self.names = [one.item for one in self.items] + [name for name, _ in self.settled]
        self.at = {name: at for at, name in enumerate(self.names)}
        if len(self.at) != len(self.names):
            raise ValueError(f"{len(self.names) - len(self.at)} items came twice, or both open and settled; pass each once")
        self.numbers: list[Number] = [number_in(name) for name in self.names]
        self.by_form: dict[str, list[int]] = {}
        self.by_reference: dict[str, list[int]] = {}
        self.by_amount: dict[tuple[str, int], list[int]] = {}
        self.prefixes = {number.prefix for number in self.numbers if number.prefix}
        self.settled_amounts: dict[tuple[str, int], list[str]] = {}
        for name, one in self.settled:
            self.settled_amounts.setdefault((one.currency, one.amount_minor), []).append(name)
        self.lengths = {len(form) for number in self.numbers for form in (number.raw, number.stripped)}
        self._fill()

    def _fill(self) -> None:
        for at, number in enumerate(self.numbers):
            if self._is_receipt(at):
                continue  # our own numbers of unsorted cash; no customer writes them
            for form in number.forms:
                self.by_form.setdefault(form, []).append(at)
        for at, one in enumerate(self.items):
            self.by_amount.setdefault((one.currency, one.open_minor), []).append(at)
        for at, reference in self._references():
            self.by_reference.setdefault(compact(reference), []).append(at)

    def _references(self) -> list[tuple[int, str]]:
        known = [one.reference for one in self.items] + [one.reference for _, one in self.settled]
        return [(at, reference) for at, reference in enumerate(known) if reference and not self._is_receipt(at)]

    def _is_receipt(self, at: int) -> bool:
        return at < len(self.items) and self.items[at].kind == "receipt"

    @cached_property
    def by_tail(self) -> dict[str, list[int]]:
        """Last groups of numbers that have several, where they are long enough to stand for the whole."""
        tails: dict[str, list[int]] = {}
        for at, name in enumerate(self.names):
            tail = tail_of(name)
            if len(tail) >= TAIL_MIN and tail not in self.numbers[at].forms:
                tails.setdefault(tail, []).append(at)
        return tails

    @cached_property
    def _by_ending(self) -> dict[str, list[int]]:
        endings: dict[str, list[int]] = {}
        for at, number in enumerate(self.numbers):
            if not self._is_receipt(at) and len(number.stripped) > ENDING_MIN:
                endings.setdefault(number.raw[-ENDING_MIN:], []).append(at)
        return endings

    def ending(self, number: Number) -> Positions:
        """Items whose longer number ends with these places; empty where they are too few."""
        hits = self._by_ending.get(number.raw[-ENDING_MIN:], ()) if len(number.raw) >= ENDING_MIN else ()
        return tuple(at for at in hits if self.numbers[at].raw.endswith(number.raw))

    @cached_property
    def by_order(self) -> dict[str, list[int]]:
        """Items by the numbers of their orders and of the customer's purchase orders."""
        orders: dict[str, list[int]] = {}
        for at, one in enumerate(self.items):
            for paper in dict.fromkeys((one.order, one.po_number)):
                for form in number_in(paper).forms if paper else ():
                    orders.setdefault(form, []).append(at)
        return orders

    @cached_property
    def _by_writing(self) -> tuple[dict[str, list[int]], str]:
        """Numbers as they are and without their zeros, and the signs that occur in them: what a damaged one is looked up by."""
        writings: dict[str, list[int]] = {}
        for at, number in enumerate(self.numbers):
            if not self._is_receipt(at):
                for form in (number.raw,) if number.raw == number.stripped else (number.raw, number.stripped):
                    if len(form) >= DAMAGED_MIN:
                        writings.setdefault(form, []).append(at)
        return writings, "".join(sorted(set().union(*writings)))

    def near(self, number: Number) -> Positions:
        """Items whose number is one substitution, transposition, loss or extra place away; empty for short numbers.

        Every number at one edit is looked up: some hundreds of look-ups whatever the size of the ledger.
        """
        writings, signs = self._by_writing
        found: set[int] = set()
        shortest = DAMAGED_MIN - (number.prefix in self.prefixes)  # our own prefix says that a place is lost
        for form in {number.raw, number.stripped}:
            for edited in _edits(form, signs) if len(form) >= shortest else ():
                found.update(writings.get(edited, ()))
        return tuple(sorted(found))

    def inside(self, digits: str) -> Positions:
        """Items whose number stands inside a verified reference: the longest there is, or none when two are as long."""
        found: dict[int, None] = {}
        for length in range(len(digits), INSIDE_MIN - 1, -1):
            for start in range(len(digits) - length + 1):
                if digits[start] != "0":
                    found.update((at, None) for at in self.by_form.get(digits[start : start + length], ()))
            if found:
                return tuple(sorted(found))
        return ()

    def is_open(self, at: int) -> bool:
        return at < len(self.items)

    def settled_at(self, at: int) -> Settled:
        return self.settled[at - len(self.items)][1]


def _edits(form: str, signs: str) -> Iterator[str]:
    """Every writing at one edit (optimal string alignment), made of these signs; some of them twice."""
    for at, sign in enumerate(form):
        before, behind = form[:at], form[at + 1 :]
        yield before + behind
        if behind and behind[0] != sign:
            yield before + behind[0] + sign + behind[1:]
        for other in signs:
            if other != sign:
                yield before + other + behind
            yield before + other + form[at:]
    yield from (form + other for other in signs)
