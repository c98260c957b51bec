"""The cash desk: what waits for a person, oldest first, and the receipt or entry in hand beside it (V3, P5–P7).

Every page works without JavaScript; `static/cash.js` adds keys and asks for the same fragments when something changed.
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

from services.console import amounts, book, guarding, hand, in_hand, pages, wishes
from services.console.people import Person
from services.console.receivables import allocating, cash, money_in_hand, standing
from services.console.receivables.allocating import Told, Unfit, Wish
from services.console.receivables.cash import AGES, BEFORE_ALL, RECEIPT, SUSPENSE, Filter, Place, Total, Waits
from services.console.receivables.following import Entry, Receipt
from services.console.receivables.house import house
from services.console.telling import tell

TEXT_MAX = 100
NAME_MAX = 140
KINDS = (RECEIPT, SUSPENSE)
SETTLE_S = 0.5
"""How long the console may be behind the gateway's answer before it tells who was first without knowing."""


class View(msgspec.Struct, frozen=True):
    """What of the desk a page shows, from where, and what is in hand: `receipt~RC-1`, `suspense~<bank account>/<entry>`."""

    wanted: Filter
    after: str = ""
    on: str = ""

    def query(self, **changed: str) -> str:
        """The address of the same view with something changed; what is empty is left out."""
        asked = self.wanted._asdict() | {"after": self.after, "on": self.on} | changed
        asked["q"] = changed.get("q", asked.pop("text"))
        for name in ("seen", "minor", "text"):
            asked.pop(name, None)
        return "/cash?" + urlencode({name: value for name, value in asked.items() if value})


def view_of(given: Mapping[str, str], who: Person) -> View:
    """The view that an address or a form asks for."""
    text = given.get("q", "").replace("\0", "").strip()[:TEXT_MAX]
    names = {name: given.get(name, "").replace("\0", "")[:TEXT_MAX] for name in ("kind", "owner", "portfolio", "currency", "age")}
    wanted = Filter(seen=who.portfolios, text=text, minor=_minor(text), **names)
    return View(wanted, given.get("after", ""), given.get("on", "").replace("\0", "")[:NAME_MAX])


def _minor(text: str) -> int | None:
    """An amount that is searched for, as minor units of a currency with two decimals: what nearly every receipt is in."""
    try:
        return abs(amounts.minor_of(text, house().base_currency))
    except amounts.NoAmount:
        return None


def place_of(token: str) -> Place:
    """Where a window ends, as its page told it: `<day>~<name>`. Anything else is the beginning."""
    day, _, name = token.partition("~")
    try:
        return Place(dt.date.fromisoformat(day), name)
    except ValueError:
        return BEFORE_ALL


def token_of(row: Waits) -> str:
    return f"{row.on.isoformat()}~{row.name}"


def name_of(row: Waits) -> str:
    return f"{row.kind}~{row.name}"


# --- the queue --------------------------------------------------------------------------------------------------------


class Figures(msgspec.Struct, frozen=True):
    """What waits, over all windows: totals by kind and currency, and by age."""

    receipts: tuple[tuple[str, int, int], ...]
    suspense: tuple[tuple[str, int, int], ...]
    ages: tuple[tuple[str, int, str], ...]
    mine: int
    moving: int


def figures_of(totals: Sequence[Total], moving: int) -> Figures:
    """`ages`: (age, how many, their sums in words). Pure."""
    return Figures(
        receipts=_by_currency(totals, RECEIPT),
        suspense=_by_currency(totals, SUSPENSE),
        ages=tuple((name, *_of_age(totals, name)) for name, _, _ in AGES),
        mine=sum(total.mine for total in totals),
        moving=moving,
    )


def _by_currency(totals: Sequence[Total], kind: str) -> tuple[tuple[str, int, int], ...]:
    sums: dict[str, tuple[int, int]] = {}
    for total in totals:
        if total.kind == kind:
            count, minor = sums.get(total.currency, (0, 0))
            sums[total.currency] = count + total.waiting, minor + total.minor
    ordered = sorted(sums.items(), key=lambda each: (-each[1][0], each[0]))
    return tuple((currency, count, minor) for currency, (count, minor) in ordered)


def _of_age(totals: Sequence[Total], age: str) -> tuple[int, str]:
    found = [total for total in totals if total.age == age]
    sums: dict[str, int] = {}
    for total in found:
        sums[total.currency] = sums.get(total.currency, 0) + total.minor
    told = " · ".join(allocating.told_money(minor, currency) for currency, minor in sorted(sums.items()))
    return sum(total.waiting for total in found), told


