"""How a page is made: templates that escape everything and miss nothing, money and times as people read them."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.console import browser, guarding
from services.console.people import ROLES, ZONE
from shared import money
from shared.days import written

TEMPLATES = Path(__file__).with_name("templates")
MINUS = "\N{MINUS SIGN}"
TYPED_SHOWN = 40
"""Of what somebody wrote into an address, on the page that says what is wrong with it."""
SCORE_IS = "How well it fits, by the proofs of the ledger's matching: 100 leaves no doubt"
"""What a score says, wherever one stands."""
THEMES = ("auto", "light", "dark")
NAVIGATION: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Work", "Release desk", "/desk", guarding.LOOKING),
    ("Work", "Cash desk", "/cash", guarding.LOOKING),
    ("Work", "Card payments", "/cards", guarding.LOOKING),
    ("Work", "Payouts", "/payouts", (*guarding.DESK, "audit")),
    ("Work", "Approvals", "/approvals", guarding.DESK),
    ("Work", "On stop", "/stops", guarding.LOOKING),
    ("Work", "Deals", "/deals", guarding.LOOKING),
    ("Work", "Cover", "/covers", guarding.DESK),
    ("Look", "Orders", "/orders", guarding.LOOKING),
    ("Look", "Accounts", "/accounts", guarding.LOOKING),
    ("Look", "Receivables", "/receivables", guarding.LOOKING),
    ("Run", "Ops", "/ops", guarding.LOOKING),
    ("Run", "Audit", "/audit", ("director", "audit")),
)
"""Section, name, path, roles. A page that is not served is not shown."""
ELSEWHERE = {
    "/ledger": "/receivables",
    "/late-payment": "/receivables",
    "/reconciliations": "/receivables",
    "/statement": "/receivables",
    "/parts": "/accounts",
}
"""Pages whose address does not begin with that of the entry of the navigation which they belong to."""


def render(
    request: Request, template: str, /, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A page (or a fragment: a template that does not extend `layout.html`) for the person of this request."""
    text = templates().get_template(template).render(**_around(request), **values)
    return HTMLResponse(text, status, {"Cache-Control": "no-store", **(headers or {})})


def text(content: str) -> HTMLResponse:
    """A fragment that is a word or a figure."""
    return HTMLResponse(str(escape(content)), headers={"Cache-Control": "no-store"})


def now(request: Request) -> dt.datetime:
    """The installation's clock: that of the messages on event time, the wall's otherwise."""
    at: dt.datetime = request.state.now
    return at


def check() -> None:
    """Compile every template, so that a broken one stops the start. Raises Jinja2's own error with file and line."""
    for name in templates().list_templates():
        templates().get_template(name)


@functools.cache
def templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "money": money_text, "figure": figure, "hm": hm, "hms": hms, "day": day, "moment": moment, "when": when,
        "zone_name": zone_name, "left": left, "words": words, "role": role_name, "po": po,
    }  # fmt: skip
    made.globals |= {"asset": browser.path_of, "score_is": SCORE_IS}
    return made


def _around(request: Request) -> dict[str, Any]:
    """What every template may name."""
    found = getattr(request.state, "session", None)
    return {
        "person": found.person if found else None,
        "path": request.url.path,
        "here": entry_of(request.url.path),
        "event_time": request.app.state.settings.clock == "event",
        "now": getattr(request.state, "now", None) or dt.datetime.now(dt.UTC),
        "zone": ZoneInfo(found.person.zone if found else ZONE),
        "theme": theme(request),
        "navigation": navigation(request, found.person.role) if found else {},
        "csrf": lambda: _csrf(request),
        "heard": getattr(request.state, "heard", ""),
        "past_day": _past_day(request),
        "no_past_day": no_past_day(request),
    }


def _past_day(request: Request) -> str:
    """The day of `as_of` in the address, for links that stay at it."""
    asked = asked_day(request)
    return asked.isoformat() if asked is not None and asked < _today(request) else ""


def no_past_day(request: Request, name: str = "as_of") -> str:
    """Why what the address asks for is no past day, in words; empty where it is one, is today or is not asked for."""
    text, today, asked = request.query_params.get(name, "").strip(), _today(request), asked_day(request, name)
    if text and asked is None:
        return f"{text[:TYPED_SHOWN]!r} is no day; write it as {today - dt.timedelta(days=1)}."
    return f"{asked} is not past yet." if asked is not None and asked > today else ""


