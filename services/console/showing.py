"""What a waiting order shows on the desk: time left, why it is held, the account's exposure with this order drawn in. Pure.

Figures come from rows, words from the policy's findings; nothing here asks anybody or decides anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from contracts.accounts import Terms
from contracts.orders import Decision, Finding, Placed
from services.console.following import BREACH, UNRANKED, Account, Order, terms_of
from services.console.policies import rules_now
from services.console.position import exposure_minor, together
from shared import money
from shared.credit import reasons
from shared.credit.checks import BEHIND_QUEUE
from shared.credit.clocks import Hours
from shared.credit.rulebook import Policies, Rules
from shared.working_time import between

AMBER_PERCENT = 50
RED_PERCENT = 90
"""Of the time allowed: from here on somebody must do it now. Escalations (75 %) stand in words."""
ROOM_PERCENT = 4
"""Of the bar, right of what it shows: a limit at the very end could not be seen."""
PAPERS = frozenset({"review_overdue", "terms", "po_number", "cash_on_delivery", "insurance", "limit_expired"})
"""Reasons that a paper or a call clears: amber. Those of value and queue are grey, the rest is red."""
PLAIN = frozenset({"order_value", BEHIND_QUEUE})

decode_decision = msgspec.json.Decoder(Decision).decode
decode_placed = msgspec.json.Decoder(Placed).decode


class Chip(msgspec.Struct, frozen=True):
    """`text` is short, `told` has all figures."""

    check: str
    text: str
    told: str
    tone: str


class Clock(msgspec.Struct, frozen=True):
    """`left` is working time, negative when it is over; `used` percent of what was allowed. `runs`: the desk is open now."""

    left: dt.timedelta
    used: int
    tone: str
    runs: bool


class Bar(msgspec.Struct, frozen=True):
    """Percent of the bar's width: what is owed, this order on top, where the limit stands. `shared`: of the credit group."""

    owed: float
    order: float
    limit: float
    owed_minor: int
    limit_minor: int
    over_minor: int
    shared: bool


class Row(msgspec.Struct, frozen=True):
    """An order as a line of the queue."""

    order: Order
    account: Account
    name: str
    clock: Clock | None
    chips: tuple[Chip, ...]
    bar: Bar
    rules: Rules
    escalated: str = ""

    @property
    def ranked(self) -> bool:
        return self.order.rank < UNRANKED

    @property
    def account_terms(self) -> Terms:
        return terms_of(self.account)

    @property
    def version(self) -> str:
        """Changes whenever anything that is shown of it may have, but the time."""
        return f"{self.order.sequence}.{self.account.sequence}"


def row_of(order: Order, account: Account, group: Sequence[Account], policies: Policies, now: dt.datetime) -> Row:
    rules = rules_now(policies, now, account, order.order)
    on = now.astimezone(rules.zone).date()
    decision = decode_decision(order.decision) if order.decision is not None else None
    return Row(
        order=order,
        account=account,
        name=account.name or account.account,
        clock=clock_of(order, rules.hours, now),
        chips=chips_of(decision),
        bar=bar_of(order, account, group, rules, on),
        rules=rules,
        escalated=order.told if order.told and order.told != order.level else "",
    )


# --- time -----------------------------------------------------------------------------------------------------------


def clock_of(order: Order, hours: Hours, now: dt.datetime) -> Clock | None:
    """Working time left; none for an order that does not wait."""
    begins, due = order.from_at, order.due_at
    if not order.waits or begins is None or due is None:
        return None
    calendar = hours.calendar
    late = now >= due
    left = -between(calendar, due, now) if late else between(calendar, now, due)
    allowed = between(calendar, begins, due)
    used = 100 if late or not allowed else min(int(100 * (allowed - left) / allowed), 100)
    tone = "bad" if late or used >= RED_PERCENT or order.mark == BREACH else "warn" if used >= AMBER_PERCENT else ""
    return Clock(left, max(used, 0), tone, between(calendar, now, now + dt.timedelta(minutes=1)) > dt.timedelta())


