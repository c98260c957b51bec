"""Whether the account trades: on stop, off stop, ended (A3). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.accounts import AccountTerminated, PlacedOnStop, PutOnStop, TakenOffStop, TakeOffStop, TerminateAccount
from contracts.message import Fact
from services.accounts import group
from services.accounts.account import ON_STOP, OPEN, PROSPECT, TERMINATED, Account, State
from services.accounts.refusal import Refusal, not_reasoned, unneeded
from shared.service import Moment

STOP_REASONS_MAX = 20
"""A bound on the row; who has more reasons than that has said enough."""


def put_on_stop(state: State, wish: PutOnStop, moment: Moment) -> Iterable[Fact]:
    """Each further reason is a fact of its own; the same one again is not."""
    account = living(state, wish.account)
    if isinstance(account, Refusal):
        return [account.of(wish.account)]
    if wish.reason in account.stop_reasons:
        return unneeded(wish.account)
    if refusal := not_reasoned(wish.reason) or _not_to_stop(account):
        return [refusal.of(wish.account)]
    return [PlacedOnStop(account=wish.account, reason=wish.reason)]


def take_off_stop(state: State, wish: TakeOffStop, moment: Moment) -> Iterable[Fact]:
    account = living(state, wish.account)
    if isinstance(account, Refusal):
        return [account.of(wish.account)]
    if account.status == OPEN:
        return unneeded(wish.account)
    if refusal := not_reasoned(wish.reason) or _not_on_stop(account):
        return [refusal.of(wish.account)]
    return [TakenOffStop(account=wish.account, reason=wish.reason)]


def terminate(state: State, wish: TerminateAccount, moment: Moment) -> Iterable[Fact]:
    if state.account is None:
        return [unknown(wish.account).of(wish.account)]
    if state.account.status != TERMINATED and (refusal := not_reasoned(wish.reason)):
        return [refusal.of(wish.account)]
    return ending(state.account, wish.reason)


def ending(account: Account, reason: str) -> list[Fact]:
    if account.status == TERMINATED:
        return unneeded(account.account)
    if refusal := group.still_needed(account):
        return [refusal.of(account.account)]
    return [AccountTerminated(account=account.account, reason=reason)]


def living(state: State, name: str) -> Account | Refusal:
    """The account, if it is known and not terminated: what may still be changed."""
    if state.account is None:
        return unknown(name)
    return ended(state.account) if state.account.status == TERMINATED else state.account


def unknown(name: str) -> Refusal:
    return Refusal("unknown_account", f"account {name!r} is not known here; open it first")


def ended(account: Account) -> Refusal:
    return Refusal("terminated", f"account {account.account!r} is terminated for good; open another one")


def _not_to_stop(account: Account) -> Refusal | None:
    if account.status == PROSPECT:
        return Refusal("wrong_status", "it is a prospect and does not trade yet; there is nothing to stop")
    if len(account.stop_reasons) >= STOP_REASONS_MAX:
        return Refusal("too_many_reasons", f"it is on stop for {STOP_REASONS_MAX} reasons; take it off stop first")
    return None


def _not_on_stop(account: Account) -> Refusal | None:
    if account.status == ON_STOP:
        return None
    return Refusal("wrong_status", f"it is {account.status}, not on stop; to let it trade send it with status open")
