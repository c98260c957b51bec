"""Amounts as people type them: `15,000`, `15 000`, `15000.00`. A comma parts thousands and nothing else. Pure."""

from __future__ import annotations

import re

from shared import money

_TYPED = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:[, ][0-9]{3})+)(?:\.[0-9]*)?")


class NoAmount(ValueError):
    """`problem`: what is wrong with it; `mend`: what is taken."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(f"{problem}; {mend}")
        self.problem, self.mend = problem, mend


def minor_of(text: str, currency: str) -> int:
    """The minor units of what was typed. Raises `NoAmount`: `12,50` is refused, since it may mean either of two things."""
    text, places = text.strip(), money.exponent(currency)
    example = f"15,000.{'0' * places}" if places else "15000"
    mend = f"write it as 15,000 or {example}, with commas or blanks between thousands only"
    if not _TYPED.fullmatch(text):
        raise NoAmount(f"{text[:40]!r} is no amount", mend)
    try:
        return money.parse(text.replace(",", "").replace(" ", ""), currency)
    except money.NotMoney as error:
        problem, _, _ = str(error).partition("; ")
        raise NoAmount(problem, mend) from error
