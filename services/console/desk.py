"""The release desk: the queue, worst clock first, and the order in hand beside it (V1, O5, O6).

Every page works without JavaScript; `static/desk.js` adds keys and asks for the same fragments when something changed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import asyncpg
import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import acting, as_of, clock, explaining, guarding, hand, in_hand, pages, policies, queue, wishes
from services.console.acting import Told, Unfit
from services.console.clock import Forecast
from services.console.following import WAITING, Order
from services.console.in_hand import Hand
from services.console.people import Person
from services.console.queue import Filter, Place
from services.console.showing import Row
from services.console.telling import tell
from shared.credit.rulebook import Policies, book_at
from shared.working_time import next_cut_off

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TEXT_MAX = 100
WORD = "desk"
"""What projections tell when the desk shows something else."""


class View(msgspec.Struct, frozen=True):
    """What of the queue a page shows: what is wanted, from where, and which order is in hand. `mine` asks for one's own."""

    wanted: Filter
    after: str = ""
    before: str = ""
    order: str = ""

    def query(self, **changed: str) -> str:
        """The address of the same view with something changed; what is empty is left out."""
        fields = self.wanted._asdict() | {"after": self.after, "before": self.before, "order": self.order} | changed
        fields["q"] = fields.pop("text")
        del fields["seen"]
        return "/desk?" + urlencode({name: value for name, value in fields.items() if value})


def view_of(given: Mapping[str, str], who: Person) -> View:
    """The view that an address or a form asks for."""
    text = given.get("q", "").strip()[:TEXT_MAX]
    names = {name: given.get(name, "")[:TEXT_MAX] for name in ("portfolio", "reason", "level", "owner")}
    wanted = Filter(seen=who.portfolios, text=text, **names)
    return View(wanted, given.get("after", ""), given.get("before", ""), given.get("order", "")[:TEXT_MAX])


def place_of(token: str) -> Place | None:
    """Where a window ends, as its page told it: `<microseconds since 1970>~<order>`. Anything else is no place."""
    micros, mark, order = token.partition("~")
    if not mark or not micros.lstrip("-").isdecimal() or len(micros) > 18:
        return None
    try:
        return Place(EPOCH + dt.timedelta(microseconds=int(micros)), order)
    except OverflowError:
        return None


def token_of(order: Order) -> str:
    assert order.due_at is not None, "what waits has a clock"
    return f"{(order.due_at - EPOCH) // dt.timedelta(microseconds=1)}~{order.order}"


# --- the queue ------------------------------------------------------------------------------------------------------


class Window(msgspec.Struct, frozen=True):
    """Rows that are shown, what is to be expected of their clocks, who has them open, and the ways on and back."""

    rows: tuple[Row, ...]
    forecasts: dict[str, Forecast]
    hands: dict[str, list[Hand]]
    after: str
    before: str


async def window(pool: asyncpg.Pool, view: View, who: Person, book: Policies, now: dt.datetime) -> Window:
    after, before = place_of(view.after), place_of(view.before)
    if before is not None:
        found = await queue.window_before(pool, view.wanted, before, queue.WINDOW + 1)
        more_before, more_after = len(found) > queue.WINDOW, True
        found = found[-queue.WINDOW :]
    else:
        found = await queue.window(pool, view.wanted, after or queue.BEFORE_ALL, queue.WINDOW + 1)
        more_before, more_after = after is not None, len(found) > queue.WINDOW
        found = found[: queue.WINDOW]
    rows = await hand.rows_of(pool, [queue.ORDERS.of(row) for row in found], book, now)
    openings = clock.openings(book_at(book, now))
    pace = await clock.pace(pool, who.portfolios, now, openings)
    return Window(
        rows=tuple(rows),
        forecasts=await clock.forecasts(pool, who.portfolios, now, openings, pace, [row.order.order for row in rows]),
        hands=await in_hand.others(pool, who, [row.order.order for row in rows]),
        after=token_of(rows[-1].order) if rows and more_after else "",
        before=token_of(rows[0].order) if rows and more_before else "",
    )


async def _queue_values(request: Request, view: View) -> dict[str, Any]:
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    book = await policies.adopted(pool)
    return {
        "view": view,
        "window": await window(pool, view, who, book, now),
        "shown": sum(total.count for total in await queue.totals(pool, view.wanted, now)),
        "people": await hand.people_of(pool),
        "is_filtered": any(view.wanted[1:]),
        "workable": who.role in guarding.DESK,
        **await _figures(pool, who, book, now),
    }


async def _figures(pool: asyncpg.Pool, who: Person, book: Policies, now: dt.datetime) -> dict[str, Any]:
    rulebook = book_at(book, now)
    on = now.astimezone(rulebook.zone).date()
    openings = clock.openings(rulebook)
    calendar = openings.general.calendar
    pace = await clock.pace(pool, who.portfolios, now, openings)
    return {
        "pace": pace,
        "risk": await clock.risk(pool, who.portfolios, now, openings, pace),
        "totals": await queue.totals(pool, Filter(seen=who.portfolios), now),
        "today": await queue.day(pool, who.portfolios, on),
        "cut_off": next_cut_off(calendar, now) if calendar.cut_off is not None else None,
    }


# --- pages ----------------------------------------------------------------------------------------------------------


async def page(request: Request) -> Response:
    """The whole desk. Without a chosen order the first of the queue is in hand."""
    who = guarding.require(request, *guarding.LOOKING)
    day = as_of.asked(request)
    return await _past(request, who, day) if day else await _page(request, view_of(request.query_params, who))


async def _past(request: Request, who: Person, day: dt.date) -> Response:
    """What the desk did on a past day; its queue is kept only as it is now (V7)."""
    done = await queue.day(request.app.state.pool, who.portfolios, day)
    return pages.render(request, "desk_past.html", as_of=day, today=pages.now(request).date(), day=done)


