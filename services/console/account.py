"""Pages of accounts: search, one account with all that is known of it, now or at the end of a past day (V2, V7), the parts of its
exposure down to their events, and the accounts on stop with the work on them (A3).

What a person does here is a wish like anybody's (`asking.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts import orders
from contracts.accounts import CADENCES, Terms
from contracts.envelope import TYPE_NAMES
from contracts.message import Message
from services.console import (
    as_of,
    book,
    booking,
    course,
    guarding,
    notices,
    pages,
    past,
    people,
    policies,
    position,
    queue,
    said,
    wording,
)  # fmt: skip
from services.console.book import Entry, Found, Waiting
from services.console.booking import actions_of, reasons_of
from services.console.following import Account, terms_of
from services.console.position import Part
from services.console.said import Said
from shared.credit.rulebook import Rules
from shared.service import people_in

STATUSES = ("prospect", "open", "on_stop", "dormant", "terminated")
TIERS = ("standard", "key", "top_15")
TONES = {"open": "ok", "on_stop": "bad", "terminated": "bad", "dormant": "warn", "prospect": ""}
"""Status → the colour of its chip."""
BUCKETS: tuple[tuple[str, int], ...] = (("1–30", 30), ("31–45", 45), ("46–60", 60), ("61–90", 90), ("91–120", 120))
"""Days late, up to and with (P12)."""
LATE_DAYS = 30
"""From here a debt holds orders by the standard policy (O2.6): red; before it is late, amber."""

_SPENT = (
    orders.OrderReleased, orders.OrderSplit, orders.OrderChanged, orders.OrderCancelled, orders.ReservationLapsed,
    orders.RecallAnswered, orders.OrderDespatched, orders.OrderBilled,
)  # fmt: skip
_RESERVED_AHEAD = (orders.DealApproved, orders.DealMatched, orders.DealExpired, orders.DealWithdrawn, orders.OrderReleased)
MOVED_BY: dict[str, tuple[str, tuple[type[Message], ...]]] = {
    "open_minor": ("Open items", (orders.PositionMoved, orders.OrderBilled)),
    "unbilled_minor": ("Despatched, not invoiced", (orders.OrderDespatched, orders.OrderBilled)),
    "reserved_minor": ("Released, not despatched", _SPENT),
    "deals_minor": ("Pre-approved deals", _RESERVED_AHEAD),
    "soft_credits_minor": ("Confirmed soft credits", (orders.PositionMoved,)),
    "disputed_minor": ("In dispute", (orders.PositionMoved,)),
}
"""Part of exposure → its name, and the facts that move it."""


class Picture(NamedTuple):
    """What an account, or a group, could cost: `parts` add up to `exposure_minor`."""

    row: Account
    parts: list[Part]
    exposure_minor: int

    @property
    def available_minor(self) -> int:
        return self.row.limit_minor - self.exposure_minor

    @property
    def segments(self) -> list[tuple[str, float]]:
        """(part, percent of the bar), for parts that add; the bar is as long as the larger of limit and exposure."""
        whole = max(self.row.limit_minor, sum(part.minor for part in self.parts if part.sign > 0), 1)
        return [(part.name, round(100 * part.minor / whole, 2)) for part in self.parts if part.sign > 0]

    @property
    def limit_at(self) -> float:
        whole = max(self.row.limit_minor, sum(part.minor for part in self.parts if part.sign > 0), 1)
        return round(100 * self.row.limit_minor / whole, 2)


class Bucket(NamedTuple):
    name: str
    minor: int
    tone: str


# --- search ---------------------------------------------------------------------------------------------------------


async def accounts(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    asked = request.query_params
    text, after = asked.get("text", "").strip()[:64], asked.get("after", "")[:64]
    status = asked.get("status", "") if asked.get("status") in STATUSES else ""
    found = await book.search(request.app.state.pool, who.portfolios, text, status, after)
    more = found[-1].page.account if len(found) == book.SHOWN else ""
    around: dict[str, Any] = {"text": text, "wanted": status, "statuses": STATUSES, "tones": TONES, "after": after, "more": more}
    return pages.render(request, "accounts.html", found=found, **around)


# --- one account ----------------------------------------------------------------------------------------------------


async def account(request: Request) -> Response:
    return await show(request, request.path_params["account"])


async def show(request: Request, name: str, status: int = 200, **more: Any) -> Response:
    """The page of one account; `more` is what somebody was just told, and what they had typed."""
    who = guarding.require(request, *guarding.LOOKING)
    found = await book.account(request.app.state.pool, who.portfolios, name)
    if found is None:
        raise guarding.Absent("account", name, who)
    day = as_of.asked(request)
    values = await (_then(request, found, day) if day else _now(request, found))
    told: dict[str, Any] = {"refused": "", "typed": {}, "done": notices.taken(request)}
    may = who.role in guarding.DESK and day is None
    around = {"found": found, "page": found.page, "as_of": day, "on": day or _today(request), "may": may, "me": who.name}
    around |= {"tones": TONES, "today": _today(request)}
    return pages.render(request, "account.html", status=status, **{**around, **values, **told, **more})


def _today(request: Request) -> dt.date:
    return pages.now(request).date()


async def _now(request: Request, found: Found) -> dict[str, Any]:
    pool, page, now = request.app.state.pool, found.page, pages.now(request)
    members = await queue.group(pool, page.home)
    debts = await queue.debts(pool, page.account)
    kind = request.query_params.get("kind", "")
    return {
        **await figures_of(request, page.account, members, now),
        "ageing": ageing(debts, members, page.account, now.date()),
        "items": await book.items(pool, page.account),
        "orders": await book.open_orders(pool, page.account),
        "requests": await book.requests(pool, (), name=page.account),
        "reasons": reasons_of(page),
        "actions": actions_of(page),
        "entries": _entries(
            await book.timeline(pool, page.account, kind, _before(request)), page.currency, await people.names(pool)
        ),
        "kind": kind,
        "terms": wording.terms_told(_terms(page.terms), page.currency),
        "full": _terms(page.terms),
        "tiers": TIERS,
        "cadences": CADENCES,
        "was_known": True,
    }


async def _then(request: Request, found: Found, day: dt.date) -> dict[str, Any]:
    """How it stood when that day ended, from what had been said by then. `page` is None before it was opened."""
    pool, name, ended = request.app.state.pool, found.page.account, as_of.end_of(day)
    members = await past.as_of(pool, found.page.home, day)
    figures = await figures_of(request, name, members, ended - dt.timedelta(microseconds=1))
    view = await as_of.booked(pool, [name], day)
    page, row = view.pages.get(name), figures["row"]
    entries = await book.timeline(pool, name, "", min(_before(request), (ended, "")))
    return {
        **figures,
        "page": page or booking.Page(account=name, name=found.page.name, currency=found.page.currency),
        "was_known": page is not None or row is not None,
        "ageing": ageing(await as_of.debts(pool, name, day), members, name, day),
        "items": await as_of.items(pool, name, day),
        "orders": await as_of.open_orders(pool, row, day) if row is not None else [],
        "requests": [
            Waiting(each, found.page.name, page is not None and booking.fits(each, page), found.page.terms)
            for each in view.requests.values()
            if each.state == booking.OPEN
        ],
        "reasons": reasons_of(page) if page is not None else [],
        "actions": actions_of(page) if page is not None else [],
        "entries": _entries(entries, found.page.currency, await people.names(pool)),
        "kind": "",
        "full": _terms(page.terms) if page is not None else None,
    }


async def members_of(pool: Any, home: str, day: dt.date | None) -> Sequence[Account]:
    """The accounts of a group, now or as a past day ended."""
    return await (past.as_of(pool, home, day) if day else queue.group(pool, home))


async def figures_of(request: Request, name: str, members: Sequence[Account], at: dt.datetime) -> dict[str, Any]:
    """The pictures of the account and its group; None where the order desk does not know it (yet)."""
    adopted = await policies.adopted(request.app.state.pool)
    row = next((each for each in members if each.account == name), None)
    root = next((each for each in members if each.account == each.home), None)
    own = picture(row, policies.rules_now(adopted, at, row), at.date()) if row else None
    group = None
    if root is not None and len(members) > 1:
        group = picture(position.together(members, root), policies.rules_now(adopted, at, root), at.date())
    return {"own": own, "group": group, "members": members, "row": row, "row_terms": terms_of(row) if row else None}


def picture(row: Account, rules: Rules, on: dt.date) -> Picture:
    return Picture(row, position.parts(row, rules, on), position.exposure_minor(row, rules, on))


def ageing(debts: Sequence[position.Debt], members: Sequence[Account], name: str, on: dt.date) -> list[Bucket]:
    """Debts by days late, and what stands against them; the sum is the balance, always (P12)."""
    sums = {"Not due": 0, **{each: 0 for each, _ in BUCKETS}, ">120": 0}
    for due_on, minor, _ in debts:
        sums[bucket((on - due_on).days)] += minor
    whole = next((each.open_minor for each in members if each.account == name), 0)
    against = whole - sum(sums.values())
    late = ["warn" if most <= LATE_DAYS else "bad" for _, most in BUCKETS]
    tones = dict(zip(sums, ["", *late, "bad"], strict=True))
    found = [Bucket(each, minor, tones[each] if minor else "") for each, minor in sums.items()]
    return [*found, Bucket("Credits and unallocated cash", against, "")] if against else found


def bucket(days_late: int) -> str:
    if days_late <= 0:
        return "Not due"
    return next((name for name, most in BUCKETS if days_late <= most), ">120")


def _terms(raw: bytes) -> Terms:
    return msgspec.json.decode(raw, type=Terms)


def _before(request: Request) -> tuple[dt.datetime, str]:
    """Behind which entry the timeline goes on: `before=<time>/<id>`."""
    at, _, entry = request.query_params.get("before", "").partition("/")
    try:
        return dt.datetime.fromisoformat(at).astimezone(dt.UTC), entry[:64]
    except ValueError:
        return said.END_OF_TIME, ""


def _entries(found: Sequence[Entry], currency: str, known: frozenset[str]) -> list[dict[str, Any]]:
    return [
        {
            "at": entry.said.at, "id": entry.said.id, "kind": entry.kind, "order": entry.said.order,
            "who": _who(entry.said, known),
            "words": wording.told(entry.said.data, currency),
        }
        for entry in found
    ]  # fmt: skip


def _who(fact: Said, known: frozenset[str]) -> str:
    """Whoever signs in here is known by name; with any other actor stands what it is."""
    return fact.actor if people_in(fact.actor) & known else course.with_role(fact.actor, fact, known)


# --- a part of exposure, down to its events ---------------------------------------------------------------------------


async def part(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    name, field = request.path_params["account"], request.path_params["part"]
    found = await book.account(request.app.state.pool, who.portfolios, name)
    if found is None:
        raise guarding.Absent("account", name, who)
    if field not in MOVED_BY:
        raise HTTPException(404)
    title, moved_by = MOVED_BY[field]
    day = as_of.asked(request)
    until = as_of.end_of(day) - dt.timedelta(microseconds=1) if day else said.END_OF_TIME
    facts = await said.of_account(request.app.state.pool, name, [TYPE_NAMES[each] for each in moved_by], until)
    shown = [(fact, change) for fact in facts if (change := moved(fact.data, field)) != 0]
    around: dict[str, Any] = {"page": found.page, "title": title, "facts": shown, "most": said.SHOWN_MAX}
    around |= {"as_of": day, "today": _today(request)}
    return pages.render(request, "account_part.html", minor=await _minor(request, name, field, day), **around)


async def _minor(request: Request, name: str, field: str, day: dt.date | None) -> int:
    pool = request.app.state.pool
    rows = await (past.of_accounts(pool, [name], day) if day else queue.accounts_of(pool, [name]))
    return getattr(rows[name], field) if name in rows else 0


def moved(data: Any, field: str) -> int | None:
    """By how much this fact moves the part, in minor units; 0 when it moves another one, None when it sets it anew."""
    match data, field:
        case orders.PositionMoved(), ("open_minor" | "soft_credits_minor" | "disputed_minor"):
            return int(getattr(data, field))
        case orders.OrderBilled(), "open_minor":
            return data.amount_minor if data.payer is None else 0
        case orders.OrderBilled(), "unbilled_minor":
            return -data.unbilled_minor
        case orders.OrderBilled(), "reserved_minor":
            return -data.reserved_minor
        case orders.OrderDespatched(), "unbilled_minor":
            return data.amount_minor - data.billed_minor
        case orders.OrderDespatched(), "reserved_minor":
            return data.billed_minor + data.beyond_minor - data.amount_minor - data.freed_minor
        case orders.OrderReleased(), "reserved_minor":
            return data.reserved_minor
        case orders.OrderSplit(), "reserved_minor":
            return data.released_minor
        case orders.OrderChanged(), "reserved_minor":
            return None
        case orders.DealApproved(), "deals_minor":
            return data.value_minor
        case orders.OrderReleased(), "deals_minor":
            return -data.deal_minor
        case _:
            return -getattr(data, "freed_minor", 0)


# --- accounts on stop -------------------------------------------------------------------------------------------------


async def stops(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    pool, day, today = request.app.state.pool, as_of.asked(request), _today(request)
    found = await (as_of.stops(pool, who.portfolios, day) if day else book.stops(pool, who.portfolios))
    rows = [(each, reasons_of(each.page), [one for one in actions_of(each.page) if one.outcome is None]) for each in found]
    stopped = [row for row in rows if row[0].page.status == "on_stop"]
    coming = [row for row in rows if row[0].page.status != "on_stop"]
    missed = sum(1 for row in stopped if row[0].page.missed)
    mine = sum(1 for row in stopped if row[0].page.owner == who.name)
    values: dict[str, Any] = {"stopped": stopped, "coming": coming, "missed": missed, "mine": mine, "today": today}
    values |= {"as_of": day, "on": day or today}
    return pages.render(request, "stops.html", **values)


ROUTES = [
    Route("/accounts", accounts),
    Route("/accounts/{account:path}", account),
    Route("/parts/{part}/{account:path}", part),
    Route("/stops", stops),
]
