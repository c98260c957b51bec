"""One order as it is looked at: its row, its decisions, how it would be decided now, and who else has it open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import asyncpg
from starlette.requests import Request

from services.console import acting, clearing, course, explaining, guarding, in_hand, pages, policies, queue, said, showing
from services.console.acting import Told
from services.console.explaining import Case, Explained, Now
from services.console.following import Order
from services.console.in_hand import Hand
from services.console.people import Person
from services.console.showing import Row
from shared.credit.rulebook import Policies


async def values(request: Request, name: str, told: Told | None = None) -> dict[str, Any]:
    """What a template shows of one order; `hand` is None when there is none, or when this person does not see it."""
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    book = await policies.adopted(pool)
    row = await _row(pool, who, name, book, now)
    if row is None:
        return {"hand": None, "asked": name, "told": told}
    facts = await said.of_order(pool, name)
    decisions = explaining.all_explained(facts, book)
    looked = await looked_at_now(pool, row, decisions, book, now)
    hands = (await in_hand.others(pool, who, [name])).get(name, [])
    people = await people_of(pool)
    return {
        "hand": row,
        "asked": name,
        "told": told,
        "placed": showing.decode_placed(row.order.placed) if row.order.placed is not None else None,
        "last": decisions[-1] if decisions else None,
        "looked": looked,
        "clears": _words_of(looked, row.order.currency),
        "timeline": [(fact.at, course.told(fact, people, row.order.currency)) for fact in reversed(facts)],
        "may": acting.may(who, row, looked.remedy.final if looked is not None else ()),
        "others": hands,
        "hand_version": version_of(row.order.sequence, row.account.sequence, hands),
        "people": people,
        "desks": await desk_people(pool),
        "workable": who.role in guarding.DESK,
    }


def _words_of(looked: Now | None, currency: str) -> str:
    """What would clear it, as a sentence."""
    said_so = clearing.sentence(looked.remedy, currency, pages.role_name) if looked is not None else ""
    return f"{said_so[:1].upper()}{said_so[1:]}." if said_so else ""


async def _row(pool: asyncpg.Pool, who: Person, name: str, book: Policies, now: dt.datetime) -> Row | None:
    record = await queue.one(pool, who.portfolios, name) if name else None
    if record is None:
        return None
    found = await rows_of(pool, [queue.ORDERS.of(record)], book, now)
    return found[0] if found else None


async def rows_of(pool: asyncpg.Pool, found: Sequence[Order], book: Policies, now: dt.datetime) -> list[Row]:
    """Orders as lines of the queue, with what their accounts and groups could cost now."""
    accounts = await queue.accounts_of(pool, (order.account for order in found))
    groups = await queue.groups_of(pool, (order.home for order in found))
    return showing.rows_of(found, accounts, groups, book, now)


async def looked_at_now(
    pool: asyncpg.Pool, row: Row, decisions: Sequence[Explained], book: Policies, now: dt.datetime
) -> Now | None:
    """None for an order that waits no more: nothing of it is to be decided."""
    order = row.order
    if not order.waits or not decisions:
        return None
    group = (await queue.groups_of(pool, [order.home])).get(order.home, [])
    debts = await queue.debts(pool, order.account)
    case = Case(order.order, order.waiting_minor, order.level, row.account, group, debts)
    return explaining.explained_now(decisions[-1].decision, case, book, now)


# --- versions and people --------------------------------------------------------------------------------------------


async def version(pool: asyncpg.Pool, who: Person, name: str) -> str:
    """Changes whenever the order, its account, or who has it open does; a page asks for the order again only then."""
    record = await queue.one(pool, who.portfolios, name) if name else None
    if record is None:
        return ""
    account = await pool.fetchval("select sequence from accounts where account = $1", record["account"])
    hands = (await in_hand.others(pool, who, [name])).get(name, [])
    return version_of(record["sequence"], account, hands)


def version_of(order_sequence: int, account_sequence: int, hands: Sequence[Hand]) -> str:
    return ".".join([str(order_sequence), str(account_sequence), *(each.person for each in hands)])


async def people_of(pool: asyncpg.Pool) -> dict[str, str]:
    """Name → how pages call them, for owners and whoever acted."""
    return {row["name"]: row["shown"] for row in await pool.fetch("select name, shown from person")}


async def desk_people(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    """Whom an order may be given to: (name, shown)."""
    rows = await pool.fetch(
        "select name, shown from person where role = any($1::text[]) and disabled_at is null order by shown", list(guarding.DESK)
    )
    return [(row["name"], row["shown"]) for row in rows]
