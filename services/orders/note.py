"""What other services say, kept as the desk's own notes (guarantee 7): who an account is, and what money moved.

A note is said only when something changed. Each decide function here is `hears` for one kind of fact from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts import accounts, claims, collections, commissions, payments
from contracts.message import Message
from contracts.orders import BillOrder, ItemNotCounted, PositionMoved, StandingNoted
from services.orders.state import Standing, State
from shared.service import Moment

NEW = Standing(account="")


def account_opened(state: State, fact: accounts.AccountOpened, moment: Moment) -> Iterable[Message]:
    was = state.account
    return (
        StandingNoted(
            account=fact.account,
            home=fact.home,
            opened=was is None or not was.known,
            parent=fact.parent,
            name=fact.name,
            currency=fact.currency,
            status=fact.status,
            terms=fact.terms,
            limit_minor=fact.limit_minor,
            limit_expires_on=fact.limit_expires_on,
            insured_minor=fact.insured_minor,
            insured_until=fact.insured_until,
        ),
    )


def _noted(state: State, account: str, **now: Any) -> Iterable[Message]:
    """A note of those values that are not as they were."""
    was = state.account or NEW
    if all(getattr(was, name) == value for name, value in now.items()):
        return ()
    return (StandingNoted(account=account, **now),)


def terms_changed(state: State, fact: accounts.TermsChanged, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, terms=fact.terms)


def limit_changed(state: State, fact: accounts.LimitChanged, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, limit_minor=fact.limit_minor, limit_expires_on=fact.limit_expires_on)


def cover_changed(state: State, fact: accounts.CoverChanged, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, insured_minor=fact.insured_minor, insured_until=fact.insured_until)


def renamed(state: State, fact: accounts.AccountRenamed, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, name=fact.name)


def status_changed(state: State, fact: accounts.StatusChanged, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, status=fact.status)


def placed_on_stop(state: State, fact: accounts.PlacedOnStop, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, status="on_stop")


def taken_off_stop(state: State, fact: accounts.TakenOffStop, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, status="open")


def account_terminated(state: State, fact: accounts.AccountTerminated, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, status="terminated")


def review_due(state: State, fact: accounts.ReviewDue, moment: Moment) -> Iterable[Message]:
    """Only the limit review bears on orders (A4)."""
    return _noted(state, fact.account, review_due_on=fact.due_on) if fact.kind == "limit" else ()


def review_done(state: State, fact: accounts.ReviewDone, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, review_due_on=fact.next_due_on) if fact.kind == "limit" else ()


def dunning_level_set(state: State, fact: collections.DunningLevelSet, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, dunning_level=fact.level)


def promise_broken(state: State, fact: collections.PromiseBroken, moment: Moment) -> Iterable[Message]:
    return (StandingNoted(account=fact.account, broken_on=fact.broken_on),)


def stock_position(state: State, fact: commissions.StockPosition, moment: Moment) -> Iterable[Message]:
    return _noted(state, fact.account, stock_shipped=fact.shipped_units, stock_unconnected=fact.unconnected_units)


# --- money ----------------------------------------------------------------------------------------------------------


def item_posted(state: State, fact: payments.ItemPosted, moment: Moment) -> Iterable[Message]:
    """What of an item bills orders goes on as a command for each order, and is counted there; the rest is counted here.

    So no part is counted twice or not at all, at any step: until its order is billed it counts as unbilled.
    """
    currency = state.account.currency if state.account is not None and state.account.known else fact.currency
    if fact.currency != currency:
        detail = f"The item is in {fact.currency}, the account trades in {currency}. Post it in {currency}."
        yield ItemNotCounted(account=fact.account, item=fact.item, reason="wrong_currency", detail=detail)
        return
    rest = fact.amount_minor
    for part in fact.covers:
        amount = min(part.amount_minor, rest)
        if amount > 0:
            rest -= amount
            yield BillOrder(order=part.order, account=fact.account, item=fact.item, amount_minor=amount, due_on=fact.due_on)
    if rest:
        yield _moved(fact.account, fact.item, rest, fact.due_on if fact.amount_minor > 0 else None)


CREDITS = frozenset({"credit_note", "receipt"})
"""Kinds of items that stand against debts. Not the sign of a settlement says it: one that is taken back has the other sign."""


def item_settled(state: State, fact: payments.ItemSettled, moment: Moment) -> Iterable[Message]:
    if fact.settled_minor:
        yield _moved(fact.account, fact.item, -fact.settled_minor, None if fact.kind in CREDITS else fact.due_on)


def _moved(account: str, item: str, open_minor: int, due_on: Any) -> PositionMoved:
    """Debts age by their due date; credits and receipts do not."""
    return PositionMoved(account=account, item=item, open_minor=open_minor, due_on=due_on)


def soft_credit_confirmed(state: State, fact: payments.SoftCreditConfirmed, moment: Moment) -> Iterable[Message]:
    return _soft_credit(fact.account, fact.credit, fact.amount_minor)


def soft_credit_ended(state: State, fact: payments.SoftCreditEnded, moment: Moment) -> Iterable[Message]:
    return _soft_credit(fact.account, fact.credit, -fact.amount_minor)


def _soft_credit(account: str, credit: str, amount_minor: int) -> Iterable[Message]:
    return (PositionMoved(account=account, item=credit, soft_credits_minor=amount_minor),) if amount_minor else ()


def claim_opened(state: State, fact: claims.ClaimOpened, moment: Moment) -> Iterable[Message]:
    return _disputed(fact.account, fact.claim, fact.disputed_minor, fact.due_on)


def claim_settled(state: State, fact: claims.ClaimSettled, moment: Moment) -> Iterable[Message]:
    return _disputed(fact.account, fact.claim, -fact.released_minor, fact.due_on)


def _disputed(account: str, claim: str, amount_minor: int, due_on: Any) -> Iterable[Message]:
    if not amount_minor:
        return ()
    return (PositionMoved(account=account, item=claim, disputed_minor=amount_minor, due_on=due_on),)
