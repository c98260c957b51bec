"""What the address of a receivables page asks for: whose, on which day, and as known then or as known now (P12, V7). Pure but for
the request that it reads.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request

from services.console import as_of, guarding, pages
from services.console.receivables.standing import NOW, SORTS, Scope, When
from shared import money

TEXT_MAX = 100
KNOWN = ("now", "then")
BYS = ("account", "group", "portfolio")


class Day(NamedTuple):
    """`past` is None for now; `on` is the day that ages are counted by."""

    past: dt.date | None
    known: str
    on: dt.date
    when: When

    @property
    def told(self) -> str:
        """As known when, in words."""
        return "now" if self.past is None or self.known == "now" else "then"

    @property
    def query(self) -> str:
        """The end of an address that stays at this day."""
        return urlencode({"as_of": self.past.isoformat(), "known": self.known}) if self.past else ""


def day_of(request: Request) -> Day:
    past, known = as_of.asked(request), request.query_params.get("known", "")
    known = known if known in KNOWN else "now"
    if past is None:
        return Day(None, "now", pages.now(request).date(), NOW)
    return Day(past, known, past, When(past, as_of.end_of(past) if known == "then" else None))


class Asked(NamedTuple):
    """`after`: behind which row the table goes on, as its page told it."""

    scope: Scope
    day: Day
    by: str = "account"
    sort: str = "name"
    after: str = ""

    def query(self, **changed: str) -> str:
        """The words of the same address with something changed; what is empty or usual is left out."""
        scope = self.scope
        words = {
            "portfolio": scope.portfolio, "group": scope.group, "currency": scope.currency, "q": scope.text,
            "by": self.by if self.by != "account" else "", "sort": self.sort if self.sort != "name" else "", "after": self.after,
            "as_of": self.day.past.isoformat() if self.day.past else "", "known": self.day.known if self.day.past else "",
        } | changed  # fmt: skip
        return urlencode({name: value for name, value in words.items() if value})

    def path(self, **changed: str) -> str:
        return f"/receivables?{self.query(**changed)}"


def asked(request: Request) -> Asked:
    given, who, day = request.query_params, guarding.person(request), day_of(request)
    text = {name: given.get(name, "").replace("\0", "").strip()[:TEXT_MAX] for name in ("portfolio", "group", "currency", "q")}
    by, sort = given.get("by", ""), given.get("sort", "")
    return Asked(
        scope=Scope(
            seen=who.portfolios,
            portfolio=text["portfolio"],
            group=text["group"],
            currency=text["currency"] if text["currency"] in money.EXPONENTS else "",
            text=text["q"],
            when=day.when,
        ),
        day=day,
        by=by if by in BYS else "account",
        sort=sort if sort in SORTS else "name",
        after=given.get("after", "").replace("\0", "")[:TEXT_MAX],
    )
