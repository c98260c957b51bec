"""Which items a payment's words name, which they may have meant with one character damaged, and what nobody can place (P6c).

It reads words only; whether amounts agree is judged elsewhere.
"""

from __future__ import annotations

from itertools import chain, takewhile

import msgspec

from services.payments.matching.ledger_index import EXACT_MIN, LedgerIndex, Positions
from services.payments.matching.lookup import GAP_MAX, Number, Run, dates_in, readable, runs_of, windows
from services.payments.matching.values import Payment, Rules

PREFIXED_MIN = 3
"""With our own prefix before it (`INV 123`) a number may be so short."""
UNPLACED_MIN = 4
"""Digits that look like a document number of somebody."""
NEAR_MAX = 24
"""A lost last place means up to ten numbers of a dense ledger, and twice that with leading zeros; more neighbours say nothing."""
_OTHERS = """
    PO ORDER ORD SO BESTELLUNG BEST BESTELNUMMER AUFTRAG COMMANDE PEDIDO DN LS LIEFERSCHEIN CUST CUSTOMER CLIENT KDNR KUNDE
    KUNDENNR KUNDENNUMMER KLANT KD ACCT ACCOUNT KONTO VAT UST BTW IBAN BIC MANDATE MANDAT CONTRACT VERTRAG BATCH PAYRUN RUN
    EREF KREF MREF CRED DEBT
"""
OTHER_PAPERS = frozenset(_OTHERS.split())
"""Words whose number is not an invoice: `PO 10023` names the customer's order, even where an invoice 10023 is open."""
PHONES = frozenset(["TEL", "PHONE", "FON", "FAX", "MOBILE", "MOB"])
ABROAD_GROUPS, HOME_GROUPS = 3, 2
"""Groups of digits that a telephone number is written in: with its country (E.123), and without."""
NUMBER_WORDS = frozenset(["NO", "NR", "NUMBER", "NUMMER", "NUM", "ID", "REF"])
"""Words between a paper and its number: `CUST NO 429771`."""


