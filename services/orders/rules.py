"""Which rules an order of this account is judged by."""

from __future__ import annotations

import datetime as dt

from services.orders.state import Standing
from shared.credit.rulebook import Policies, Rules, book_at


def rules_for(policies: Policies | None, at: dt.datetime, standing: Standing, order: str) -> Rules:
    terms = standing.terms
    return book_at(policies, at).rules(order, standing.account, terms.portfolio, terms.risk_class)
