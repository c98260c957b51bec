"""How each account and request stands after each fact of the credit master: pure, one row of each at a time (A3, A6).

The credit master's facts about an account come in one sequence, so a fact whose sequence the row has seen changes nothing.
What an account could cost now is not here but with the order desk, which decides on it (`following`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from contracts import accounts
from contracts.accounts import Terms
from contracts.envelope import Envelope, encode_value
from contracts.message import Message

OPEN, ON_STOP, TERMINATED = "open", "on_stop", "terminated"


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something to be done to get an account off stop."""

    action: str
    text: str
    due_on: dt.date
    owner: str
    outcome: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """An account's page of the book. From `stopped_at` on all lasts as long as its stop.

    `terms`, `reasons` and `actions` are canonical JSON.
    """

    account: str
    home: str = ""
    parent: str | None = None
    name: str = ""
    currency: str = ""
    portfolio: str = "main"
    status: str = ""
    limit_minor: int = 0
    limit_expires_on: dt.date | None = None
    terms: bytes = b"{}"
    stops_on: dt.date | None = None
    stop_reason: str = ""
    stop_by: str = ""
    stopped_at: dt.datetime | None = None
    reasons: bytes = b"[]"
    owner: str = ""
    actions: bytes = b"[]"
    progress_due_on: dt.date | None = None
    missed: int = 0
    progress: str = ""
    progress_by: str = ""
    progress_at: dt.datetime | None = None
    sequence: int = 0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits for an approval, or did; `state` is open, approved, declined, withdrawn or ended with its account."""

    request: str
    account: str
    kind: str
    amount_minor: int
    currency: str
    levels: tuple[str, ...]
    reason: str
    by: str
    role: str
    at: dt.datetime
    effective_from: dt.date
    four_eyes: bool
    limit_minor: int | None
    limit_expires_on: dt.date | None
    terms: bytes | None
    was_minor: int
    was_expires_on: dt.date | None
    was_terms: bytes
    state: str = OPEN
    answered_by: str = ""
    answered_at: dt.datetime | None = None
    answer: str = ""
    sequence: int = 0


class Turn(NamedTuple):
    """By this fact an account came on the list of stops, or left it."""

    fact: str
    account: str
    at: dt.datetime
    sequence: int
    listed: bool


class View:
    """The rows that a batch of facts concerns, as they were; `book` moves them on.

    `requests` holds the open ones of its accounts.
    """

    def __init__(self, pages: Mapping[str, Page], requests: Mapping[str, Request]) -> None:
        self.pages, self.requests = dict(pages), dict(requests)
        self.turned: dict[str, None] = {}
        self.turns: list[Turn] = []
        self.answered: dict[str, None] = {}

    def put(self, page: Page) -> None:
        self.pages[page.account] = page
        self.turned[page.account] = None

    def ask(self, request: Request) -> None:
        self.requests[request.request] = request
        self.answered[request.request] = None


def book(view: View, fact: Envelope) -> None:
    """Move the rows on by one fact."""
    data, sequence = fact.data, int(fact.sequence)
    page = view.pages.get(data.account) or Page(account=data.account, home=fact.partitionkey)
    if sequence <= page.sequence:
        return
    view.put(replace(page, sequence=sequence))
    if (change := _BOOKS.get(type(data))) is not None:
        view.put(change(view.pages[data.account], data, fact))
    if (answer := _ANSWERS.get(type(data))) is not None:
        answer(view, data, fact)
    if (listed := is_listed(view.pages[data.account])) != is_listed(page):
        view.turns.append(Turn(fact.id, data.account, fact.time, sequence, listed))


def is_listed(page: Page) -> bool:
    """On stop, or announced."""
    return page.status == ON_STOP or page.stops_on is not None


def fits(request: Request, page: Page) -> bool:
    """Whether the account still is what the request was weighed against."""
    if request.kind == "limit":
        return (page.limit_minor, page.limit_expires_on) == (request.was_minor, request.was_expires_on)
    return page.terms == request.was_terms


# --- the account ----------------------------------------------------------------------------------------------------


def _opened(page: Page, data: accounts.AccountOpened, fact: Envelope) -> Page:
    page = replace(
        page,
        home=data.home,
        parent=data.parent,
        name=data.name,
        currency=data.currency,
        status=data.status,
        limit_minor=data.limit_minor,
        limit_expires_on=data.limit_expires_on,
    )
    page = _with_terms(page, data.terms)
    return _on_stop(page, data.reason, data.progress_due_on, fact) if data.status == ON_STOP else page


def _with_terms(page: Page, terms: Terms) -> Page:
    return replace(page, terms=encode_value(terms), portfolio=terms.portfolio)


def _terms_changed(page: Page, data: accounts.TermsChanged, fact: Envelope) -> Page:
    return _with_terms(page, data.terms)


def _limit_changed(page: Page, data: accounts.LimitChanged, fact: Envelope) -> Page:
    return replace(page, limit_minor=data.limit_minor, limit_expires_on=data.limit_expires_on)


def _renamed(page: Page, data: accounts.AccountRenamed, fact: Envelope) -> Page:
    return replace(page, name=data.name)


def _status_changed(page: Page, data: accounts.StatusChanged, fact: Envelope) -> Page:
    return replace(page, status=data.status)


def _terminated(page: Page, data: accounts.AccountTerminated, fact: Envelope) -> Page:
    return _no_coming(_off(page, TERMINATED))


# --- its stop and the work on it ------------------------------------------------------------------------------------


def _scheduled(page: Page, data: accounts.StopScheduled, fact: Envelope) -> Page:
    return replace(page, stops_on=data.on, stop_reason=data.reason, stop_by=data.by or fact.actorid)


def _called_off(page: Page, data: accounts.StopCalledOff, fact: Envelope) -> Page:
    return _no_coming(page)


def _no_coming(page: Page) -> Page:
    return replace(page, stops_on=None, stop_reason="", stop_by="")


def _placed(page: Page, data: accounts.PlacedOnStop, fact: Envelope) -> Page:
    return _on_stop(_no_coming(replace(page, status=ON_STOP)), data.reason, data.progress_due_on, fact)


def _on_stop(page: Page, reason: str, progress_due_on: dt.date | None, fact: Envelope) -> Page:
    """A further reason leaves since when, and the week."""
    reasons = encode_value([*reasons_of(page), reason])
    return replace(
        page,
        reasons=reasons,
        stopped_at=page.stopped_at or fact.time,
        progress_due_on=page.progress_due_on or progress_due_on,
    )


def _taken_off(page: Page, data: accounts.TakenOffStop, fact: Envelope) -> Page:
    return _off(page, OPEN)


def _off(page: Page, status: str) -> Page:
    """What belongs to a stop ends with it."""
    return replace(
        page,
        status=status,
        stopped_at=None,
        reasons=b"[]",
        owner="",
        actions=b"[]",
        progress_due_on=None,
        missed=0,
        progress="",
        progress_by="",
        progress_at=None,
    )


def _assigned(page: Page, data: accounts.StopAssigned, fact: Envelope) -> Page:
    return replace(page, owner=data.owner)


def _action_added(page: Page, data: accounts.StopActionAdded, fact: Envelope) -> Page:
    added = Action(data.action, data.text, data.due_on, data.owner)
    return replace(page, actions=encode_value([*actions_of(page), added]))


def _action_closed(page: Page, data: accounts.StopActionClosed, fact: Envelope) -> Page:
    closed = [replace(each, outcome=data.outcome) if each.action == data.action else each for each in actions_of(page)]
    return replace(page, actions=encode_value(closed))


def _progress_noted(page: Page, data: accounts.StopProgressNoted, fact: Envelope) -> Page:
    by = data.by or fact.actorid
    return replace(page, progress=data.text, progress_by=by, progress_at=fact.time, progress_due_on=data.next_due_on, missed=0)


def _progress_missed(page: Page, data: accounts.StopProgressMissed, fact: Envelope) -> Page:
    return replace(page, progress_due_on=data.next_due_on, missed=page.missed + 1)


def reasons_of(page: Page) -> list[str]:
    return msgspec.json.decode(page.reasons, type=list[str])


def actions_of(page: Page) -> list[Action]:
    return msgspec.json.decode(page.actions, type=list[Action])


# --- requests -------------------------------------------------------------------------------------------------------


def _requested(view: View, data: accounts.ApprovalRequested, fact: Envelope) -> None:
    page = view.pages[data.account]
    view.ask(
        Request(
            request=data.request,
            account=data.account,
            kind=data.kind,
            amount_minor=data.amount_minor,
            currency=data.currency,
            levels=data.levels,
            reason=data.reason,
            by=data.by,
            role=fact.actorrole,
            at=fact.time,
            effective_from=data.effective_from,
            four_eyes=data.four_eyes,
            limit_minor=data.limit_minor,
            limit_expires_on=data.limit_expires_on,
            terms=encode_value(data.terms) if data.terms is not None else None,
            was_minor=page.limit_minor,
            was_expires_on=page.limit_expires_on,
            was_terms=page.terms,
            sequence=int(fact.sequence),
        )
    )


def _answered(state: str) -> Callable[[View, Any, Envelope], None]:
    def answer(view: View, data: Any, fact: Envelope) -> None:
        if (request := view.requests.get(data.request)) is not None:
            view.ask(_closed(request, state, data.by, data.reason, fact))

    return answer


def _all_ended(view: View, data: accounts.AccountTerminated, fact: Envelope) -> None:
    for request in [each for each in view.requests.values() if each.account == data.account and each.state == OPEN]:
        view.ask(_closed(request, "ended", fact.actorid, data.reason, fact))


def _closed(request: Request, state: str, by: str, reason: str, fact: Envelope) -> Request:
    return replace(request, state=state, answered_by=by, answered_at=fact.time, answer=reason, sequence=int(fact.sequence))


_BOOKS: Mapping[type[Message], Callable[[Page, Any, Envelope], Page]] = {
    accounts.AccountOpened: _opened,
    accounts.TermsChanged: _terms_changed,
    accounts.LimitChanged: _limit_changed,
    accounts.AccountRenamed: _renamed,
    accounts.StatusChanged: _status_changed,
    accounts.AccountTerminated: _terminated,
    accounts.StopScheduled: _scheduled,
    accounts.StopCalledOff: _called_off,
    accounts.PlacedOnStop: _placed,
    accounts.TakenOffStop: _taken_off,
    accounts.StopAssigned: _assigned,
    accounts.StopActionAdded: _action_added,
    accounts.StopActionClosed: _action_closed,
    accounts.StopProgressNoted: _progress_noted,
    accounts.StopProgressMissed: _progress_missed,
}
_ANSWERS: Mapping[type[Message], Callable[[View, Any, Envelope], None]] = {
    accounts.ApprovalRequested: _requested,
    accounts.RequestApproved: _answered("approved"),
    accounts.RequestDeclined: _answered("declined"),
    accounts.RequestWithdrawn: _answered("withdrawn"),
    accounts.AccountTerminated: _all_ended,
}
BOOKED: tuple[type[Message], ...] = (*_BOOKS, *(message for message in _ANSWERS if message not in _BOOKS))