async def _page(request: Request, view: View, told: Told | None = None) -> Response:
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    values = await _queue_values(request, view)
    rows = values["window"].rows
    chosen = view.order or (rows[0].order.order if rows else "")
    if view.order and who.role in guarding.DESK:
        await _take_up(request, view.order)
    return pages.render(
        request,
        "desk.html",
        **values | await hand.values(request, chosen, told),
        facets=_by_kind(await queue.facets(pool, who.portfolios)),
        chosen=bool(view.order),
        names=explaining.SHORT,
        at=now,
    )


def _by_kind(facets: Sequence[queue.Facet]) -> dict[str, list[queue.Facet]]:
    kinds: dict[str, list[queue.Facet]] = {kind: [] for kind in ("portfolio", "reason", "level", "owner")}
    for facet in facets:
        kinds[facet.kind].append(facet)
    return kinds


async def rows(request: Request) -> Response:
    """The figures and the queue alone: what a page asks for when something changed. With the version of what is in hand."""
    who, pool = guarding.require(request, *guarding.LOOKING), request.app.state.pool
    view = view_of(request.query_params, who)
    values = await _queue_values(request, view)
    return pages.render(request, "desk_queue.html", **values, hand_version=await hand.version(pool, who, view.order))


async def in_hand_alone(request: Request) -> Response:
    """The order in hand alone. Looking is not yet holding: the page says so when somebody stays (`hold`)."""
    guarding.require(request, *guarding.LOOKING)
    return pages.render(request, "desk_hand.html", **await hand.values(request, request.query_params.get("order", "")))


async def hold(request: Request) -> Response:
    """This person has the order open, still or since now. Others see it on their rows."""
    guarding.require(request, *guarding.DESK)
    await _take_up(request, str((await request.form()).get("order", ""))[:TEXT_MAX])
    return Response(status_code=204)


async def _take_up(request: Request, order: str) -> None:
    pool, who = request.app.state.pool, guarding.person(request)
    if not order:
        news = await in_hand.put_down(pool, who)
    elif await queue.one(pool, who.portfolios, order) is not None:
        news = await in_hand.take_up(pool, who, order, pages.now(request))
    else:
        news = False
    if news:
        async with pool.acquire() as connection:
            await tell(connection, [WORD])


# --- acting ---------------------------------------------------------------------------------------------------------


async def act(request: Request) -> Response:
    """Do to one order, or to all that were marked, what the form says; the outcome is told in words where the work is."""
    who = guarding.require(request, *guarding.DESK)
    form = await request.form()
    view = view_of(_texts(form), who)
    marked = [str(name) for name in form.getlist("order")][: acting.BULK_MAX]
    try:
        told = await _done(request, acting.wish_of(_texts(form)), marked, is_bulk="bulk" in form)
    except Unfit as error:
        told = Told(str(error), "bad")
    shown = str(form.get("next") or "") if told.ended else str(form.get("in_hand") or (marked[0] if marked else ""))
    if "hx-request" in request.headers:
        return pages.render(request, "desk_hand.html", **await hand.values(request, shown, told))
    return await _page(request, msgspec.structs.replace(view, order=shown), told)


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _done(request: Request, wish: acting.Wish, marked: Sequence[str], is_bulk: bool) -> Told:
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    found = await _seen(pool, who, marked)
    if not found:
        raise Unfit("Mark an order first: none that you see has this name.")
    if not is_bulk:
        order = found[0]
        outcome = await wishes.send(request, acting.command_of(wish, order, who))
        first = await _who_was_first(pool, who, order.order, outcome)
        return acting.told_of(wish, order, outcome, first)
    if wish.do not in acting.IN_BULK:
        raise Unfit("This is about one order; open it.")
    fit, left = found, list[Order]()
    if wish.do == "release":
        rows = await hand.rows_of(pool, found, await policies.adopted(pool), now)
        fit = [row.order for row in rows if acting.safe_in_bulk(row)]
        left = [row.order for row in rows if not acting.safe_in_bulk(row)]
    outcomes = await wishes.send_all(request, [acting.command_of(wish, order, who) for order in fit])
    return acting.told_of_many(wish, list(zip(fit, outcomes, strict=True)), left)


async def _seen(pool: asyncpg.Pool, who: Person, names: Sequence[str]) -> list[Order]:
    """The orders of these names that the person sees, in the order given."""
    found = await queue.ORDERS.load(pool, names)
    sees = {name for name, order in found.items() if not who.portfolios or order.portfolio in who.portfolios}
    return [found[name] for name in dict.fromkeys(names) if name in sees]


SETTLE_S = 0.5
"""How long the console may be behind the gateway's answer before it tells who was first without knowing."""


async def _who_was_first(pool: asyncpg.Pool, who: Person, name: str, outcome: wishes.Outcome) -> str:
    """Two people, one order: who comes second is told who was first."""
    if outcome.how != "refused" or outcome.fact.get("reason") != "not_waiting":
        return ""
    for _ in range(5):
        row = await queue.one(pool, who.portfolios, name)
        if row is not None and row["status"] not in WAITING and row["decided_by"]:
            people = await hand.people_of(pool)
            by = "you" if row["decided_by"] == who.name else people.get(row["decided_by"], row["decided_by"])
            return f"It was {row['status']} by {by}."
        await asyncio.sleep(SETTLE_S / 5)
    return ""


ROUTES = [
    Route("/desk", page),
    Route("/desk/rows", rows),
    Route("/desk/hand", in_hand_alone),
    Route("/desk/hold", hold, methods=["POST"]),
    Route("/desk/act", act, methods=["POST"]),
]