async def _queue_values(request: Request, view: View) -> dict[str, Any]:
    pool, who, today = request.app.state.pool, guarding.person(request), pages.now(request).date()
    rows = await cash.window(pool, view.wanted, today, place_of(view.after), cash.WINDOW + 1)
    more = len(rows) > cash.WINDOW
    rows = rows[: cash.WINDOW]
    totals = await cash.totals(pool, view.wanted, today, who.name)
    return {
        "view": view,
        "rows": rows,
        "names": [name_of(row) for row in rows],
        "next": token_of(rows[-1]) if rows and more else "",
        "figures": figures_of(totals, await cash.moving(pool, who.portfolios)),
        "shown": sum(total.waiting for total in totals),
        "ages": AGES,
        "today": today,
        "tone": money_in_hand.tone,
        "days": money_in_hand.days,
        "people": await hand.people_of(pool),
        "hands": await in_hand.others(pool, who, [name_of(row) for row in rows]),
        "is_filtered": any(view.wanted[1:]),
        "workable": who.role in guarding.DESK,
    }


# --- pages ------------------------------------------------------------------------------------------------------------


async def page(request: Request) -> Response:
    """The whole desk. Without a choice the first of the queue is in hand."""
    who = guarding.require(request, *guarding.LOOKING)
    return await _page(request, view_of(request.query_params, who))


async def _page(request: Request, view: View, told: Told | None = None, typed: Mapping[str, str] | None = None) -> Response:
    who = guarding.person(request)
    values = await _queue_values(request, view)
    chosen = view.on or (values["names"][0] if values["names"] else "")
    if view.on and who.role in guarding.DESK:
        await _take_up(request, view.on)
    return pages.render(
        request,
        "cash.html",
        status=422 if told is not None and told.tone == "bad" else 200,
        **values | await money_in_hand.values(request, chosen, told, typed),
        choices=await _choices(request, view, values["people"]),
        chosen=bool(view.on),
    )


class Choice(msgspec.Struct, frozen=True):
    """A field of the filter: what it may be, and what it is; a value that nothing has any more stays choosable."""

    name: str
    told: str
    all: str
    options: tuple[tuple[str, str], ...]
    chosen: str


async def _choices(request: Request, view: View, people: Mapping[str, str]) -> list[Choice]:
    pool, who = request.app.state.pool, guarding.person(request)
    facets, owners = await standing.facets(pool, who.portfolios), await cash.owners(pool, who.portfolios)
    by_owner = tuple((name or cash.NOBODY, f"{_called(name, who, people)} · {count}") for name, count in owners)
    wanted = view.wanted
    return [
        _choice("kind", "Kind", "Receipts and suspense", ((RECEIPT, "Receipts"), (SUSPENSE, "In suspense")), wanted.kind),
        _choice("age", "Age", "Any age", tuple((name, name) for name, _, _ in AGES), wanted.age),
        _choice("owner", "Owner", "All owners", by_owner, wanted.owner),
        _choice("portfolio", "Portfolio", "All portfolios", tuple((each, each) for each in facets.portfolios), wanted.portfolio),
    ]


def _choice(name: str, told: str, all_of_them: str, options: tuple[tuple[str, str], ...], chosen: str) -> Choice:
    gone = () if not chosen or chosen in dict(options) else ((chosen, chosen),)
    return Choice(name, told, all_of_them, (*options, *gone), chosen)


def _called(name: str, who: Person, people: Mapping[str, str]) -> str:
    return "You" if name == who.name else people.get(name, name) or "Nobody"


async def rows(request: Request) -> Response:
    """The figures and the queue alone: what a page asks for when something changed. With the version of what is in hand."""
    who = guarding.require(request, *guarding.LOOKING)
    view = view_of(request.query_params, who)
    version = await money_in_hand.version(request, view.on)
    return pages.render(request, "cash_queue.html", **await _queue_values(request, view), hand_version=version)


async def in_hand_alone(request: Request) -> Response:
    """What is in hand alone. Looking is not yet holding: the page says so when somebody stays (`hold`)."""
    guarding.require(request, *guarding.LOOKING)
    return pages.render(request, "cash_hand.html", **await money_in_hand.values(request, request.query_params.get("on", "")))


async def items(request: Request) -> Response:
    """The grid of open items alone, narrowed by what is searched for."""
    guarding.require(request, *guarding.LOOKING)
    return pages.render(request, "cash_items.html", **await money_in_hand.values(request, request.query_params.get("on", "")))


async def accounts(request: Request) -> Response:
    """Accounts by a part of their number or name, as options of a field."""
    who = guarding.require(request, *guarding.DESK)
    text = request.query_params.get("account", "").replace("\0", "").strip()[:TEXT_MAX]
    found = await book.search(request.app.state.pool, who.portfolios, text) if text else []
    return pages.render(request, "cash_accounts.html", found=[each.page for each in found])


async def hold(request: Request) -> Response:
    """This person has it open, still or since now. Others see it on their rows."""
    guarding.require(request, *guarding.DESK)
    await _take_up(request, str((await request.form()).get("on", ""))[:NAME_MAX])
    return Response(status_code=204)


