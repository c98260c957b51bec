"""The sixteen credit checks of O2, each a pure function of the inputs and its own rule, and their settings in a policy.

All are evaluated, always; none knows of another. A check gives (passed, measured, threshold), so that a decision and its
explanation come from the same line of code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contracts.orders import Inputs
from contracts.words import Amount, Count, Percent, Word

Mode = Literal["off", "warn", "hold", "reject"]
Measure = int | str | None
Result = tuple[bool, Measure, Measure]


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`override` false: no person releases an order that fails this check."""

    mode: Mode = "hold"
    override: bool = True


class AccountOpen(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    statuses: Annotated[tuple[Word, ...], Meta(min_length=1)] = ("open", "on_stop")


class DynamicLimit(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    horizon_days: Count = 60


class OrderValue(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    maximum_minor: Amount | None = None


class OldestOverdue(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    days_max: Count = 30


class Share(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    percent_max: Percent


class DunningLevel(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level_below: Count = 3


class BrokenPromises(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count_below: Count = 2
    window_days: Annotated[int, Meta(ge=1, le=90)] = 90
    """At most as long as the desk remembers a broken promise."""


class Insurance(Check, frozen=True, kw_only=True, forbid_unknown_fields=True):
    required: bool = False


class Checks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rule of every check, in the order of O2."""

    account_open: AccountOpen
    not_on_stop: Check
    static_limit: Check
    dynamic_limit: DynamicLimit
    order_value: OrderValue
    oldest_overdue: OldestOverdue
    overdue_share: Share
    dunning_level: DunningLevel
    review_overdue: Check
    terms: Check
    po_number: Check
    cash_on_delivery: Check
    unconnected_stock: Share
    broken_promises: BrokenPromises
    insurance: Insurance
    limit_expired: Check


class Exposure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as exposure (F1, O2)."""

    count_disputed: bool = True
    deduct_insured: bool = False


Test = Callable[[Inputs, Any, Exposure], Result]


def account_open(inputs: Inputs, rule: AccountOpen, exposure: Exposure) -> Result:
    """O2.1"""
    return inputs.status in rule.statuses, inputs.status, "open"


def not_on_stop(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.2"""
    return inputs.status != "on_stop", inputs.status, "not on_stop"


def static_limit(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.3: the order must fit into the account's own limit and into its group's."""
    return _fits(inputs, 0, 0, inputs.value_minor - inputs.deal_minor)


def dynamic_limit(inputs: Inputs, rule: DynamicLimit, exposure: Exposure) -> Result:
    """O2.4: the same, of what ships within the horizon."""
    value = 0 if inputs.beyond_horizon else inputs.value_minor
    return _fits(inputs, inputs.reserved_beyond_minor, inputs.group_beyond_minor or 0, value - inputs.deal_minor)


def _fits(inputs: Inputs, beyond_minor: int, group_beyond_minor: int, added_minor: int) -> Result:
    """Measured and threshold are of the limit that is tighter: the account's own, or the group's.

    What the order takes over from its deal is in exposure already, and adds nothing.
    """
    own, limit = inputs.exposure_minor - beyond_minor + added_minor, inputs.limit_minor
    group_exposure, group_limit = inputs.group_exposure_minor, inputs.group_limit_minor
    if group_exposure is None or group_limit is None:
        return own <= limit, own, limit
    group = group_exposure - group_beyond_minor + added_minor
    if group - group_limit > own - limit:
        return group <= group_limit, group, group_limit
    return own <= limit, own, limit


def order_value(inputs: Inputs, rule: OrderValue, exposure: Exposure) -> Result:
    """O2.5"""
    level, maximum = inputs.standard_order_minor, rule.maximum_minor
    if level is None or (maximum is not None and maximum < level):
        level = maximum
    return level is None or inputs.value_minor <= level, inputs.value_minor, level


def oldest_overdue(inputs: Inputs, rule: OldestOverdue, exposure: Exposure) -> Result:
    """O2.6"""
    days = inputs.oldest_overdue_days if exposure.count_disputed else inputs.oldest_undisputed_days
    return days <= rule.days_max, days, rule.days_max


def overdue_share(inputs: Inputs, rule: Share, exposure: Exposure) -> Result:
    """O2.7, of the balance including what is not due (F7); an account that owes nothing passes."""
    if exposure.count_disputed:
        return _share(inputs.overdue_minor, inputs.open_items_minor, rule.percent_max)
    return _share(inputs.overdue_undisputed_minor, inputs.open_items_minor - inputs.disputed_minor, rule.percent_max)


def _share(part: int, whole: int, percent_max: int) -> Result:
    """The percentage shown is rounded up, so that one that fails is never shown as its threshold."""
    if part <= 0 or whole <= 0:
        return True, 0, percent_max
    return part * 100 <= whole * percent_max, -(-part * 100 // whole), percent_max


def dunning_level(inputs: Inputs, rule: DunningLevel, exposure: Exposure) -> Result:
    """O2.8"""
    return inputs.dunning_level < rule.level_below, inputs.dunning_level, rule.level_below


def review_overdue(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.9"""
    return _in_time(inputs.review_due_on, inputs.on)


def terms(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.10"""
    asked = inputs.terms_days if inputs.asked_days is None else inputs.asked_days
    return asked <= inputs.terms_days, asked, inputs.terms_days


def po_number(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.11"""
    needed = "required" if inputs.po_required else "not required"
    return inputs.po_number or not inputs.po_required, "given" if inputs.po_number else "missing", needed


def cash_on_delivery(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.12: an account on cash on delivery has paid before, or pays on delivery."""
    if not inputs.cash_on_delivery or inputs.cod_shipment:
        return True, inputs.prepaid_minor, "cod shipment" if inputs.cash_on_delivery else None
    return inputs.prepaid_minor >= inputs.value_minor, inputs.prepaid_minor, inputs.value_minor


def unconnected_stock(inputs: Inputs, rule: Share, exposure: Exposure) -> Result:
    """O2.13"""
    return _share(inputs.stock_unconnected, inputs.stock_shipped, rule.percent_max)


def broken_promises(inputs: Inputs, rule: BrokenPromises, exposure: Exposure) -> Result:
    """O2.14"""
    return inputs.broken_promises < rule.count_below, inputs.broken_promises, rule.count_below


def insurance(inputs: Inputs, rule: Insurance, exposure: Exposure) -> Result:
    """O2.15: cover that the account has must be in force; a policy may ask every account to have one."""
    if not inputs.insured_minor:
        return not rule.required, "none", "required" if rule.required else "not required"
    return _in_time(inputs.insured_until, inputs.on)


def limit_expired(inputs: Inputs, rule: Check, exposure: Exposure) -> Result:
    """O2.16"""
    return _in_time(inputs.limit_expires_on, inputs.on)


def _in_time(until: dt.date | None, on: dt.date) -> Result:
    """The day itself is still in time; no day is never over."""
    if until is None:
        return True, None, None
    return until >= on, until.isoformat(), on.isoformat()


TESTS: tuple[tuple[str, Test], ...] = (
    ("account_open", account_open),
    ("not_on_stop", not_on_stop),
    ("static_limit", static_limit),
    ("dynamic_limit", dynamic_limit),
    ("order_value", order_value),
    ("oldest_overdue", oldest_overdue),
    ("overdue_share", overdue_share),
    ("dunning_level", dunning_level),
    ("review_overdue", review_overdue),
    ("terms", terms),
    ("po_number", po_number),
    ("cash_on_delivery", cash_on_delivery),
    ("unconnected_stock", unconnected_stock),
    ("broken_promises", broken_promises),
    ("insurance", insurance),
    ("limit_expired", limit_expired),
)
BEHIND_QUEUE = "behind_queue"
"""Not one of the sixteen: others of the group wait before this order, and it may not pass them (O7)."""
BY_VALUE = ("static_limit", "dynamic_limit", "order_value")
"""The checks of how much is asked: what a pre-approved deal answers beforehand (O8)."""
