"""`/cards`: a card payment taken for an account, its states as the acquirer tells them, refunds proposed (P9).

A token stands for the card; what looks like a card number is sent back before anything of it leaves this page.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.envelope import derived_id
from contracts.forms import Faulty, in_words, message_of
from contracts.message import Command
from contracts.payments import RefundCardPayment, TakeCardPayment
from services.console import amounts, book, guarding, notices, pages, refusing, wishes
from services.console.receivables import cards
from services.console.receivables.allocating import Unfit
from services.console.receivables.cards import Card
from shared.card_number import looks_like_card

NAME_MAX = 64
KEY_BYTES = 8
NOTHING_TYPED: Mapping[str, str] = {}
LOOKS_LIKE_CARD = (
    "This looks like a card number. Nothing of it was kept or sent; use the token that the acquirer's own form gives for it."
)


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    return await show(request)


async def show(request: Request, status: int = 200, refused: str = "", typed: Mapping[str, str] = NOTHING_TYPED) -> Response:
    """`typed` never brings a token back to the page."""
    who, pool = guarding.person(request), request.app.state.pool
    account = request.query_params.get("account", "").replace("\0", "").strip()[:NAME_MAX]
    return pages.render(
        request,
        "cards.html",
        status=status,
        rows=await cards.payments(pool, who.portfolios, account),
        account=account,
        new_key=typed.get("payment") or f"CARD-{secrets.token_hex(KEY_BYTES).upper()}",
        may=who.role in guarding.DESK,
        refused=refused,
        typed={name: text for name, text in typed.items() if name != "token"},
        done=notices.taken(request),
    )


async def act(request: Request) -> Response:
    """Take a payment under the form's own key, so that a form sent twice is one payment; or propose a refund of one."""
    who = guarding.require(request, *guarding.DESK)
    form = {name: text.replace("\0", "") for name, text in (await request.form()).items() if isinstance(text, str)}
    if any(looks_like_card(text) for name, text in form.items() if name in ("token", "payment", "account", "items", "reason")):
        return await show(request, 422, LOOKS_LIKE_CARD)
    pool, account = request.app.state.pool, form.get("account", "").strip()[:NAME_MAX]
    found = await book.account(pool, who.portfolios, account)
    if found is None:
        return await show(request, 422, book.missing(who.portfolios, account), form)
    card = await cards.one(pool, who.portfolios, cards.key_of(account, form.get("payment", "")))
    currency = found.page.currency
    try:
        outcome = await wishes.send(request, command_of(form, currency, card))
    except Unfit as error:
        return await show(request, 422, str(error), form)
    if outcome.how in ("refused", "failed"):
        return await show(request, 409, refusing.told(outcome, card.currency if card is not None else currency), form)
    if outcome.is_done and form.get("do") == "take":
        await wishes.known(lambda: cards.one(pool, who.portfolios, cards.key_of(account, form.get("payment", ""))))
    return notices.go(request, "/cards", _told(form, outcome), outcome.tone)


def _told(form: Mapping[str, str], outcome: wishes.Outcome) -> str:
    if not outcome.is_done or outcome.word == "unchanged":
        return outcome.said
    if form.get("do") == "take":
        return "The acquirer is asked; what it answers stands below as soon as it is known."
    return "The refund is proposed: somebody else approves it under Payouts."


def command_of(form: Mapping[str, str], currency: str, card: Card | None) -> Command:
    """Raises `Unfit`. Pure."""
    named: dict[str, Any] = {name: form.get(name, "").strip() for name in ("account", "payment")}
    try:
        match form.get("do"):
            case "take":
                items = [item for item in form.get("items", "").replace(",", " ").split() if item]
                asks: dict[str, Any] = {"currency": currency, "token": form.get("token", "").strip(), "items": items}
                return message_of(TakeCardPayment, {**named, **asks, "amount_minor": _minor(form, currency)})
            case "refund" if card is not None:
                amount_minor = _minor(form, card.currency) if form.get("amount", "").strip() else card.left_minor
                key = derived_id("card refund", card.key, str(amount_minor), str(card.sequence))
                asks = {"key": key, "amount_minor": amount_minor, "reason": form.get("reason", "").strip()}
                return message_of(RefundCardPayment, {**named, **asks})
            case _:
                raise Unfit("There is no such payment, or nothing of this kind can be done to it.")
    except Faulty as faulty:
        raise Unfit(in_words(faulty.faults)) from faulty


def _minor(form: Mapping[str, str], currency: str) -> int:
    try:
        return amounts.minor_of(form.get("amount", ""), currency)
    except amounts.NoAmount as error:
        raise Unfit(f"The amount: {error}.") from error


ROUTES = [Route("/cards", page), Route("/cards/act", act, methods=["POST"])]
