"""What the ledger keeps of an account: told by the credit master's facts. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from contracts import accounts
from contracts.message import Fact
from contracts.payments import LedgerNoted
from services.payments.state import State
from shared.service import Moment


def account_opened(state: State, fact: accounts.AccountOpened, moment: Moment) -> Iterable[Fact]:
    yield LedgerNoted(
        account=fact.account,
        home=fact.home,
        parent=fact.parent,
        name=fact.name,
        currency=fact.currency,
        payment_days=fact.terms.payment_days,
        po_required=fact.terms.po_required,
        portfolio=fact.terms.portfolio,
        status=fact.status,
    )


def terms_changed(state: State, fact: accounts.TermsChanged, moment: Moment) -> Iterable[Fact]:
    terms = fact.terms
    known = state.accounts.get(fact.account)
    if known is None or (known.payment_days, known.po_required, known.portfolio) != (
        terms.payment_days,
        terms.po_required,
        terms.portfolio,
    ):
        yield LedgerNoted(
            account=fact.account, payment_days=terms.payment_days, po_required=terms.po_required, portfolio=terms.portfolio
        )


def renamed(state: State, fact: accounts.AccountRenamed, moment: Moment) -> Iterable[Fact]:
    yield LedgerNoted(account=fact.account, name=fact.name)


def status_changed(state: State, fact: accounts.StatusChanged, moment: Moment) -> Iterable[Fact]:
    yield LedgerNoted(account=fact.account, status=fact.status)


def placed_on_stop(state: State, fact: accounts.PlacedOnStop, moment: Moment) -> Iterable[Fact]:
    yield LedgerNoted(account=fact.account, status="on_stop")


def taken_off_stop(state: State, fact: accounts.TakenOffStop, moment: Moment) -> Iterable[Fact]:
    yield LedgerNoted(account=fact.account, status="open")


def terminated(state: State, fact: accounts.AccountTerminated, moment: Moment) -> Iterable[Fact]:
    yield LedgerNoted(account=fact.account, status="terminated")
