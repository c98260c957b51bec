"""Whether the evidence of a payment fits one answer only. It knows the truth, so it only has to look for a second answer.

Never helps a matcher: it is asked by the generator, while it writes the truth. Strict where a clerk would shrug: any other
set of open invoices with the same sum makes a set undecided, however unlikely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.quality.border import Item
from tests.quality.numbers import distance, plain

SEARCHED_ITEMS_MAX = 22
"""2^22 sets lie closer together than pennies do in a ledger of this size: beyond it a sum proves nothing."""
NEAR_EDITS_MAX = 2
TOLERANCE_MINOR = 500
TOLERANCE_PER_MILLE = 5
"""P6: min(5.00, 0.5 % of the item)."""


def invoices(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.open_minor > 0]


def sums(amounts: Sequence[int]) -> list[int]:
    """Of every subset, the empty one included."""
    found = [0]
    for amount in amounts:
        found += [sum_ + amount for sum_ in found]
    return found


def sets_with_sum(items: Sequence[Item], target_minor: int) -> int | None:
    """How many sets of these invoices have this sum; None where they are too many to tell sums apart."""
    amounts = [item.open_minor for item in items]
    if len(amounts) > SEARCHED_ITEMS_MAX:
        return None
    half = len(amounts) // 2
    left = Counter(sums(amounts[:half]))
    return sum(left[target_minor - sum_] for sum_ in sums(amounts[half:]))


def only_set(items: Iterable[Item], target_minor: int) -> bool:
    return sets_with_sum(invoices(items), target_minor) == 1


def has_amount(items: Iterable[Item], amount_minor: int, chosen: Item) -> bool:
    """Another invoice has exactly this amount, whatever the text names."""
    return any(item.open_minor == amount_minor for item in items if item.id != chosen.id)


def only_one(items: Iterable[Item], amount_minor: int, chosen: Item) -> bool:
    """This invoice alone has the amount, and no two others together have it."""
    others = [item.open_minor for item in invoices(items) if item.id != chosen.id]
    return amount_minor not in others and not has_pair(others, amount_minor)


def has_pair(amounts: Sequence[int], target_minor: int) -> bool:
    seen: set[int] = set()
    for amount in amounts:
        if target_minor - amount in seen:
            return True
        seen.add(amount)
    return False


def tolerance_minor(item: Item) -> int:
    return min(TOLERANCE_MINOR, item.open_minor * TOLERANCE_PER_MILLE // 1_000)


def only_near(items: Iterable[Item], amount_minor: int, chosen: Item) -> bool:
    """Within tolerance of this invoice and of no other, and no exact answer either."""
    others = [item for item in invoices(items) if item.id != chosen.id]
    near = any(abs(item.open_minor - amount_minor) <= tolerance_minor(item) for item in others)
    return not near and not has_pair([item.open_minor for item in others], amount_minor)


def only_like(items: Iterable[Item], written: str, amount_minor: int, chosen: Item) -> bool:
    """Of the items with this amount only the chosen one has a number like the damaged one."""
    text = plain(written)
    same = [item for item in items if item.open_minor == amount_minor and item.id != chosen.id]
    return all(distance(text, plain(item.number)) > NEAR_EDITS_MAX for item in same)
