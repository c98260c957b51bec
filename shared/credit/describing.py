"""A decision told check by check: all sixteen, passed ones too, with what was measured against which threshold (O10)."""

from __future__ import annotations

import msgspec

from contracts.orders import Decision
from shared.credit.checks import BEHIND_QUEUE, TESTS, Measure
from shared.credit.rulebook import Rulebook, covered


class Line(msgspec.Struct, frozen=True):
    """One check as a controller reads it. `result`: passed, covered (by a pre-approved deal), held, warned, rejected or off."""

    number: int
    check: str
    name: str
    mode: str
    measured: Measure
    threshold: Measure
    result: str
    unit: str = ""


NAMES: dict[str, tuple[str, str]] = {
    "account_open": ("Account is open", ""),
    "not_on_stop": ("Account is not on stop", ""),
    "static_limit": ("Exposure with this order is within the limit", "money"),
    "dynamic_limit": ("Exposure shipping within the horizon is within the limit", "money"),
    "order_value": ("Order is within the usual order value", "money"),
    "oldest_overdue": ("Oldest overdue item is not too old", "days"),
    "overdue_share": ("Overdue share of the balance is not too high", "percent"),
    "dunning_level": ("Dunning level is below the limit", "level"),
    "review_overdue": ("Credit review is not overdue", "day"),
    "terms": ("Payment terms are not better than agreed", "days"),
    "po_number": ("Purchase order number is given where required", ""),
    "cash_on_delivery": ("Cash on delivery is paid before, or on delivery", "money"),
    "unconnected_stock": ("Unconnected stock is not too high", "percent"),
    "broken_promises": ("Promises were kept lately", "count"),
    "insurance": ("Credit insurance is in force where there must be one", "day"),
    "limit_expired": ("Credit limit has not expired", "day"),
    BEHIND_QUEUE: ("No order of the group that waits must go first", ""),
}
"""What a check asks, in the positive, and the unit of what it measures (money: minor units of the account's currency)."""
_RESULTS = {"warn": "warned", "hold": "held", "reject": "rejected"}


def describe(decision: Decision, book: Rulebook, order: str = "", account: str = "") -> list[Line]:
    """All sixteen checks of a decision, passed ones too, under the policy that it names; `order` and `account` find scopes."""
    inputs = decision.inputs
    rules = book.rules(order, account, inputs.portfolio, inputs.risk_class)
    by_deal = covered(rules, inputs)
    lines = []
    for number, (check, test) in enumerate(TESTS, start=1):
        rule = getattr(rules.checks, check)
        passed, measured, threshold = test(inputs, rule, rules.exposure)
        result = "off" if rule.mode == "off" else "passed" if passed else _result(check, rule.mode, by_deal)
        name, unit = NAMES[check]
        lines.append(Line(number, check, name, rule.mode, measured, threshold, result, unit))
    if inputs.behind_queue:
        lines.append(Line(17, BEHIND_QUEUE, NAMES[BEHIND_QUEUE][0], "hold", None, None, _result(BEHIND_QUEUE, "hold", by_deal)))
    return lines


def _result(check: str, mode: str, by_deal: frozenset[str]) -> str:
    """What became of a check that did not pass."""
    return "covered" if check in by_deal and mode != "warn" else _RESULTS[mode]
