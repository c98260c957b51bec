"""What people do on the pages of accounts, as wishes to the credit master: stops and the work on them, notes, limits and terms,
and the answers of the approvals inbox (A3, A6, A7). It decides nothing; a refusal is shown in its own words, with what was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts import accounts
from contracts.accounts import Terms
from contracts.envelope import derived_id
from contracts.forms import Fault, Faulty, in_words, message_of
from contracts.message import Command
from services.console import account, amounts, answering, approvals, book, guarding, notices, refusing, wishes
from services.console.booking import Page

Typed = Mapping[str, str]
NAME_MAX = 64
"""Of an account's name, as it is told back."""
NAME_LENGTH = 12
"""Of an action's name: enough that two of one stop never share it."""


async def wish(request: Request) -> Response:
    """One form of these pages: `what` is wished of `account`. Raises 404 for an account that this person does not see."""
    who = guarding.require(request, *guarding.DESK)
    typed = {name: text for name, text in (await request.form()).items() if isinstance(text, str)}
    found = await book.account(request.app.state.pool, who.portfolios, typed.get("account", ""))
    make = WISHES.get(typed.get("what", ""))
    if found is None:
        raise guarding.Absent("account", typed.get("account", "")[:NAME_MAX], who)
    if make is None:
        raise HTTPException(404)
    try:
        command = make(found.page, typed)
    except Faulty as faulty:
        return await _again(request, found.page, typed, in_words(faulty.faults), 422)
    pool, name = request.app.state.pool, found.page.account
    written, orders = await book.written(pool, name), await book.open_orders(pool, name)
    outcome = await wishes.send(request, command)
    if outcome.how in ("refused", "failed"):
        return await _again(request, found.page, typed, refusing.told(outcome, found.page.currency), 409)
    if outcome.is_done and outcome.word != "unchanged":
        await wishes.known(lambda: book.grew(pool, name, written))
    text = answering.told(answering.case_of(found.page, typed, outcome, orders))
    return notices.go(request, _back(found.page, typed), text, outcome.tone)


def _back(page: Page, typed: Typed) -> str:
    """The page that the form was on."""
    return {"approvals": "/approvals", "stops": "/stops"}.get(typed.get("on", ""), f"/accounts/{quote(page.account)}")


async def _again(request: Request, page: Page, typed: Typed, why: str, status: int) -> Response:
    """The same page, with what was typed and why it was not done."""
    if typed.get("on") == "approvals":
        return await approvals.show(request, status=status, refused=why, typed=typed)
    return await account.show(request, page.account, status=status, refused=why, typed=typed)


# --- what each form wishes --------------------------------------------------------------------------------------------


def _plain(kind: type[Command], *fields: str) -> Callable[[Page, Typed], Command]:
    """The command with these fields as they were typed; an empty one is left out, and missed where it is needed."""

    def make(page: Page, typed: Typed) -> Command:
        values = {name: text for name in fields if (text := typed.get(name, "").strip())}
        return message_of(kind, {"account": page.account, **values})

    return make


def _announce(page: Page, typed: Typed) -> Command:
    values = {"on": typed.get("day", "").strip(), "reason": typed.get("reason", "").strip()}
    return message_of(accounts.ScheduleStop, {"account": page.account, **values})


def _action(page: Page, typed: Typed) -> Command:
    """Named by its stop and content, so that the same action sent twice is one."""
    values = {name: typed.get(name, "").strip() for name in ("text", "due_on", "owner")}
    name = derived_id("action", page.account, str(page.stopped_at), *values.values())[:NAME_LENGTH]
    return message_of(accounts.AddStopAction, {"account": page.account, "action": name, **values})


def _limit(page: Page, typed: Typed) -> Command:
    values: dict[str, Any] = {"account": page.account, "reason": typed.get("reason", "").strip()}
    values["limit_minor"] = _minor(typed.get("limit", ""), page.currency, "limit")
    values |= {name: text for name in ("limit_expires_on", "effective_from") if (text := typed.get(name, "").strip())}
    return message_of(accounts.ChangeLimit, values)


NAMED_TERMS = ("payment_days", "risk_class", "tier", "controller", "sales_manager", "statement_cadence")
"""Terms that the form has as text; one left empty stays as it is."""


def _terms(page: Page, typed: Typed) -> Command:
    """The terms as they are, with what the form has of them."""
    terms = msgspec.json.decode(page.terms, type=Terms)
    standard = typed.get("standard_order", "").strip()
    changed = replace(
        terms,
        cash_on_delivery="cash_on_delivery" in typed,
        po_required="po_required" in typed,
        standard_order_minor=_minor(standard, page.currency, "standard order") if standard else None,
    )
    named = {name: typed.get(name, "").strip() for name in NAMED_TERMS}
    values: dict[str, Any] = msgspec.to_builtins(changed) | {name: text for name, text in named.items() if text}
    values["payment_days"] = _count(named["payment_days"])
    wished: dict[str, Any] = {"account": page.account, "terms": values, "reason": typed.get("reason", "").strip()}
    if day := typed.get("effective_from", "").strip():
        wished["effective_from"] = day
    return message_of(accounts.ChangeTerms, wished)


def _minor(text: str, currency: str, field: str) -> int:
    """Money as people type it. Raises `Faulty`."""
    try:
        return amounts.minor_of(text, currency)
    except amounts.NoAmount as error:
        raise Faulty(Fault(field, error.problem, error.mend)) from error


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 5:
        return int(text)
    raise Faulty(Fault("days", f"{text!r} is no number of days", "write a whole number such as 30"))


WISHES: Mapping[str, Callable[[Page, Typed], Command]] = {
    "stop": _plain(accounts.PutOnStop, "reason"),
    "off": _plain(accounts.TakeOffStop, "reason"),
    "announce": _announce,
    "call_off": _plain(accounts.CallOffStop, "reason"),
    "assign": _plain(accounts.AssignStop, "owner"),
    "action": _action,
    "close": _plain(accounts.CloseStopAction, "action", "outcome"),
    "progress": _plain(accounts.NoteStopProgress, "text"),
    "note": _plain(accounts.NoteAccount, "channel", "text"),
    "limit": _limit,
    "terms": _terms,
    "approve": _plain(accounts.ApproveRequest, "request", "reason", "sales_view", "finance_view"),
    "decline": _plain(accounts.DeclineRequest, "request", "reason"),
    "withdraw": _plain(accounts.WithdrawRequest, "request", "reason"),
}
"""`what` of a form → the command."""

ROUTES = [Route("/account-wishes", wish, methods=["POST"])]
