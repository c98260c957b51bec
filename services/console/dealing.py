"""The page of announced large orders: what waits for an approval, what is reserved and for how long, and which orders came (O8).

It decides nothing: a pressed button is a wish to the order desk, whose answer is told in its own words.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.message import Command
from contracts.orders import ApproveDeal, DeclineDeal, RegisterDeal, WithdrawDeal
from services.console import (
    amounts,
    as_of,
    deals,
    guarding,
    notices,
    pages,
    past,
    policies,
    position,
    queue,
    refusing,
    wishes,
)  # fmt: skip
from services.console.deals import Deal, Shown, Sum
from services.console.following import Account
from services.console.people import Person
from services.console.wishes import Outcome
from shared.credit import reasons
from shared.credit.rulebook import Rules, authority_of, level_needed

WINDOW_DAYS = 14
"""The window that an empty form offers."""
ENDS_SOON_DAYS = 2
SHOWS = ("open", "over")
TEXT_MAX, NAME_MAX = 500, 64
"""Bounds of the contract (`contracts.words`)."""
TOLD = {
    "registered": "It is announced, and waits for somebody with the authority.",
    "approved": "Approved. Its value is reserved, and the order that quotes it passes.",
    "declined": "Declined. Nothing was reserved.",
    "withdrawn": "Withdrawn. What it had reserved is free again.",
    "waiting": "Sent. It is not answered yet; this page shows it when it is.",
}
"""What the doer is told after a redirect."""


class Wanted(NamedTuple):
    """What of the list is asked for."""

    show: str
    text: str
    as_of: dt.date | None = None

    def path(self, **more: str) -> str:
        asked = {name: str(value) for name, value in {**self._asdict(), **more}.items() if value}
        return f"/deals?{urlencode({'q' if name == 'text' else name: value for name, value in asked.items()})}"


# --- looking --------------------------------------------------------------------------------------------------------


async def page(request: Request) -> Response:
    """The whole page: the list, and beside it a deal or the form of a new one."""
    guarding.require(request, *guarding.LOOKING)
    return await _page(request)


async def listed(request: Request) -> Response:
    """The list alone, when it changed."""
    guarding.require(request, *guarding.LOOKING)
    return pages.render(request, "deals_again.html", **await _list(request))


async def facts(request: Request) -> Response:
    """What one deal is now, when it changed."""
    guarding.require(request, *guarding.LOOKING)
    return pages.render(request, "deals_facts.html", **await _in_hand(request, await _found(request)))


async def _page(
    request: Request,
    status: int = 200,
    outcome: Outcome | None = None,
    given: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> Response:
    shown = await _asked_for(request)
    if shown is None and request.query_params.get("deal"):
        raise guarding.Absent("deal", "", guarding.person(request))
    hand = await _in_hand(request, shown) if shown is not None else {"shown": None}
    may_announce = guarding.person(request).role in guarding.DESK and as_of.asked(request) is None
    form = {
        "may_announce": may_announce,
        "form": shown is None and may_announce and (given is not None or "new" in request.query_params),
        "given": given if given is not None else _offered(request),
        "faults": faults or {},
    }
    told = {"outcome": outcome, "done": notices.taken(request)}
    return pages.render(request, "deals.html", status=status, **{**await _list(request), **hand, **form, **told})


async def _list(request: Request) -> dict[str, Any]:
    who, wanted, today = guarding.person(request), _wanted(request), _today(request)
    rows, sums, cut = await _rows(request, who, wanted, today)
    chosen = request.path_params.get("id") or request.query_params.get("deal", "")
    return {
        "rows": rows,
        "sums": sums,
        "wanted": wanted,
        "chosen": chosen,
        "today": today,
        "as_of": wanted.as_of,
        "on": wanted.as_of or today,
        "beside": _beside([row.deal.id for row in rows], chosen),
        "left": left,
        "cut": cut,
    }


async def _rows(request: Request, who: Person, wanted: Wanted, today: dt.date) -> tuple[list[Shown], list[Sum], bool]:
    """What the list shows, the figures above it, and whether there is more; of a past day as it stood."""
    pool, seen, text, day = request.app.state.pool, who.portfolios, wanted.text, wanted.as_of
    if day is None:
        ask = deals.ended_ones if wanted.show == "over" else deals.open_ones
        rows, sums = await ask(pool, seen, text), await deals.sums(pool, seen, today)
        return rows, sums, len(rows) == deals.SHOWN
    if wanted.show == "over":
        rows = await as_of.ended_deals(pool, seen, day, text)
        return rows, [], len(rows) == deals.SHOWN
    rows = await as_of.open_deals(pool, seen, day, text)
    return rows[: deals.SHOWN], as_of.sums_of(rows, day), len(rows) > deals.SHOWN


def _beside(ids: list[str], chosen: str) -> tuple[str, str]:
    """The deals before and after the chosen one, for the keys."""
    if chosen not in ids:
        return "", ids[0] if ids else ""
    at = ids.index(chosen)
    return ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else ""


class Left(NamedTuple):
    """How long a window is still open: in words, how much of it is used in percent, and the tone of that."""

    text: str
    used: int
    tone: str


def left(deal: Deal, today: dt.date) -> Left:
    if today < deal.from_on:
        return Left(f"begins in {(deal.from_on - today).days} d", 0, "")
    days = (deal.until_on - today).days
    whole = max((deal.until_on - deal.from_on).days + 1, 1)
    used = min(100, 100 * (whole - days - 1) // whole) if days >= 0 else 100
    if days <= 0:
        return Left("last day" if days == 0 else "over", used, "bad")
    return Left(f"{days} d", used, "warn" if days <= ENDS_SOON_DAYS else "")


async def _in_hand(request: Request, shown: Shown) -> dict[str, Any]:
    """A deal with the exposure it stands in, what would hold its order, and what this person may do to it: of a past day
    nothing."""
    day, today = as_of.asked(request), _today(request)
    account, rules = await _account(request, shown.deal, day)
    who = guarding.person(request)
    return {
        "shown": shown,
        "today": today,
        "as_of": day,
        "on": day or today,
        "left": left,
        "account": account,
        "exposure": _exposure(account, shown.deal, rules, day or today) if account is not None and rules is not None else None,
        "holding": [reasons.told(finding, shown.deal.currency) for finding in shown.deal.findings],
        "why_not": _why_not(who, shown.deal, rules) if day is None else "",
        "may": _may(who, shown.deal, rules) if day is None else frozenset(),
    }


async def _account(request: Request, deal: Deal, day: dt.date | None) -> tuple[Account | None, Rules | None]:
    pool, name = request.app.state.pool, deal.account
    rows = await (past.of_accounts(pool, [name], day) if day else queue.accounts_of(pool, [name]))
    if name not in rows:
        return None, None
    at = as_of.end_of(day) - dt.timedelta(microseconds=1) if day else pages.now(request)
    return rows[name], policies.rules_now(await policies.adopted(pool), at, rows[name])


class Drawn(NamedTuple):
    """An account's exposure with this deal in it: amounts, and their places on a bar in percent."""

    before_minor: int
    deal_minor: int
    limit_minor: int
    before: int
    deal: int
    limit: int

    @property
    def over_minor(self) -> int:
        return self.before_minor + self.deal_minor - self.limit_minor


