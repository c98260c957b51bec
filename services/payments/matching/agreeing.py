"""Whether cash agrees with items: exactly, less discount or an agreed deduction, within tolerance, or short for a reason seen.

The items are given; which items are meant is settled before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from services.payments.matching.settling import (
    deducted,
    deduction_minor,
    discount_minor,
    full,
    item_tolerance_minor,
    late_discount_minor,
    less,
    part,
    payment_tolerance_minor,
    spread,
    undisputed,
)
from services.payments.matching.subset import subsets
from services.payments.matching.values import Open, Payment, Rules, Settle
from shared.money import with_currency

Items = Sequence[Open]
TAKERS_MAX = 12
"""Of so many discounts it is worked out which were taken; of more, all or none."""


class Agreed(msgspec.Struct, frozen=True):
    """Lines with the payment's cash, less what stays unallocated, and how they agree. `firm` leaves nothing unexplained."""

    lines: tuple[Settle, ...]
    how: str
    unallocated_minor: int = 0
    firm: bool = True

    @property
    def is_tolerated(self) -> bool:
        """Some difference is posted away: enough for an item that is named, not for one that is only meant."""
        return any("small difference" in line.reason for line in self.lines) or "tolerance" in self.how


def agreed(items: Items, payment: Payment, rules: Rules) -> Agreed | None:
    """The first way in which these items explain the whole payment, charges that banks kept included."""
    for way in _WAYS:
        if found := way(items, payment.amount_minor, payment, rules):
            return found
        if payment.charges_minor and (found := way(items, payment.amount_minor + payment.charges_minor, payment, rules)):
            return _charged(found, payment)
    return None


def _charged(found: Agreed, payment: Payment) -> Agreed | None:
    """Charges that banks stated are no cash: they are a difference on the largest item."""
    charges_minor = payment.charges_minor
    at = max(range(len(found.lines)), key=lambda one: found.lines[one].paid_minor)
    line = found.lines[at]
    if line.paid_minor <= charges_minor:
        return None
    reason = f"{line.reason}, bank charges" if line.reason else "bank charges"
    paid, difference = line.paid_minor - charges_minor, line.difference_minor + charges_minor
    charged = msgspec.structs.replace(line, paid_minor=paid, difference_minor=difference, reason=reason)
    lines = (*found.lines[:at], charged, *found.lines[at + 1 :])
    return Agreed(lines, f"{found.how}, bank charges of {with_currency(charges_minor, payment.currency)} stated", firm=found.firm)


def _exactly(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    if sum(item.open_minor for item in items) != cash:
        return None
    return Agreed(tuple(full(item) for item in items), "amounts agree exactly")


def _discounted(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    discounts = [discount_minor(item, payment.received_on, rules) for item in items]
    taken = _taken(discounts, sum(item.open_minor for item in items) - cash)
    if taken is None:
        return None
    return Agreed(tuple(_closed(item, off) for item, off in zip(items, taken, strict=True)), "less early-payment discount")


def _closed(item: Open, discount: int, small: int = 0) -> Settle:
    reason = "early payment" if discount else "small difference" if small else ""
    return less(item, discount_minor=discount, difference_minor=small, reason=reason)


def _taken(discounts: list[int], gap: int) -> list[int] | None:
    """Which discounts make up the gap: all of them, to one unit of rounding each, else the only set that does exactly."""
    takers = [at for at, off in enumerate(discounts) if off]
    if gap <= 0 or not takers:
        return None
    if abs(gap - sum(discounts)) <= len(takers):
        return _rounded(discounts, gap - sum(discounts))
    if len(takers) > TAKERS_MAX:
        return None
    found = subsets([discounts[at] for at in takers], gap, _FEW)
    chosen = {takers[at] for at in found.solutions[0]} if found.unique else set()
    return [off if at in chosen else 0 for at, off in enumerate(discounts)] if chosen else None


def _rounded(discounts: list[int], rounding: int) -> list[int]:
    steps = iter(spread(rounding, [1 for off in discounts if off]))
    return [off + next(steps) if off else 0 for off in discounts]


def _deducted(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    if not rules.known_deductions:
        return None
    offs = [deduction_minor(item, rules) for item in items]
    takers = sum(1 for off in offs if off)
    rounding = sum(item.open_minor for item in items) - cash - sum(offs)
    if not takers or abs(rounding) > takers:
        return None
    lines = [deducted(item, off, rules) if off else full(item) for item, off in zip(items, _rounded(offs, rounding), strict=True)]
    return Agreed(tuple(lines), "less agreed deduction")


def _undisputed(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    disputed = sum(item.disputed_minor for item in items)
    if not disputed or sum(item.open_minor for item in items) - cash != disputed:
        return None
    if any(item.disputed_minor >= item.open_minor for item in items if item.disputed_minor):
        return None
    return Agreed(tuple(undisputed(item) for item in items), "all but what is disputed")


def _tolerated(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    gap = sum(item.open_minor for item in items) - cash
    if abs(gap) > payment_tolerance_minor(items, rules):
        return None
    parts = spread(gap, [item_tolerance_minor(item, rules) for item in items])
    lines = tuple(_closed(item, 0, off) for item, off in zip(items, parts, strict=True))
    return Agreed(lines, f"difference of {with_currency(gap, payment.currency)} within tolerance")


def _discounted_and_tolerated(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    """A discount worked out on another base, within tolerance."""
    discounts = [discount_minor(item, payment.received_on, rules) for item in items]
    gap = sum(item.open_minor for item in items) - cash - sum(discounts)
    if not any(discounts) or abs(gap) > payment_tolerance_minor(items, rules):
        return None
    parts = spread(gap, [item_tolerance_minor(item, rules) for item in items])
    lines = tuple(_closed(item, off, small) for item, off, small in zip(items, discounts, parts, strict=True))
    return Agreed(lines, f"less early-payment discount, difference of {with_currency(gap, payment.currency)} within tolerance")


def _late(items: Items, cash: int, payment: Payment, rules: Rules) -> Agreed | None:
    """A discount taken too late is a short pay that explains itself: what was taken stays open."""
    offs = [late_discount_minor(item) for item in items]
    takers = sum(1 for off in offs if off)
    rounding = sum(item.open_minor for item in items) - cash - sum(offs)
    if not takers or abs(rounding) > takers:
        return None
    parts = _rounded(offs, rounding)
    if any(off >= item.open_minor for item, off in zip(items, parts, strict=True) if off):
        return None
    lines = [
        part(item, item.open_minor - off, residual_minor=off, reason="discount taken late") if off else full(item)
        for item, off in zip(items, parts, strict=True)
    ]
    return Agreed(tuple(lines), "less a discount taken late", firm=False)


_Way = Callable[[Items, int, Payment, Rules], Agreed | None]
_WAYS: tuple[_Way, ...] = (_exactly, _discounted, _deducted, _undisputed, _tolerated, _discounted_and_tolerated, _late)
_FEW = Rules().effort
