"""Opening an account, and bringing an open one to the state that a file or a person says (A2, A3). Pure.

The wish is checked whole before anything is said: it is done, is unneeded, or is refused with one reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from contracts.accounts import (
    AccountOpened,
    AccountRenamed,
    CoverChanged,
    OpenAccount,
    StatusChanged,
    TakenOffStop,
)
from contracts.message import Fact
from services.accounts import authority, group, standing
from services.accounts.account import DORMANT, ON_STOP, OPEN, PROSPECT, STATUSES, TERMINATED, Account, State
from services.accounts.changes import Change, changed_on_its_day, expired, needs, not_fitting
from services.accounts.refusal import Refusal, unneeded
from shared.money import EXPONENTS
from shared.service import Moment

IMPORTED = "as the credit master says"
"""The reason of a change that a file brought without one."""

WAYS: dict[str, frozenset[str]] = {
    PROSPECT: frozenset({OPEN, TERMINATED}),
    OPEN: frozenset({ON_STOP, DORMANT, TERMINATED}),
    ON_STOP: frozenset({OPEN, TERMINATED}),
    DORMANT: frozenset({OPEN, ON_STOP, TERMINATED}),
    TERMINATED: frozenset(),
}
"""From each status, those it may go to (A3)."""


def open_account(state: State, wish: OpenAccount, moment: Moment) -> Iterable[Fact]:
    refusal = _no_account(wish) or group.misplaced(state, wish, moment.home)
    if refusal:
        return [refusal.of(wish.account)]
    if state.account is None:
        return _opened(wish, moment)
    if wish.status == TERMINATED or state.account.status == TERMINATED:
        return _ended(state.account, wish)
    return _brought(state.account, wish, moment)


def _opened(wish: OpenAccount, moment: Moment) -> list[Fact]:
    status = wish.status or OPEN
    refusal = _not_to_open(status, wish, moment) or authority.beyond(authority.OPENING, wish.limit_minor, moment)
    if refusal:
        return [refusal.of(wish.account)]
    return [
        AccountOpened(
            account=wish.account,
            home=moment.home,
            name=wish.name,
            currency=wish.currency,
            limit_minor=wish.limit_minor,
            parent=wish.parent,
            limit_expires_on=wish.limit_expires_on,
            terms=wish.terms,
            status=status,
            insured_minor=wish.insured_minor,
            insured_until=wish.insured_until,
            reason=wish.reason,
            effective_from=wish.effective_from,
            progress_due_on=standing.first_progress_on(moment) if status == ON_STOP else None,
        )
    ]


def _brought(account: Account, wish: OpenAccount, moment: Moment) -> list[Fact]:
    """Only what differs is said. With a later day only limit and terms may differ: nothing else can wait."""
    reason = wish.reason.strip() or IMPORTED
    change = Change(
        on=wish.effective_from or moment.at.date(),
        reason=reason,
        by=moment.actor or None,
        limit=(wish.limit_minor, wish.limit_expires_on),
        terms=wish.terms,
    )
    at_once = [*_renamed(account, wish, reason), *_covered(account, wish, reason), *_moved(account, wish, reason, moment)]
    refusal = _not_to_bring(account, wish) or not_fitting(account, change, moment) or _not_alone(account, change, moment)
    if not refusal and at_once and change.on > moment.at.date():
        refusal = Refusal("not_at_once", "name, cover and status change at once; send them without effective_from")
    if refusal:
        return [refusal.of(account.account)]
    return [*at_once, *changed_on_its_day(account, change, moment)] or unneeded(account.account)


def _ended(account: Account, wish: OpenAccount) -> list[Fact]:
    """A file that lists it as terminated ends it and changes nothing else; one that lists it alive comes too late."""
    if account.status == TERMINATED != wish.status:
        return [standing.ended(account).of(account.account)]
    return standing.ending(account, wish.reason.strip() or IMPORTED)


def _renamed(account: Account, wish: OpenAccount, reason: str) -> Iterator[Fact]:
    if wish.name != account.name:
        yield AccountRenamed(account=account.account, name=wish.name, reason=reason)


def _covered(account: Account, wish: OpenAccount, reason: str) -> Iterator[Fact]:
    insured, until = wish.insured_minor, wish.insured_until
    if (insured, until) != (account.insured_minor, account.insured_until):
        yield CoverChanged(account=account.account, insured_minor=insured, insured_until=until, reason=reason)


def _moved(account: Account, wish: OpenAccount, reason: str, moment: Moment) -> Iterator[Fact]:
    """The way to the wished status; a way that does not exist is refused (`WAYS`)."""
    name, was = account.account, account.status
    match was, wish.status:
        case _, None:
            return
        case _, wished if wished == was:
            return
        case _, "on_stop":
            yield standing.placed(account, reason, moment)
        case "on_stop", _:
            yield TakenOffStop(account=name, reason=reason)
        case _, str(wished):
            yield StatusChanged(account=name, status=wished, was=was, reason=reason)


def _not_alone(account: Account, change: Change, moment: Moment) -> Refusal | None:
    """What needs an approval is not brought in by the way: it is asked for by itself."""
    need = needs(account, change, moment)
    return authority.refused(need, moment) if need else None


def _no_account(wish: OpenAccount) -> Refusal | None:
    if wish.currency not in EXPONENTS:
        return Refusal("unknown_currency", f"{wish.currency!r} is no ISO 4217 currency; write one such as GBP")
    if wish.status is not None and wish.status not in STATUSES:
        return Refusal("unknown_status", f"{wish.status!r} is no status; write one of {', '.join(STATUSES)}")
    return None


def _not_to_open(status: str, wish: OpenAccount, moment: Moment) -> Refusal | None:
    today = moment.at.date()
    day = wish.effective_from or today
    if status == TERMINATED:
        return Refusal("wrong_status", "an account is not opened as terminated; leave it out")
    if day > today:
        return Refusal("not_at_once", f"an account opens at once; send it as prospect now, and as open on {day}")
    return expired(wish.limit_expires_on, day)


def _not_to_bring(account: Account, wish: OpenAccount) -> Refusal | None:
    was, wished = account.status, wish.status or account.status
    if wish.currency != account.currency:
        return Refusal("other_currency", f"it trades in {account.currency} for ever; open another for {wish.currency}")
    if wished != was and wished not in WAYS[was]:
        return Refusal("wrong_status", f"it is {was} and cannot become {wished}, only {' or '.join(sorted(WAYS[was]))}")
    return None