# --- why ------------------------------------------------------------------------------------------------------------


def chips_of(decision: Decision | None) -> tuple[Chip, ...]:
    """One per reason, the gravest first; two limits that say the same are one."""
    if decision is None:
        return ()
    findings = [finding for finding in decision.held_by if not _repeats(finding, decision.held_by)]
    chips = [_chip(finding, decision.inputs.currency) for finding in findings]
    return tuple(sorted(chips, key=lambda chip: ("bad", "warn", "").index(chip.tone)))


def _repeats(finding: Finding, all_of: Sequence[Finding]) -> bool:
    """The limit within the horizon fails with the limit itself by the same amount, unless orders ship later."""
    if finding.check != "dynamic_limit":
        return False
    return any(other.check == "static_limit" and other.measured == finding.measured for other in all_of)


def _chip(finding: Finding, currency: str) -> Chip:
    tone = "" if finding.check in PLAIN else "warn" if finding.check in PAPERS else "bad"
    return Chip(finding.check, _short(finding, currency), reasons.told(finding, currency), tone)


def _short(finding: Finding, currency: str) -> str:
    """As it fits into a line: whole units of the currency, no thresholds."""
    measured, threshold = finding.measured, finding.threshold
    if finding.check in ("static_limit", "dynamic_limit") and isinstance(measured, int) and isinstance(threshold, int):
        horizon = " in the horizon" if finding.check == "dynamic_limit" else ""
        return f"over limit {_units(measured - threshold, currency)}{horizon}"
    say = _SHORT.get(finding.check)
    return say.format(measured=str(measured).replace("_", " ")) if say else finding.check.replace("_", " ")


def _units(minor: int, currency: str) -> str:
    """Rounded up: an order that is over by pennies is not shown as over by nothing."""
    return f"{-(-minor // 10 ** money.exponent(currency)):,}"


_SHORT = {
    "account_open": "account {measured}",
    "not_on_stop": "on stop",
    "order_value": "above standard order",
    "oldest_overdue": "{measured} d overdue",
    "overdue_share": "{measured} % overdue",
    "dunning_level": "dunning level {measured}",
    "review_overdue": "review overdue",
    "terms": "asks {measured} d terms",
    "po_number": "PO missing",
    "cash_on_delivery": "COD not paid",
    "unconnected_stock": "{measured} % unconnected",
    "broken_promises": "{measured} promises broken",
    "insurance": "insurance out",
    "limit_expired": "limit expired",
    BEHIND_QUEUE: "behind others",
}


# --- exposure -------------------------------------------------------------------------------------------------------


def bar_of(order: Order, account: Account, group: Sequence[Account], rules: Rules, on: dt.date) -> Bar:
    """Of the limit that is tighter: the account's own, or its group's."""
    value = order.waiting_minor
    owed, limit, shared = exposure_minor(account, rules, on), account.limit_minor, False
    if len(group) > 1:
        root = next((each for each in group if each.account == each.home), account)
        whole = exposure_minor(together(group, root), rules, on)
        if whole - root.limit_minor > owed - limit:
            owed, limit, shared = whole, root.limit_minor, True
    width = max(limit, owed + value, 1) * (100 + ROOM_PERCENT) // 100 or 1
    shown = max(owed, 0)
    return Bar(
        owed=_percent(shown, width),
        order=_percent(value, width),
        limit=_percent(limit, width),
        owed_minor=owed,
        limit_minor=limit,
        over_minor=max(owed + value - limit, 0),
        shared=shared,
    )


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1)


# --- the whole window -----------------------------------------------------------------------------------------------


def rows_of(
    known: Sequence[Order],
    accounts: Mapping[str, Account],
    groups: Mapping[str, Sequence[Account]],
    policies: Policies,
    now: dt.datetime,
) -> list[Row]:
    return [
        row_of(order, accounts[order.account], groups.get(order.home, ()), policies, now)
        for order in known
        if order.account in accounts
    ]
