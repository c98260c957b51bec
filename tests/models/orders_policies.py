"""Credit policies for tests: the shipped one with a few settings replaced."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

from contracts import orders
from shared.credit.rulebook import SHIPPED, Rulebook, Rules
from tests.models.orders_desk import TODAY


def policy(version: str = "test", scopes: Any = (), **sections: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(SHIPPED[0].policy) | {"version": version, "scopes": list(scopes)}
    for section, settings in sections.items():
        if section == "checks":
            for name, rule in settings.items():
                changed["checks"][name] |= rule
        elif isinstance(settings, dict):
            changed[section] = changed.get(section, {}) | settings
        else:
            changed[section] = settings
    return changed


def adopting(version: str = "test", on: dt.date = TODAY, **sections: Any) -> orders.AdoptPolicy:
    return orders.AdoptPolicy(version=version, effective_from=on, policy=policy(version, **sections))


def rules(order: str = "", account: str = "", portfolio: str = "main", risk_class: str = "standard", **sections: Any) -> Rules:
    return Rulebook(policy(**sections)).rules(order, account, portfolio, risk_class)
