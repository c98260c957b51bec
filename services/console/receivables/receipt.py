"""One receipt by itself: all that the bank told, its matches with evidence and what was rejected, who did what; undo (P6, P7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.payments import CashAllocated, CashUnallocated, Settle
from services.console import guarding, notices, pages
from services.console.receivables import allocating, cash, course, desk, money_in_hand, standing
from services.console.receivables.allocating import Told, Unfit
from services.console.receivables.cash import RECEIPT
from services.console.receivables.following import Receipt
from services.console.receivables.ledger import Item, key_of
from services.console.said import Said

NAME_MAX = 64


class Match(NamedTuple):
    """A match with the items that it settled, and, where it does not stand any more, what took it back."""

    said: Said
    data: CashAllocated
    lines: tuple[tuple[Settle, Item | None], ...]
    undone: Said | None

    @property
    def by_machine(self) -> bool:
        return self.data.by in ("", course.OURSELVES)


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    return await _page(request, request.path_params["receipt"])


async def _page(request: Request, name: str, told: Told | None = None) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    receipt = await cash.one(request.app.state.pool, who.portfolios, name)
    if receipt is None:
        raise guarding.Absent("receipt", name[:NAME_MAX], who)
    facts = await cash.told_of(request.app.state.pool, receipt.receipt)
    values = await money_in_hand.values(request, f"{RECEIPT}~{receipt.receipt}", told)
    return pages.render(
        request,
        "receipt.html",
        status=409 if told is not None else 200,
        **values,
        matches=await _matches(request, receipt, facts),
        proof=course.proof,
        may=who.role in guarding.DESK,
        done=notices.taken(request),
        left=_left(receipt),
    )


def _left(receipt: Receipt) -> int:
    return receipt.amount_minor - receipt.unallocated_minor


async def _matches(request: Request, receipt: Receipt, facts: Sequence[Said]) -> list[Match]:
    """Newest first."""
    made = [fact for fact in facts if isinstance(fact.data, CashAllocated)]
    names = [key_of(line.account or receipt.account, line.item) for fact in made for line in fact.data.lines]
    items = await standing.by_keys(request.app.state.pool, receipt.home, names) if names else {}
    return [match_of(fact, facts, items) for fact in made]


def match_of(fact: Said, facts: Sequence[Said], items: Mapping[str, Item]) -> Match:
    """Pure."""
    data: CashAllocated = fact.data
    taken_back = (each for each in facts if isinstance(each.data, CashUnallocated) and each.data.match == data.match)
    lines = tuple((line, items.get(key_of(line.account or data.account, line.item))) for line in data.lines)
    return Match(fact, data, lines, next(taken_back, None))


async def undo(request: Request) -> Response:
    """Take a match back: new entries restore what was so before it."""
    guarding.require(request, *guarding.DESK)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    name = form.get("on", "").partition("~")[2][:NAME_MAX]
    try:
        told = await desk.done(request, allocating.wish_of(form | {"do": "unallocate"}), form, f"{RECEIPT}~{name}")
    except Unfit as error:
        told = Told(str(error), "bad")
    if told.tone == "bad":
        return await _page(request, name, told)
    return notices.go(request, f"/cash/{quote(name)}", told.text, told.tone)


ROUTES = [
    Route("/cash/undo", undo, methods=["POST"]),
    Route("/cash/{receipt:path}", page),
]