def asked_day(request: Request, name: str = "as_of") -> dt.date | None:
    """The day that the address names; a moment is of its day."""
    try:
        return dt.datetime.fromisoformat(request.query_params.get(name, "").strip()).date()
    except ValueError:
        return None


def _today(request: Request) -> dt.date:
    at: dt.datetime = getattr(request.state, "now", None) or dt.datetime.now(dt.UTC)
    return at.date()


def theme(request: Request) -> str:
    chosen = request.cookies.get(guarding.theme_cookie(request), "auto")
    return chosen if chosen in THEMES else "auto"


def navigation(request: Request, role: str) -> dict[str, list[tuple[str, str]]]:
    """Section → (name, path) of the pages that there are, for this role."""
    served = {getattr(route, "path", "") for route in request.app.routes}
    shown: dict[str, list[tuple[str, str]]] = {}
    for section, name, path, roles in NAVIGATION:
        if path in served and role in roles:
            shown.setdefault(section, []).append((name, path))
    return shown


def entry_of(path: str) -> str:
    """The entry of the navigation that a page belongs to; empty where there is none."""
    first = "/" + path.split("/")[1]
    entry = ELSEWHERE.get(first, first)
    return entry if any(at == entry for _, _, at, _ in NAVIGATION) else ""


def _csrf(request: Request) -> Markup:
    """The hidden field that every form which changes something needs."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(guarding.form_token(request.state.form_key))


# --- figures --------------------------------------------------------------------------------------------------------


def money_text(minor: int, currency: str) -> str:
    """1234567 GBP is `12,345.67`; what is owed to them has a real minus sign."""
    return f"{MINUS if minor < 0 else ''}{money.grouped(abs(minor), currency)}"


def figure(count: int) -> str:
    return f"{MINUS if count < 0 else ''}{abs(count):,}"


def words(name: str) -> str:
    """`static_limit` is `static limit`."""
    return name.replace("_", " ")


def po(number: str) -> str:
    """`PO 77815`; many customers' numbers begin so themselves."""
    return number if number[:2].upper() == "PO" else f"PO {number}"


def role_name(role: str) -> str:
    return ROLES.get(role, words(role))


# --- times, in the person's zone --------------------------------------------------------------------------------------


def _here(context: Context, at: dt.datetime) -> dt.datetime:
    return at.astimezone(context["zone"])


@pass_context
def hm(context: Context, at: dt.datetime) -> str:
    return f"{_here(context, at):%H:%M}"


@pass_context
def hms(context: Context, at: dt.datetime) -> str:
    return f"{_here(context, at):%H:%M:%S}"


@pass_context
def zone_name(context: Context, at: dt.datetime) -> str:
    """`GMT`, `BST`: said once on a page, for all of its times."""
    return f"{_here(context, at):%Z}"


@pass_context
def day(context: Context, at: dt.datetime | dt.date) -> str:
    shown = _here(context, at) if isinstance(at, dt.datetime) else at
    return written(shown)


@pass_context
def moment(context: Context, at: dt.datetime) -> str:
    """`14:02` today, `Mon 14:02` within a week before, `3 Nov 14:02` this year, `3 Nov 2025, 14:02` otherwise."""
    shown, today = _here(context, at), _here(context, context["now"])
    days = (today.date() - shown.date()).days
    if days == 0:
        return f"{shown:%H:%M}"
    if 0 < days < 7:
        return f"{shown:%a %H:%M}"
    return f"{shown.day} {shown:%b %H:%M}" if shown.year == today.year else f"{written(shown)}, {shown:%H:%M}"


@pass_context
def when(context: Context, at: dt.datetime) -> Markup:
    """The same as a `<time>` element that tells the whole of it when pointed at."""
    shown = _here(context, at)
    whole = f"{shown:%A} {shown.day} {shown:%B %Y, %H:%M:%S %Z}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), whole, escape(moment(context, at)))


def left(span: dt.timedelta) -> str:
    """`4 min`, `1 h 07`, `3 d`; what is over says so: `12 min over`."""
    minutes = abs(span) // dt.timedelta(minutes=1)
    if minutes < 60:
        text = f"{minutes} min"
    elif minutes < 48 * 60:
        text = f"{minutes // 60} h {minutes % 60:02}"
    else:
        text = f"{minutes // (24 * 60)} d"
    return f"{text} over" if span < dt.timedelta() else text
