"""A customer's own list as somebody sends it from the ledger's page: read by its headings, held against ours, kept (P13).

What cannot be read is told on that page, with the headings that were typed.
"""

from __future__ import annotations

import asyncio

import msgspec
from msgspec.structs import asdict
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console import book, guarding
from services.console.book import Found
from services.console.papers import their_list
from services.console.papers.their_list import PART, Columns, NoList
from services.console.receivables import account, reconciliations

FIELDS = ("reference", "amount", "debit", "credit", "currency", "on", "decimal", "delimiter", "encoding")
NAME_MAX, WORD_MAX = 64, 60


async def upload(request: Request) -> Response:
    """Read the list, hold it against what is open today, keep the result, and show it."""
    guarding.require(request, *guarding.DESK)
    async with request.form() as form:  # closes what was uploaded, whatever comes of it
        return await _uploaded(request, form)


async def _uploaded(request: Request, form: FormData) -> Response:
    who, name = guarding.person(request), str(form.get("account", ""))[:NAME_MAX]
    found = await book.account(request.app.state.pool, who.portfolios, name)
    if found is None:
        raise guarding.Absent("account", name, who)
    try:
        columns = columns_in(form)
        data, list_name = await _data(form.get("list"))
        theirs = await asyncio.to_thread(their_list.read, data, columns, found.page.currency)
    except NoList as error:
        return await _not_read(request, found, form, str(error))
    kept = await reconciliations.keep(request, found, theirs, columns, list_name)
    return RedirectResponse(f"/reconciliations/{kept}", 303)


async def _data(sent: UploadFile | str | None) -> tuple[bytes, str]:
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise NoList("no list was chosen; choose the customer's CSV or XLSX")
    return await sent.read(), sent.filename[:WORD_MAX]


def columns_in(form: FormData) -> Columns:
    """The mapping that the form says. Raises `NoList`."""
    typed = {name: text for name, text in _typed(form).items() if text}
    if "reference" not in typed:
        raise NoList(f"in {PART!r} the number of the document has no heading; say under which one it stands")
    try:
        return msgspec.convert(typed | {"day_first": "month_first" not in form}, Columns)
    except msgspec.ValidationError as error:
        raise NoList(f"{PART!r} are not whole: {error}") from error


def _typed(form: FormData) -> dict[str, str]:
    return {name: str(form.get(name, "")).strip()[:WORD_MAX] for name in FIELDS}


async def _not_read(request: Request, found: Found, form: FormData, why: str) -> Response:
    typed = asdict(reconciliations.USUAL) | _typed(form) | {"day_first": "month_first" not in form}
    return await account.show(request, found, f"{why[:1].upper()}{why[1:]}.", typed)


ROUTES = [Route("/reconciliations", upload, methods=["POST"])]