class Names(msgspec.Struct, frozen=True):
    """Positions in the index. `exact` are named; each of `choices` is a damaged or shared name, and what it may mean."""

    exact: Positions = ()
    choices: tuple[tuple[str, Positions], ...] = ()
    ordered: Positions = ()
    settled: Positions = ()
    unplaced: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Nothing that the words say speaks against an amount."""
        return not (self.exact or self.choices or self.ordered or self.settled or self.unplaced)


class _Reading:
    """What has been found while a text is read from its beginning."""

    def __init__(self, index: LedgerIndex, rules: Rules) -> None:
        self.index = index
        self.own = index.prefixes | set(rules.prefixes)
        self.exact: dict[int, None] = {}
        self.choices: dict[str, Positions] = {}
        self.ordered: dict[int, None] = {}
        self.unplaced: dict[str, None] = {}

    def take(self, number: Number, hits: Positions) -> None:
        if len(hits) == 1:
            self.exact[hits[0]] = None
        else:
            self.choices[number.raw] = hits

    def names(self) -> Names:
        is_open = self.index.is_open
        exact = tuple(sorted(at for at in self.exact if is_open(at)))
        settled = tuple(sorted(at for at in self.exact if not is_open(at)))
        ordered = tuple(sorted(self.ordered))
        choices = tuple((raw, tuple(at for at in hits if at not in exact)) for raw, hits in self.choices.items())
        return Names(exact, tuple(pair for pair in choices if pair[1]), ordered, settled, tuple(self.unplaced))

    def confirm(self) -> None:
        """A damaged number and its order, both in the text, name one item twice."""
        for raw, hits in list(self.choices.items()):
            both = [at for at in hits if at in self.ordered]
            if len(both) == 1:
                self.exact[both[0]] = None
                del self.choices[raw]


def names_in(payment: Payment, index: LedgerIndex, rules: Rules) -> Names:
    """All names of a payment: its text and reference, and its end-to-end id where that happens to name something."""
    reading = _Reading(index, rules)
    for text in (payment.reference, payment.text):
        _read(reading, readable(text), places_unknown=True)
    _read(reading, readable(payment.end_to_end), places_unknown=False)
    reading.confirm()
    return reading.names()


def _read(reading: _Reading, text: str, places_unknown: bool) -> None:
    if not text:
        return
    runs = runs_of(text)
    others = _of_other_papers(text, runs)
    taken = _read_exact(reading, runs, others)
    rest = [at for at in range(len(runs)) if at not in taken]
    if rest and places_unknown:
        _read_rest(reading, text, runs, taken | others)


def _of_other_papers(text: str, runs: list[Run]) -> set[int]:
    """Runs of digits that are the number of another paper, or of a telephone."""
    found: set[int] = set()
    for at, run in enumerate(runs):
        if run.text not in OTHER_PAPERS and run.text not in PHONES:
            continue
        start = at + 1
        while start < len(runs) and _follows(text, runs, start) and runs[start].text in NUMBER_WORDS:
            start += 1
        groups = _groups(text, run, runs[start]) if start < len(runs) else 0
        found.update(takewhile(lambda at: _follows(text, runs, at) and runs[at].is_digits, range(start, start + groups)))
    return found


def _groups(text: str, word: Run, first: Run) -> int:
    if word.text not in PHONES:
        return 1
    return ABROAD_GROUPS if "+" in text[word.end : first.start] or first.text.startswith("00") else HOME_GROUPS


def _follows(text: str, runs: list[Run], at: int) -> bool:
    """Close behind the run before; unlike within a number of ours, a plus does not part them (`+49`, `EREF+`)."""
    if at >= len(runs):
        return False
    between = text[runs[at - 1].end : runs[at].start]
    return len(between) <= GAP_MAX and not set(between) & set(",;\n")


def _read_exact(reading: _Reading, runs: list[Run], others: set[int]) -> set[int]:
    """The longest known number that begins at each run wins; its runs are used up."""
    taken: set[int] = set()
    for start in range(len(runs)):
        if start in taken:
            continue
        for end, number in windows(runs, start):
            if not taken.isdisjoint(range(start, end)):
                continue
            if _is_placed(reading, number, is_other=start in others):
                taken.update(range(start, end))
                break
    return taken


def _is_placed(reading: _Reading, number: Number, is_other: bool) -> bool:
    if is_other:
        return _is_ordered(reading, number)
    if hits := exact_hits(reading.index, number):
        reading.take(number, hits)
        return True
    return _is_ordered(reading, number)


def _is_ordered(reading: _Reading, number: Number) -> bool:
    if len(number.raw) < EXACT_MIN:
        return False
    orders = reading.index.by_order
    hits = dict.fromkeys(chain.from_iterable(orders.get(form, ()) for form in number.forms))
    reading.ordered.update(hits)
    return bool(hits)


def exact_hits(index: LedgerIndex, number: Number) -> Positions:
    """Items of this number, leading zeros and separators aside; where letters tell several apart, those of the same letters."""
    by_form, found = index.by_form, dict[int, None]()
    for form in number.forms:
        found.update((at, None) for at in by_form.get(form, ()))
    hits = _of_prefix(index, number, tuple(found))
    if not hits and len(number.stripped) >= EXACT_MIN:
        hits = _of_prefix(index, number, tuple(index.by_tail.get(number.stripped, ())))
    return _same_zeros(index, number, hits)


def _of_prefix(index: LedgerIndex, number: Number, hits: Positions) -> Positions:
    """`CN 10023` is not `INV-10023`; a word that no document of ours begins with says nothing."""
    if not hits:
        return ()
    same = tuple(at for at in hits if number.prefix and index.numbers[at].prefix == number.prefix)
    if same:
        return same if len(number.raw) >= PREFIXED_MIN else ()
    if number.prefix in index.prefixes or len(number.raw) < EXACT_MIN:
        return tuple(at for at in hits if not index.numbers[at].prefix and len(number.raw) >= EXACT_MIN)
    return hits


def _same_zeros(index: LedgerIndex, number: Number, hits: Positions) -> Positions:
    """Of numbers that differ in zeros only, the one written exactly so."""
    if len(hits) < 2:
        return hits
    return tuple(at for at in hits if index.numbers[at].raw == number.raw) or hits


def _read_rest(reading: _Reading, text: str, runs: list[Run], taken: set[int]) -> None:
    dates = dates_in(text)
    for start in range(len(runs)):
        if start in taken:
            continue
        free = [pair for pair in windows(runs, start) if taken.isdisjoint(range(start, pair[0]))]
        for end, number in free:
            if hits := near_hits(reading.index, number):
                reading.choices[number.raw] = hits
                taken.update(range(start, end))
                break
        else:
            _place_unknown(reading, free, runs[start], dates)


def near_hits(index: LedgerIndex, number: Number) -> Positions:
    """Items at one edit, unless letters say otherwise or there are too many of them."""
    hits = tuple(sorted({*index.near(number), *index.ending(number)}))
    if number.prefix in index.prefixes:
        hits = tuple(at for at in hits if index.numbers[at].prefix in ("", number.prefix))
    return hits if len(hits) <= NEAR_MAX else ()


def _place_unknown(reading: _Reading, free: list[tuple[int, Number]], run: Run, dates: list[tuple[int, int]]) -> None:
    """What looks like a document of ours and is none: the payer meant something that is not among the items."""
    if any(begin <= run.start < end for begin, end in dates):
        return
    for _, number in free:
        if len(number.raw) >= UNPLACED_MIN and _looks_ours(reading, number):
            reading.unplaced[number.raw] = None
            return


def _looks_ours(reading: _Reading, number: Number) -> bool:
    lengths = reading.index.lengths
    return number.prefix in reading.own or any(len(number.raw) + step in lengths for step in (-1, 0, 1))
