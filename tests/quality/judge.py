"""Counts what a matcher got right, missed and got wrong, invoice by invoice; says whether the targets are reached.

A hit is the right item with the right cash. Cash on an item that truth did not pay, or another sum on one that it did, is false.
It knows no matcher and no recipe; it compares plain values.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.quality.border import Answer, Case, Truth

HIT_PER_MILLE_LEAST = 900
FALSE_PER_MILLE_MOST = 1
"""The issue's targets: at least 90 % of the invoices that were paid, at most 0.1 % of those allocated."""
FALSE_EXAMPLES_MAX, MISSED_EXAMPLES_MAX = 200, 3
"""Payments kept whole, for whoever mends the matcher: so many false ones in all, so many decidable but missed of each kind."""


@dataclass
class Score:
    """Counts of one class. Money in minor units, all currencies together, without sign; credit notes are items like invoices."""

    payments: int = 0
    paid: int = 0
    decidable: int = 0
    hit: int = 0
    hit_decidable: int = 0
    missed: int = 0
    allocated: int = 0
    false: int = 0
    paid_minor: int = 0
    hit_minor: int = 0
    allocated_minor: int = 0
    false_minor: int = 0
    payer_right: int = 0
    payer_wrong: int = 0
    payer_none: int = 0
    rightly_left: int = 0
    overspent: int = 0

    def add(self, other: Score) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def reaches_targets(self) -> bool:
        """In whole numbers, so that no rounding lets anybody pass; nothing paid is no success."""
        enough = self.paid > 0 and self.hit * 1_000 >= self.paid * HIT_PER_MILLE_LEAST
        return enough and self.false * 1_000 <= self.allocated * FALSE_PER_MILLE_MOST

    def rates(self) -> dict[str, float | None]:
        """Percent; None where there is nothing to divide by."""
        return {
            "hit": _percent(self.hit, self.paid),
            "hit_of_decidable": _percent(self.hit_decidable, self.decidable),
            "ceiling": _percent(self.decidable, self.paid),
            "false": _percent(self.false, self.allocated),
            "hit_money": _percent(self.hit_minor, self.paid_minor),
            "false_money": _percent(self.false_minor, self.allocated_minor),
            "payer_right": _percent(self.payer_right, self.payments),
        }


@dataclass
class Judge:
    """`count` takes one payment's answer; `table` and `report` tell what came of it; `total` decides."""

    by_class: dict[str, Score] = field(default_factory=dict)
    by_kind: dict[str, Score] = field(default_factory=dict)
    item_of: Callable[[str], object] | None = None
    false_examples: list[object] = field(default_factory=list)
    missed_examples: dict[str, list[object]] = field(default_factory=dict)

    def count(self, case: Case, answer: Answer) -> Score:
        """This payment's own score, added to its class and kind."""
        score = judged(case, answer)
        self.by_class.setdefault(case.mess, Score()).add(score)
        self.by_kind.setdefault(_kind(case), Score()).add(score)
        self._keep(case, answer, score)
        return score

    def _keep(self, case: Case, answer: Answer, score: Score) -> None:
        missed = self.missed_examples.setdefault(_kind(case), [])
        if score.false and len(self.false_examples) < FALSE_EXAMPLES_MAX:
            self.false_examples.append(self._example(case, answer))
        elif score.hit_decidable < score.decidable and len(missed) < MISSED_EXAMPLES_MAX:
            missed.append(self._example(case, answer))

    def _example(self, case: Case, answer: Answer) -> object:
        """With the items as they stood when the matcher was asked, if somebody can tell them."""
        named = dict.fromkeys([line.item for line in case.truth.lines] + [item for item, _ in answer.lines])
        items = [self.item_of(item) for item in named] if self.item_of else []
        return {"case": as_plain(case), "answer": as_plain(answer), "items": as_plain(items)}

    @property
    def total(self) -> Score:
        total = Score()
        for score in self.by_class.values():
            total.add(score)
        return total

    def table(self) -> str:
        rows = [_HEAD, *(_row(mess, self.by_class[mess]) for mess in sorted(self.by_class)), _row("total", self.total)]
        return "\n".join(rows)

    def report(self) -> dict[str, object]:
        return {
            "targets": {"hit_percent_least": HIT_PER_MILLE_LEAST / 10, "false_percent_most": FALSE_PER_MILLE_MOST / 10},
            "reached": self.total.reaches_targets,
            "total": _told(self.total),
            "classes": {mess: _told(self.by_class[mess]) for mess in sorted(self.by_class)},
            "kinds": {kind: _told(self.by_kind[kind]) for kind in sorted(self.by_kind)},
            "false_examples": self.false_examples,
            "missed_examples": {kind: kept for kind, kept in sorted(self.missed_examples.items()) if kept},
        }

    def write(self, path: Path, **about: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**about, **self.report()}, indent=1, default=str) + "\n")


