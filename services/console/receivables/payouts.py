"""Payouts: what waits for somebody else's word, what waits for a payment file, the files themselves, bank details (P10, P11, A6).

The bytes that are handed out are proved by the digest of their fact, or not handed out at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import asyncpg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import book, guarding, mishaps, notices, pages, refusing, wishes
from services.console.people import Person
from services.console.receivables import ledger, moving, paying
from services.console.receivables.allocating import Unfit
from services.console.receivables.paying import Details, Payout
from shared.receivables.payment_file import NotPayable, NotWhatWasJournaled, bytes_of
from shared.service import people_in

LOOKING = (*guarding.DESK, "audit")
"""Bank details are for those who work with them, and for those who check the work."""
NAME_MAX = 64
PATH_MAX = 140
NOTHING_TYPED: Mapping[str, str] = {}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class CallBack(NamedTuple):
    """Bank details that wait for a call-back, the account's name, and whether this person may make it."""

    details: Details
    name: str
    mine: bool
    own: bool


async def page(request: Request) -> Response:
    guarding.require(request, *LOOKING)
    return await show(request)


async def show(request: Request, status: int = 200, refused: str = "", typed: Mapping[str, str] = NOTHING_TYPED) -> Response:
    """What this person may answer first, then what is on its way; whole files only for those who see all portfolios."""
    who, pool = guarding.person(request), request.app.state.pool
    asked = await paying.payouts(pool, who.portfolios, waiting=True)
    all_of_it = not who.portfolios
    return pages.render(
        request,
        "payouts.html",
        status=status,
        asked=[(each, may_answer(who, each.payout), is_own(who, each.payout)) for each in asked],
        why=refusing.why_declined,
        answered=await paying.payouts(pool, who.portfolios, waiting=False),
        waiting=await paying.waiting(pool) if all_of_it else [],
        files=await paying.files(pool) if all_of_it else [],
        unconfirmed=await call_backs(pool, who),
        all_of_it=all_of_it,
        may=who.role in guarding.DESK,
        today=pages.now(request).date(),
        refused=refused,
        typed=typed,
        done=notices.taken(request),
    )


def may_answer(who: Person, payout: Payout) -> bool:
    """By the levels that were told when it was asked for; the ledger has the last word, under the policy of the day."""
    return who.role in payout.levels and not is_own(who, payout)


def is_own(who: Person, payout: Payout) -> bool:
    return _shares(who, payout.by)


async def call_backs(pool: asyncpg.Pool, who: Person) -> list[CallBack]:
    """Bank details that wait for their call-back, oldest first."""
    return [
        CallBack(each, name, may_call_back(who, each), _shares(who, each.by))
        for each, name in await paying.unconfirmed(pool, who.portfolios)
    ]


def may_call_back(who: Person, details: Details) -> bool:
    """By the levels that were told when the details were noted; of earlier details, all of the desk but who noted them."""
    return who.role in (details.levels or guarding.DESK) and not _shares(who, details.by)


def _shares(who: Person, actor: str) -> bool:
    """Whether this person, or whom they act for, is one of these (A6)."""
    return bool({who.name, who.acting_for} & people_in(actor))


# --- a payment file ---------------------------------------------------------------------------------------------------


async def download(request: Request) -> Response:
    """The file, byte for byte as it was journaled; 409 with words when it would come out otherwise."""
    who = guarding.require(request, *LOOKING)
    key = request.path_params["key"][:PATH_MAX]
    found = None if who.portfolios else await paying.file(request.app.state.pool, key)
    if found is None:
        raise guarding.Absent("payment file", "", who)
    try:
        content = bytes_of(found.fact)
    except (NotWhatWasJournaled, NotPayable) as error:
        mend = "Tell who runs the ledger; nothing of it is handed out."
        return mishaps.told(request, 409, "This file must not go to the bank", f"{error}.", mend)
    name = f"{_NOT_IN_NAMES.sub('-', found.file)}.xml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/xml", headers=headers)


# --- acting -----------------------------------------------------------------------------------------------------------


async def act(request: Request) -> Response:
    """What the form says; a refusal is shown with what was typed."""
    guarding.require(request, *guarding.DESK)
    form = {name: text.replace("\0", "") for name, text in (await request.form()).items() if isinstance(text, str)}
    try:
        outcome, currency = await _done(request, form)
    except Unfit as error:
        return await show(request, 422, str(error), form)
    text = moving.told_of(form, outcome, currency)
    if outcome.how in ("refused", "failed"):
        return await show(request, 409, text, form)
    return notices.go(request, _back(form), text, outcome.tone)


def _back(form: Mapping[str, str]) -> str:
    """The page that the form was on."""
    return f"/receivables/written-off?{urlencode({'run': form.get('run', '')})}" if form.get("at") == "runs" else "/payouts"


async def _done(request: Request, form: Mapping[str, str]) -> tuple[wishes.Outcome, str]:
    """The wish sent, and the currency in which a refusal is told. Raises `Unfit`."""
    pool, who = request.app.state.pool, guarding.person(request)
    item, currency = None, ""
    if account := form.get("account", "").strip()[:NAME_MAX]:
        found = await book.account(pool, who.portfolios, account)
        if found is None:
            raise Unfit(book.missing(who.portfolios, account))
        currency = found.page.currency
    elif who.portfolios:
        raise HTTPException(403)
    if form.get("do") in moving.PROPOSES:
        item = await _item(pool, account, form.get("item", "").strip())
        currency = item.currency if item is not None else currency
    command = moving.command_of(form, item)
    before = await _sequence(pool, form)
    outcome = await wishes.send(request, command)
    if outcome.is_done and outcome.word != "unchanged":
        await wishes.known(lambda: _moved(pool, form, outcome.fact, before))
    return outcome, currency


async def _item(pool: asyncpg.Pool, account: str, item: str) -> ledger.Item | None:
    key = ledger.key_of(account, item)
    found = await ledger.ITEMS.load(pool, [key])
    row = found.get(key)
    return row if row is not None and row.open_minor else None


async def _sequence(pool: asyncpg.Pool, form: Mapping[str, str]) -> int:
    """How far the row that this form is about has come."""
    table, key = ("bank_details", "account") if form.get("do") in ("note", "confirm") else ("payouts", "request")
    found = await pool.fetchval(f"select sequence from {table} where {key} = $1", form.get(key, "")[:NAME_MAX])
    return int(found or 0)


async def _moved(pool: asyncpg.Pool, form: Mapping[str, str], fact: Mapping[str, Any], before: int) -> bool:
    match form.get("do"):
        case "file":
            key = paying.key_of(form.get("bank_account", ""), str(fact.get("file", "")))
            return bool(await pool.fetchval("select exists (select from payment_files where key = $1)", key))
        case "refund" | "write_off":
            request = str(fact.get("request", ""))
            return bool(await pool.fetchval("select exists (select from payouts where request = $1)", request))
        case "stop":
            state = await pool.fetchval("select state from outgoing where request = $1", form.get("request", "")[:NAME_MAX])
            return bool(state == paying.STOPPED)
        case _:
            return await _sequence(pool, form) > before


ROUTES = [
    Route("/payouts", page),
    Route("/payouts/act", act, methods=["POST"]),
    Route("/payouts/file/{key:path}", download),
]
