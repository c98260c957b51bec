"""What would let a held order go: read off its decision alone, in the trade's words and with its figures (V1, O7). Pure.

Each finding asks for a thing, or for one of several; what the same thing would clear is said once. Whoever has the authority
may release against most of it; against which they may not, the policy says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from contracts.orders import Decision, Finding, Inputs
from shared.credit.checks import BEHIND_QUEUE
from shared.credit.reasons import amount
from shared.credit.rulebook import Rules, authority_of, level_needed

LIMIT_DIGITS = 3
"""A limit is proposed in round figures: 101,480.00 becomes 102,000.00."""


class Need(msgspec.Struct, frozen=True):
    """One thing of `ways` must come about for these checks to pass."""

    checks: tuple[str, ...]
    ways: tuple[str, ...]


class Remedy(msgspec.Struct, frozen=True):
    """`needs`: all of them. `approval`: the role whose authority it takes, where its value or a person asks for one.
    `final`: checks against which nobody releases. `by_value`: no cause that clears frees it without an approval."""

    needs: tuple[Need, ...]
    approval: str
    above_minor: int | None
    final: tuple[str, ...]
    by_value: bool = False


def remedy(decision: Decision, rules: Rules, level: str = "") -> Remedy:
    """`level` is what the order was referred to."""
    needs: dict[tuple[str, ...], list[str]] = {}
    for finding in decision.held_by:
        ways = _WAYS[finding.check](finding, decision.inputs, rules) if finding.check in _WAYS else (finding.check,)
        if ways:
            needs.setdefault(ways, []).append(finding.check)
    told = tuple(Need(tuple(checks), ways) for ways, checks in _widest(needs).items())
    approval, above = _approval(decision, rules, level)
    by_value = any(finding.check == "order_value" for finding in decision.held_by)
    return Remedy(told, approval, above, _final(decision, rules), by_value)


def _widest(needs: dict[tuple[str, ...], list[str]]) -> dict[tuple[str, ...], list[str]]:
    """Both limits ask for cash and for a limit; the larger need covers the smaller, so only that is told."""
    money = [ways for ways, checks in needs.items() if set(checks) & {"static_limit", "dynamic_limit"}]
    if len(money) < 2:
        return needs
    return {ways: checks for ways, checks in needs.items() if ways not in money[1:]}


def _approval(decision: Decision, rules: Rules, level: str) -> tuple[str, int | None]:
    """(role, above which value it is needed): empty when nothing but its causes holds the order."""
    needed = level_needed(rules, decision.inputs.value_minor)
    asked = authority_of(rules, level) if level else None
    if asked is not None and asked.level > needed.level:
        return asked.role, None
    if needed.level > rules.authority[0].level:
        below = [each.maximum_minor for each in rules.authority if each.level < needed.level and each.maximum_minor is not None]
        return needed.role, max(below, default=None)
    usual = next((finding.threshold for finding in decision.held_by if finding.check == "order_value"), None)
    return (needed.role, usual) if isinstance(usual, int) else ("", None)


def _final(decision: Decision, rules: Rules) -> tuple[str, ...]:
    names = (finding.check for finding in decision.held_by if finding.check != BEHIND_QUEUE)
    return tuple(name for name in names if not getattr(rules.checks, name).override)


def round_up(minor: int) -> int:
    """The next amount with LIMIT_DIGITS significant digits."""
    step = int(10 ** max(len(str(max(minor, 0))) - LIMIT_DIGITS, 0))
    return -(-minor // step) * step


# --- what each check asks for ---------------------------------------------------------------------------------------

Ways = tuple[str, ...]


def _limit(finding: Finding, inputs: Inputs, rules: Rules) -> Ways:
    measured, threshold = finding.measured, finding.threshold
    if not isinstance(measured, int) or not isinstance(threshold, int):
        return ("a higher limit",)
    whose = "a group limit" if threshold == inputs.group_limit_minor and threshold != inputs.limit_minor else "a limit"
    return (
        f"{amount(measured - threshold, inputs.currency)} paid or credited",
        f"{whose} of {amount(round_up(measured), inputs.currency)}",
    )


def _overdue_share(finding: Finding, inputs: Inputs, rules: Rules) -> Ways:
    """Cash on overdue items lowers both what is overdue and the balance."""
    counted = rules.exposure.count_disputed
    part = inputs.overdue_minor if counted else inputs.overdue_undisputed_minor
    whole = inputs.open_items_minor if counted else inputs.open_items_minor - inputs.disputed_minor
    percent = rules.checks.overdue_share.percent_max
    short = -(-(part * 100 - whole * percent) // (100 - percent)) if percent < 100 else part
    return (f"{amount(max(short, 0), inputs.currency)} of overdue items paid",)


def _oldest(finding: Finding, inputs: Inputs, rules: Rules) -> Ways:
    return (f"items more than {finding.threshold} days overdue paid (the oldest is {finding.measured} days)",)


def _stock(finding: Finding, inputs: Inputs, rules: Rules) -> Ways:
    allowed = inputs.stock_shipped * rules.checks.unconnected_stock.percent_max // 100
    return (f"{inputs.stock_unconnected - allowed:,} more handsets connected",)


def _cash_on_delivery(finding: Finding, inputs: Inputs, rules: Rules) -> Ways:
    return (f"{amount(inputs.value_minor - inputs.prepaid_minor, inputs.currency)} paid before", "shipped cash on delivery")


def _insurance(finding: Finding, inputs: Inputs, rules: Rules) -> Ways:
    return ("credit insurance taken out",) if not inputs.insured_minor else ("credit insurance renewed",)


def _says(*ways: str) -> Callable[[Finding, Inputs, Rules], Ways]:
    return lambda finding, inputs, rules: tuple(
        way.format(measured=finding.measured, threshold=finding.threshold) for way in ways
    )


_WAYS: Mapping[str, Callable[[Finding, Inputs, Rules], Ways]] = {
    "account_open": _says("the account opened"),
    "not_on_stop": _says("the account taken off stop"),
    "static_limit": _limit,
    "dynamic_limit": _limit,
    "order_value": lambda *_: (),
    "oldest_overdue": _oldest,
    "overdue_share": _overdue_share,
    "dunning_level": _says("the dunning level back below {threshold} (it is {measured})"),
    "review_overdue": _says("the limit review done (due {measured})"),
    "terms": _says("terms of {threshold} days instead of {measured}"),
    "po_number": _says("a PO number from the customer"),
    "cash_on_delivery": _cash_on_delivery,
    "unconnected_stock": _stock,
    "broken_promises": _says("fewer than {threshold} promises broken lately (there are {measured})"),
    "insurance": _insurance,
    "limit_expired": _says("the limit renewed (it expired {measured})"),
    BEHIND_QUEUE: _says("the orders before it decided"),
}
"""The value of an order is cleared by a person's approval and nothing else, so it asks for no thing."""


def sentence(found: Remedy, currency: str, role_name: Callable[[str], str]) -> str:
    """`1,480.00 paid or credited, or a limit of 102,000.00; or instead a release by a team leader`.

    What the order desk does: an order whose causes have cleared releases itself, also one that was referred (`recheck.redecide`);
    a person with the authority releases against all of them, except against what nobody overrides; and a value above the usual
    is cleared by a person alone.
    """
    needs = "; and ".join(", or ".join(need.ways) for need in found.needs)
    if not found.approval:
        return needs
    above = f" (above {amount(found.above_minor, currency)})" if found.above_minor is not None else ""
    release = f"a release by {article(role_name(found.approval))}{above}"
    if found.final:
        return f"{needs}; and then {release}" if found.by_value else needs
    if not needs:
        return release
    return f"{release}; its other causes clear with {needs}" if found.by_value else f"{needs}; or instead {release}"


def article(name: str) -> str:
    spoken = name[:1].lower() + name[1:]
    return f"{'an' if spoken[:1] in 'aeiou' else 'a'} {spoken}"