def as_plain(value: object) -> object:
    """Named tuples as dictionaries, so that the report tells what is what."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: as_plain(part) for name, part in value._asdict().items()}
    return [as_plain(part) for part in value] if isinstance(value, tuple | list) else value


def _kind(case: Case) -> str:
    return f"{case.mess}: {case.kind}"


def judged(case: Case, answer: Answer) -> Score:
    """One payment: lines of one item are taken together; who spends more than came in has every line wrong."""
    truth, cash = case.truth, _by_item(answer)
    overspent = sum(cash.values()) > case.payment.amount_minor
    paid = {line.item: line.cash_minor for line in truth.lines}
    hits = set() if overspent else {item for item, minor in cash.items() if paid.get(item) == minor}
    decidable = {line.item for line in truth.lines if line.decidable}
    score = Score(
        payments=1,
        paid=len(paid),
        decidable=len(decidable),
        hit=len(hits),
        hit_decidable=len(hits & decidable),
        missed=len(paid.keys() - cash.keys()),
        allocated=len(cash),
        false=len(cash) - len(hits),
        paid_minor=sum(map(abs, paid.values())),
        hit_minor=sum(abs(paid[item]) for item in hits),
        allocated_minor=sum(map(abs, cash.values())),
        false_minor=sum(abs(minor) for item, minor in cash.items() if item not in hits),
        rightly_left=not paid and not cash,
        overspent=overspent,
    )
    score.add(_recognised(truth, answer))
    return score


def _by_item(answer: Answer) -> dict[str, int]:
    """A line of nothing allocates nothing."""
    cash: Counter[str] = Counter()
    for item, minor in answer.lines:
        cash[item] += minor
    return {item: minor for item, minor in cash.items() if minor}


def _recognised(truth: Truth, answer: Answer) -> Score:
    """Nobody's money is rightly recognised by naming nobody."""
    if answer.account is None:
        return Score(payer_right=1) if truth.account is None else Score(payer_none=1)
    return Score(payer_right=1) if answer.account in truth.accepts else Score(payer_wrong=1)


# --- telling --------------------------------------------------------------------------------------------------------------

_HEAD = (
    f"{'class':27}{'payments':>9}{'paid':>8}{'ceiling':>9}{'hit':>9}{'money':>9}{'missed':>8}{'alloc.':>8}"
    f"{'false':>7}{'false %':>9}{'money':>9}{'payer':>8}{'wrong':>7}"
)


def _row(name: str, score: Score) -> str:
    rates = score.rates()
    return (
        f"{name:27}{score.payments:9}{score.paid:8}{_shown(rates['ceiling']):>9}{_shown(rates['hit']):>9}"
        f"{_shown(rates['hit_money']):>9}{score.missed:8}{score.allocated:8}{score.false:7}{_shown(rates['false'], 3):>9}"
        f"{_shown(rates['false_money'], 3):>9}{_shown(rates['payer_right']):>8}{score.payer_wrong:7}"
    )


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _shown(rate: float | None, places: int = 1) -> str:
    return "-" if rate is None else f"{rate:.{places}f}"


def _told(score: Score) -> dict[str, object]:
    return {one.name: getattr(score, one.name) for one in fields(score)} | {f"{k}_percent": v for k, v in score.rates().items()}
