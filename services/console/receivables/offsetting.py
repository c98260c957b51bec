"""Offsets at work: what would be set against what by due date, taken or left by a person; each offset's statement (P8).

A proposal is a picture of now. What is taken is named line by line, and the ledger checks it again as it is then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.forms import Faulty, in_words, message_of
from contracts.message import Command
from contracts.payments import OffsetItems, UndoOffset
from services.console import book, guarding, notices, pages, refusing, wishes
from services.console.papers.paper import Amount, Column, Paper, Table, day
from services.console.receivables import files, offsets, standing
from services.console.receivables.allocating import Unfit
from services.console.receivables.house import house
from services.console.receivables.ledger import Item
from services.console.receivables.offsets import Of, Shown
from services.console.receivables.standing import Open
from shared.receivables import offsetting
from shared.receivables.offsetting import Debt, Line

NAME_MAX = 64
NOTHING_TYPED: Mapping[str, str] = {}


class Proposal(NamedTuple):
    """A credit, and the debts of its account that it would be set against: (debt, minor units) each."""

    credit: Open
    lines: list[tuple[Open, int]]

    @property
    def total_minor(self) -> int:
        return sum(minor for _, minor in self.lines)

    @property
    def said(self) -> str:
        """The lines as a form carries them, so that what is taken is what was looked at."""
        return "\n".join(f"{debt.item.item}\t{minor}" for debt, minor in self.lines)


class Offered(NamedTuple):
    of: Of
    proposals: list[Proposal]


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    return await show(request)


async def show(request: Request, status: int = 200, refused: str = "", typed: Mapping[str, str] = NOTHING_TYPED) -> Response:
    who, pool = guarding.person(request), request.app.state.pool
    account = request.query_params.get("account", typed.get("account", "")).replace("\0", "").strip()[:NAME_MAX]
    agreed = not account and "all" not in request.query_params
    found = await offsets.accounts(pool, who.portfolios, account, agreed)
    items = await standing.items(pool, [each.account for each in found], limit=offsets.ITEMS_MAX)
    on = pages.now(request).date()
    return pages.render(
        request,
        "offsets.html",
        status=status,
        account=account,
        agreed=agreed,
        offered=[offer for each in found if (offer := offered(each, items, on)).proposals],
        done_ones=await offsets.done(pool, who.portfolios, account),
        days_ahead=house().offset_days_ahead,
        may=who.role in guarding.DESK,
        refused=refused,
        typed=typed,
        done=notices.taken(request),
    )


def offered(of: Of, items: Sequence[Open], on: dt.date) -> Offered:
    """Credit after credit, the oldest first; what one takes of a debt the next one no longer finds. Pure."""
    own = [each for each in items if each.item.account == of.account]
    ours = sorted((each for each in own if each.open_minor < 0), key=lambda each: (each.item.document_on, each.item.item))
    left = {each.item.item: each.open_minor for each in own if each.open_minor > 0}
    proposals = [made for credit in ours if (made := _proposal(credit, own, left, on)).lines]
    return Offered(of, proposals)


def _proposal(credit: Open, own: Sequence[Open], left: dict[str, int], on: dt.date) -> Proposal:
    by_name = {each.item.item: each for each in own if each.open_minor > 0 and each.item.currency == credit.item.currency}
    debts = [Debt(name, each.item.due_on, left[name], each.disputed_minor) for name, each in by_name.items()]
    lines = offsetting.by_due_date(-credit.open_minor, debts, on + dt.timedelta(days=house().offset_days_ahead))
    for line in lines:
        left[line.item] -= line.minor
    return Proposal(credit, [(by_name[line.item], line.minor) for line in lines])


# --- acting -----------------------------------------------------------------------------------------------------------


async def act(request: Request) -> Response:
    """Take a proposal as it was shown, or an offset back; a refusal is shown in words."""
    who = guarding.require(request, *guarding.DESK)
    form = {name: text for name, text in (await request.form()).items() if isinstance(text, str)}
    pool, account = request.app.state.pool, form.get("account", "")[:NAME_MAX]
    found = await book.account(pool, who.portfolios, account)
    if found is None:
        raise guarding.Absent("account", account, who)
    try:
        command = command_of(form)
    except Unfit as error:
        return await show(request, 422, str(error), form)
    before = await _written(request, account)
    outcome = await wishes.send(request, command)
    if outcome.how in ("refused", "failed"):
        return await show(request, 409, refusing.told(outcome, found.page.currency), form)
    if outcome.is_done and outcome.word != "unchanged":
        await wishes.known(lambda: _grew(request, account, before))
    done = "Set off." if form["do"] == "take" else "Taken back; what was set off is open again."
    return notices.go(request, "/receivables/offsets", done if outcome.is_done else outcome.said, outcome.tone)


def command_of(form: Mapping[str, str]) -> Command:
    """Raises `Unfit`. Pure."""
    named = {name: form.get(name, "").strip() for name in ("account", "reason")}
    try:
        match form.get("do"):
            case "take":
                lines = [{"item": item, "settled_minor": minor, "paid_minor": minor} for item, minor in _lines(form)]
                chosen = {name: form.get(name, "").strip() for name in ("credit", "agreement")}
                return message_of(OffsetItems, {**named, **chosen, "lines": lines})
            case "undo":
                return message_of(UndoOffset, {**named, "offset": form.get("offset", "")})
            case _:
                raise Unfit("There is no such action; take a proposal or take an offset back.")
    except Faulty as faulty:
        raise Unfit(in_words(faulty.faults)) from faulty


def _lines(form: Mapping[str, str]) -> list[Line]:
    found = [text.partition("\t") for text in form.get("lines", "").splitlines()]
    if not found or not all(minor.isascii() and minor.isdecimal() and len(minor) < 16 for _, _, minor in found):
        raise Unfit("This proposal cannot be read any more: look at the page again.")
    return [Line(item, int(minor)) for item, _, minor in found]


async def _written(request: Request, account: str) -> int:
    found = await request.app.state.pool.fetchval("select coalesce(max(sequence), 0) from offsets where account = $1", account)
    return int(found)


async def _grew(request: Request, account: str, before: int) -> bool:
    return await _written(request, account) > before


# --- the statement of an offset ---------------------------------------------------------------------------------------


async def download(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    form, pool = request.path_params["form"], request.app.state.pool
    if form not in files.FORMS:
        raise HTTPException(404)
    found = await offsets.one(pool, who.portfolios, request.path_params["offset"][:NAME_MAX])
    if found is None:
        raise guarding.Absent("offset", "", who)
    names = [line.item for line in found.offset.settled]
    items = await offsets.items_of(pool, found.offset.account, [*names, found.offset.credit])
    paper = statement_of(found, items, pages.now(request))
    return await files.answer(request, paper, form, f"offset-{found.offset.offset}")


def statement_of(found: Shown, items: Mapping[str, Item], made_at: dt.datetime) -> Paper:
    """What goes to the customer: the credit, the debts it was set against, and what of each. Pure."""
    offset, currency, ours = found.offset, found.currency, house().ours
    rows = tuple(_row(items.get(line.item), line, currency) for line in offset.settled)
    credit = items.get(offset.credit)
    facts = [
        ("Offset", offset.offset),
        ("On", day(offset.effective_on)),
        ("Account", offset.account),
        ("Agreement", offset.agreement or "none named"),
    ]
    if offset.undone_at is not None:
        facts.append(("Taken back", f"{day(offset.undone_at.date())}: {offset.undone_because}"))
    columns = (
        Column("Item", share=3, width=24), Column("Document", "day"), Column("Due", "day"), Column("Original", "amount"),
        Column("Set off", "amount"), Column("Currency", share=1, width=10),
    )  # fmt: skip
    return Paper(
        title="Statement of an offset",
        sender=(ours.name, *ours.address),
        addressee=(found.name or offset.account,),
        facts=tuple(facts),
        blocks=(
            Table(
                title=f"Credit {offset.credit}{f' of {day(credit.document_on)}' if credit else ''}, set against",
                columns=columns,
                rows=rows,
                total=("Total", None, None, None, Amount(offset.amount_minor, currency), currency),
                note=offset.reason,
            ),
        ),
        made_at=made_at,
        footer=ours.footer,
    )


def _row(item: Item | None, line: Line, currency: str) -> tuple[str | dt.date | Amount | None, ...]:
    set_off = Amount(line.minor, currency)
    if item is None:
        return (line.item, None, None, None, set_off, currency)
    return (line.item, item.document_on, item.due_on, Amount(item.amount_minor, currency), set_off, currency)


ROUTES = [
    Route("/receivables/offsets", page),
    Route("/receivables/offsets/act", act, methods=["POST"]),
    Route("/receivables/offsets/{offset}.{form}", download),
]
