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
        legal_entity=fact.terms.legal_entity,
        statement_cadence=fact.terms.statement_cadence,
    )


def terms_changed(state: State, fact: accounts.TermsChanged, moment: Moment) -> Iterable[Fact]:
    known = state.accounts.get(fact.account)
    told = {name: getattr(fact.terms, name) for name in OF_TERMS}
    if known is None or any(getattr(known, name) != value for name, value in told.items()):
        yield LedgerNoted(account=fact.account, **told)


OF_TERMS = ("payment_days", "po_required", "portfolio", "legal_entity", "statement_cadence")


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