def _exposure(account: Account, deal: Deal, rules: Rules, on: dt.date) -> Drawn:
    """What is reserved for the deal is in exposure already; what waits for an approval is not."""
    minor = deal.reserved_minor or (deal.value_minor if deal.ended_at is None else 0)
    before = position.exposure_minor(account, rules, on) - deal.reserved_minor
    whole = max(before + minor, account.limit_minor, 1)
    share = [max(0, min(100, 100 * each // whole)) for each in (before, minor, account.limit_minor)]
    return Drawn(before, minor, account.limit_minor, *share)


def _may(who: Person, deal: Deal, rules: Rules | None) -> frozenset[str]:
    """The wishes that the order desk would not refuse this person for who they are (A6)."""
    if deal.ended_at is not None or rules is None or who.role not in guarding.DESK:
        return frozenset()
    grade = authority_of(rules, who.role)
    may = {"withdraw"} if grade is not None or who.name == deal.by else set()
    if deal.state == deals.REGISTERED and grade is not None:
        may.add("decline")
        if who.name != deal.by and grade.covers(deal.value_minor):
            may.add("approve")
    return frozenset(may)


async def answerable(request: Request) -> list[tuple[Shown, bool]]:
    """The deals that wait for an approval, and whether this person may give it."""
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    found = await deals.waiting(pool, who.portfolios)
    accounts = await queue.ACCOUNTS.load(pool, {shown.deal.account for shown in found})
    book = await policies.adopted(pool)
    rules = {name: policies.rules_now(book, now, account) for name, account in accounts.items()}
    return [(shown, "approve" in _may(who, shown.deal, rules.get(shown.deal.account))) for shown in found]


def _why_not(who: Person, deal: Deal, rules: Rules | None) -> str:
    """Why this person may not approve it, in words; empty when they may, or there is nothing to approve."""
    if deal.state != deals.REGISTERED or rules is None:
        return ""
    grade = authority_of(rules, who.role)
    if grade is not None and who.name == deal.by:
        return "You registered it: somebody else approves it."
    if grade is None or not grade.covers(deal.value_minor):
        return f"{pages.role_name(level_needed(rules, deal.value_minor).role)} or above approves this value."
    return ""


# --- wishing --------------------------------------------------------------------------------------------------------


async def register(request: Request) -> Response:
    """Announce a large order. What is wrong with the form stands beside its fields, and nothing that was typed is lost."""
    who = guarding.require(request, *guarding.DESK)
    form = await request.form()
    given = {name: str(form.get(name, "")).strip() for name in FIELDS}
    account = await _visible(request.app.state.pool, who, given["account"])
    command, faults = _announced(given, account)
    if command is None:
        return await _page(request, 422, given=given, faults=faults)
    outcome = await wishes.send(request, command)
    if outcome.how in ("refused", "failed"):
        assert account is not None, "a command is made for an account that is there"
        return await _page(request, 409, _in_words(outcome, account.currency), given)
    pool = request.app.state.pool
    name = await wishes.known(lambda: deals.id_of(pool, command.account, command.deal)) if outcome.is_done else None
    return _back(request, outcome, name or "")


FIELDS = ("account", "deal", "value", "from_on", "until_on", "evidence")


def _offered(request: Request) -> dict[str, str]:
    today = _today(request)
    until = today + dt.timedelta(days=WINDOW_DAYS)
    window = {"from_on": today.isoformat(), "until_on": until.isoformat()}
    return dict.fromkeys(FIELDS, "") | window | {"account": request.query_params.get("account", "")[:NAME_MAX]}


async def _visible(pool: asyncpg.Pool, who: Person, name: str) -> Account | None:
    found = (await queue.ACCOUNTS.load(pool, [name])).get(name) if name else None
    return found if found is not None and (not who.portfolios or found.portfolio in who.portfolios) else None


def _announced(given: Mapping[str, str], account: Account | None) -> tuple[RegisterDeal | None, dict[str, str]]:
    """The command, or what is wrong with which field."""
    faults: dict[str, str] = {}
    if account is None:
        faults["account"] = "no account of yours has this number"
    if not 0 < len(given["deal"]) <= NAME_MAX:
        faults["deal"] = f"what the order will quote, in 1 to {NAME_MAX} characters"
    if not 0 < len(given["evidence"]) <= TEXT_MAX:
        faults["evidence"] = f"what makes you expect it, in at most {TEXT_MAX} characters"
    value = _value(given["value"], account.currency if account is not None else "GBP", faults)
    first, last = _day(given, "from_on", faults), _day(given, "until_on", faults)
    if first and last and last < first:
        faults["until_on"] = "is before the first day"
    if faults or account is None or first is None or last is None:
        return None, faults
    command = RegisterDeal(
        deal=given["deal"], account=account.account, currency=account.currency, value_minor=value, from_on=first,
        until_on=last, evidence=given["evidence"],
    )  # fmt: skip
    return command, faults


def _value(text: str, currency: str, faults: dict[str, str]) -> int:
    try:
        minor = amounts.minor_of(text, currency)
    except amounts.NoAmount as error:
        faults["value"] = str(error)
        return 0
    if minor <= 0:
        faults["value"] = "more than nothing"
    return minor


def _day(given: Mapping[str, str], field: str, faults: dict[str, str]) -> dt.date | None:
    try:
        return dt.date.fromisoformat(given[field])
    except ValueError:
        faults[field] = "a day, such as 2026-03-09"
        return None


async def approve(request: Request) -> Response:
    guarding.require(request, *guarding.DESK)
    return await _answer(request, ApproveDeal)


async def decline(request: Request) -> Response:
    guarding.require(request, *guarding.DESK)
    return await _answer(request, DeclineDeal)


async def withdraw(request: Request) -> Response:
    guarding.require(request, *guarding.DESK)
    return await _answer(request, WithdrawDeal)


async def _answer(request: Request, kind: type[ApproveDeal | DeclineDeal | WithdrawDeal]) -> Response:
    shown = await _found(request)
    reason = str((await request.form()).get("reason", "")).strip()[:TEXT_MAX]
    if not reason:
        return await _page(request, 422, Outcome("refused", "Say why: the reason stands with the decision."))
    command: Command = kind(deal=shown.deal.deal, account=shown.deal.account, reason=reason)
    outcome = await wishes.send(request, command)
    if outcome.how in ("refused", "failed"):
        return await _page(request, 409, _in_words(outcome, shown.deal.currency))
    if outcome.is_done:
        await wishes.known(lambda: _moved(request.app.state.pool, shown.deal))
    return _back(request, outcome, shown.deal.id)


def _in_words(outcome: Outcome, currency: str) -> Outcome:
    return msgspec.structs.replace(outcome, said=refusing.told(outcome, currency))


def _back(request: Request, outcome: Outcome, name: str) -> Response:
    """To the page, so that loading it again sends nothing."""
    word = outcome.word if outcome.is_done else outcome.how
    return notices.go(request, _wanted(request).path(deal=name), TOLD.get(word, outcome.said), outcome.tone)


async def _moved(pool: asyncpg.Pool, before: Deal) -> bool:
    return await deals.sequence_of(pool, before.id) != before.sequence


# --- what was asked for ---------------------------------------------------------------------------------------------


def _wanted(request: Request) -> Wanted:
    show = request.query_params.get("show", "")
    text = request.query_params.get("q", "").replace("\0", "").strip()[:NAME_MAX]
    return Wanted(show if show in SHOWS[1:] else "", text, as_of.asked(request))


def _today(request: Request) -> dt.date:
    return pages.now(request).astimezone(ZoneInfo(guarding.person(request).zone)).date()


async def _asked_for(request: Request) -> Shown | None:
    name = request.path_params.get("id") or request.query_params.get("deal", "")
    pool, seen, day = request.app.state.pool, guarding.person(request).portfolios, as_of.asked(request)
    if not name:
        return None
    return await (as_of.deal(pool, seen, name[:NAME_MAX], day) if day else deals.one(pool, seen, name[:NAME_MAX]))


async def _found(request: Request) -> Shown:
    """The deal of the path. Raises 404 for one that is not there, or not for this person."""
    shown = await _asked_for(request)
    if shown is None:
        raise guarding.Absent("deal", "", guarding.person(request))
    return shown


ROUTES = [
    Route("/deals", page),
    Route("/deals/list", listed),
    Route("/deals/register", register, methods=["POST"]),
    Route("/deals/{id}/facts", facts),
    Route("/deals/{id}/approve", approve, methods=["POST"]),
    Route("/deals/{id}/decline", decline, methods=["POST"]),
    Route("/deals/{id}/withdraw", withdraw, methods=["POST"]),
]