async def _take_up(request: Request, name: str) -> None:
    pool, who = request.app.state.pool, guarding.person(request)
    if not name:
        news = await in_hand.put_down(pool, who)
    elif await money_in_hand.found(request, name) is not None:
        news = await in_hand.take_up(pool, who, name, pages.now(request))
    else:
        news = False
    if news:
        async with pool.acquire() as connection:
            await tell(connection, [cash.WORD])


# --- acting -----------------------------------------------------------------------------------------------------------


async def act(request: Request) -> Response:
    """Do to what is in hand what the form says; the outcome is told in words where the work is, and nothing typed is lost."""
    who = guarding.require(request, *guarding.DESK)
    form = _texts(await request.form())
    name = form.get("on", "")[:NAME_MAX]
    try:
        told = await done(request, allocating.wish_of(form), form, name)
    except Unfit as error:
        told = Told(str(error), "bad")
    shown = form.get("next", "") if told.ended else name
    typed = form if told.tone == "bad" else None
    if "hx-request" in request.headers:
        return pages.render(request, "cash_hand.html", **await money_in_hand.values(request, shown, told, typed))
    view = msgspec.structs.replace(view_of(form, who), on=shown)
    return await _page(request, view, told, typed)


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def done(request: Request, wish: Wish, form: Mapping[str, str], name: str) -> Told:
    """The wish sent, and what became of it. Raises `Unfit` for what is no wish."""
    match await money_in_hand.found(request, name):
        case Receipt() as receipt if wish.do in allocating.DO:
            return await _to_receipt(request, wish, form, receipt)
        case Entry() as entry if wish.do in allocating.OF_ENTRIES:
            return await _to_entry(request, wish, entry)
        case None:
            raise Unfit("It is not here, or not yours to see.")
        case _:
            raise Unfit("This cannot be done to it; look at it again.")


async def _to_receipt(request: Request, wish: Wish, form: Mapping[str, str], receipt: Receipt) -> Told:
    pool, who = request.app.state.pool, guarding.person(request)
    filled = allocating.rows_of(form) if wish.do == "allocate" else []
    known = await standing.by_keys(pool, receipt.home, [row.key for row in filled]) if filled else {}
    lines = allocating.lines_of(filled, known, receipt) if wish.do == "allocate" else ()
    outcome = await wishes.send(request, allocating.command_of(wish, receipt, who, lines))
    if outcome.how in ("done", "waiting"):
        await wishes.known(lambda: _moved(pool, receipt))
    first = await _who_was_first(pool, who, receipt, outcome)
    return allocating.told_of(wish, outcome, receipt.receipt, receipt.currency, first)


async def _moved(pool: asyncpg.Pool, before: Receipt) -> bool:
    after = await pool.fetchval("select sequence from receipts where receipt = $1", before.receipt)
    return bool(after is not None and after > before.sequence)


async def _who_was_first(pool: asyncpg.Pool, who: Person, receipt: Receipt, outcome: wishes.Outcome) -> str:
    """Two clerks, one receipt: who comes second is told who was first."""
    if outcome.how != "refused" or outcome.fact.get("reason") not in ("changed_meanwhile", "gone"):
        return ""
    for _ in range(5):
        change = await cash.change_of(pool, receipt.receipt)
        if (change is not None and change.version > receipt.version) or (change is not None and change.by):
            by = "you" if change.by == who.name else await _named(pool, change.by)
            return f"It was worked on by {by} and is {change.state.replace('_', ' ')} now."
        await asyncio.sleep(SETTLE_S / 5)
    return ""


async def _named(pool: asyncpg.Pool, name: str) -> str:
    return (await hand.people_of(pool)).get(name, name) if name else "somebody else"


async def _to_entry(request: Request, wish: Wish, entry: Entry) -> Told:
    pool, who = request.app.state.pool, guarding.person(request)
    home = await _home_of(pool, who, wish.account) if wish.do == "recognise" else None
    outcome = await wishes.send(request, allocating.entry_command(wish, entry, who, home))
    if outcome.is_done:
        await wishes.known(lambda: _entry_moved(pool, entry))
    told = allocating.told_of(wish, outcome, entry.entry, entry.currency)
    if not (name := str(outcome.fact.get("receipt") or "")):
        return told
    return allocating.with_receipt(told, name, await cash.one(pool, who.portfolios, name))


async def _home_of(pool: asyncpg.Pool, who: Person, account: str) -> str | None:
    found = await book.account(pool, who.portfolios, account) if account else None
    return (found.page.home or found.page.account) if found is not None else None


async def _entry_moved(pool: asyncpg.Pool, before: Entry) -> bool:
    after = await pool.fetchval("select sequence from bank_entries where key = $1", before.key)
    return bool(after is not None and after > before.sequence)


ROUTES = [
    Route("/cash", page),
    Route("/cash/rows", rows),
    Route("/cash/hand", in_hand_alone),
    Route("/cash/items", items),
    Route("/cash/accounts", accounts),
    Route("/cash/hold", hold, methods=["POST"]),
    Route("/cash/act", act, methods=["POST"]),
]
