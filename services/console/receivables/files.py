"""A paper as the file that somebody takes along: PDF, XLSX or CSV, made beside the loop that serves pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from services.console import mishaps, pages
from services.console.papers.commas import as_csv
from services.console.papers.paper import Paper, TooLarge
from services.console.papers.printing import NotPrinted, as_pdf
from services.console.papers.workbook import as_xlsx

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Form(NamedTuple):
    media: str
    make: Callable[[Paper], bytes]


FORMS: Mapping[str, Form] = {
    "pdf": Form("application/pdf", as_pdf),
    "xlsx": Form("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
    "csv": Form("text/csv; charset=utf-8", as_csv),
}


def no_day(request: Request, why: str = "") -> Response | None:
    """Why no file is made of what the address asks for: a page says that it shows now instead, and a file would not."""
    if not (why := pages.no_past_day(request) or why):
        return None
    return mishaps.told(request, 422, "This file was not made", why, "Go back and choose another day.")


async def answer(request: Request, paper: Paper, form: str, name: str) -> Response:
    """The file, or a page that says why it is not made and what to ask for instead."""
    try:
        content = await asyncio.to_thread(FORMS[form].make, paper)
    except (TooLarge, NotPrinted) as error:
        return mishaps.told(request, 422, "This file was not made", f"{error}.", "Go back and choose less, or another format.")
    headers = {"Content-Disposition": f'attachment; filename="{_NOT_IN_NAMES.sub("-", name)}.{form}"'}
    return Response(content, media_type=FORMS[form].media, headers=headers | {"Cache-Control": "no-store"})
