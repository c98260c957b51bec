"""How one item is settled: in full, less a discount, with a difference, in part, or short with a residual (P6, C1).

Amounts keep the sign of the item; nothing here settles more than is open.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from services.payments.matching.lookup import flat
from services.payments.matching.values import Open, Payment, Rules, Settle

BASIS = 10_000


def full(item: Open, reason: str = "") -> Settle:
    return Settle(item=item.item, settled_minor=item.open_minor, paid_minor=item.open_minor, reason=reason)


def less(item: Open, *, discount_minor: int = 0, difference_minor: int = 0, reason: str = "") -> Settle:
    """Closed in full, though not all of it in cash."""
    paid = item.open_minor - discount_minor - difference_minor
    return Settle(
        item=item.item,
        settled_minor=item.open_minor,
        paid_minor=paid,
        discount_minor=discount_minor,
        difference_minor=difference_minor,
        reason=reason,
    )


def part(item: Open, paid_minor: int, *, residual_minor: int = 0, reason: str = "partial payment") -> Settle:
    """The item stays open for the rest; `residual_minor` of it is a claim."""
    return Settle(item=item.item, settled_minor=paid_minor, paid_minor=paid_minor, residual_minor=residual_minor, reason=reason)


def undisputed(item: Open) -> Settle:
    """All but the disputed amount, which must be less than what is open."""
    return part(item, item.open_minor - item.disputed_minor, reason="undisputed part") if item.disputed_minor else full(item)


def share_minor(amount_minor: int, basis_points: int) -> int:
    """A percentage in whole minor units, half away from zero, as commercial rounding does."""
    sign = -1 if amount_minor < 0 else 1
    return sign * ((abs(amount_minor) * basis_points + BASIS // 2) // BASIS)


def discount_minor(item: Open, on: dt.date, rules: Rules) -> int:
    """The early-payment discount that may be taken on that day: the best one still running, of the whole document."""
    if not item.discounts or item.open_minor <= 0:
        return 0
    grace = dt.timedelta(days=rules.discount_grace_days)
    running = [share_minor(item.amount_minor, one.basis_points) for one in item.discounts if on <= one.until_on + grace]
    return min(max(running, default=0), item.open_minor - 1)


def late_discount_minor(item: Open) -> int:
    """The largest discount the item ever had: what is taken when it is taken too late."""
    return (
        max((share_minor(item.amount_minor, one.basis_points) for one in item.discounts), default=0) if item.open_minor > 0 else 0
    )


def deduction_minor(item: Open, rules: Rules) -> int:
    """What the account takes off every invoice by agreement."""
    if item.kind != "invoice":
        return 0
    return sum(share_minor(item.open_minor, one.basis_points) for one in rules.known_deductions)


def item_tolerance_minor(item: Open, rules: Rules) -> int:
    """min(amount, percent of the item): blank means none (SAP KBA 3539821)."""
    return min(rules.tolerance_minor, abs(item.open_minor) * rules.tolerance_basis_points // BASIS)


def payment_tolerance_minor(items: Sequence[Open], rules: Rules) -> int:
    """The items' own tolerances together, then min(account's limit, limit of the clerk or of the machine)."""
    limit = rules.limit_minor if rules.account_limit_minor is None else min(rules.limit_minor, rules.account_limit_minor)
    return min(sum(item_tolerance_minor(item, rules) for item in items), limit)


def deducted(item: Open, deduction: int, rules: Rules) -> Settle:
    """An agreed deduction goes where its reason says; without a reason on file it stays open as a claim."""
    reason = rules.known_deductions[0].reason
    known = rules.reasons.get(reason)
    if known is not None and known.posts_to == "difference":
        return less(item, difference_minor=deduction, reason=known.cause)
    return part(item, item.open_minor - deduction, residual_minor=deduction, reason=known.cause if known else reason)


def reason_in(payment: Payment, rules: Rules) -> str:
    """The one reason code that stands in the text, as a word or as its words in a row; two codes are none."""
    if not rules.reasons:
        return ""
    text = _in_words(flat(payment.text))
    codes = [code for code in rules.reasons if _in_words(code) in text]
    return codes[0] if len(codes) == 1 else ""


def _in_words(text: str) -> str:
    words = " ".join(re.findall(r"\w+", text.casefold()))
    return f" {words} "


def short(item: Open, paid_minor: int, code: str, rules: Rules) -> Settle:
    """Short pay: with a reason the rest is a claim, or a posted difference within the limit; without one it is a part payment."""
    gap = item.open_minor - paid_minor
    reason = rules.reasons.get(code)
    if not code:
        return part(item, paid_minor)
    if reason and reason.posts_to == "difference" and abs(gap) <= payment_tolerance_minor((item,), rules):
        return less(item, difference_minor=gap, reason=reason.cause)
    return part(item, paid_minor, residual_minor=gap, reason=reason.cause if reason else code)


def spread(gap_minor: int, caps: Sequence[int]) -> list[int]:
    """A difference over items in their order, none beyond its own cap; the gap must fit the caps together."""
    parts, rest = [], gap_minor
    for cap in caps:
        here = max(-cap, min(cap, rest))
        parts.append(here)
        rest -= here
    assert rest == 0, f"{gap_minor} does not fit into {sum(caps)}"
    return parts
