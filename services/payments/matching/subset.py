"""Which sets of open amounts add up to a payment: exact, bounded, and honest about giving up (P6e, F5).

It counts to two before anything else, because a second solution means that a person decides. Work is counted, never timed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from services.payments.matching.values import Effort

WITNESS_ITEMS = 28
"""Of many items so many of fitting size are searched alone: two solutions among them prove that the whole has no single one."""
SEED = 1


class Found(NamedTuple):
    """`solutions` are positions into the amounts, at most as many as are shown; `complete` when there are no others."""

    solutions: tuple[tuple[int, ...], ...]
    complete: bool
    gave_up: bool = False

    @property
    def unique(self) -> bool:
        return self.complete and len(self.solutions) == 1


def subsets(amounts: Sequence[int], target_minor: int, effort: Effort) -> Found:
    """All sets of non-zero amounts (credits negative) with this sum, or the first few of them."""
    flipped = sum(-amount for amount in amounts if amount < 0)
    found = _positive([abs(amount) for amount in amounts], target_minor + flipped, effort)
    return found._replace(solutions=tuple(sorted(_unflipped(amounts, one) for one in found.solutions)))


def _unflipped(amounts: Sequence[int], chosen: tuple[int, ...]) -> tuple[int, ...]:
    """A credit was searched for as "left out": adding its size to both sides makes every amount positive."""
    picked = set(chosen)
    return tuple(at for at, amount in enumerate(amounts) if (at in picked) == (amount > 0))


def _positive(sizes: list[int], target: int, effort: Effort) -> Found:
    if target == 0:
        return Found(((),), complete=True)
    usable = [at for at, size in enumerate(sizes) if size <= target]
    divisor = math.gcd(*(sizes[at] for at in usable)) if usable else 1
    if target < 0 or not usable or target % divisor or sum(sizes[at] for at in usable) < target:
        return Found((), complete=True)
    found = _searched([sizes[at] // divisor for at in usable], target // divisor, effort)
    return found._replace(solutions=tuple(tuple(usable[at] for at in one) for one in found.solutions))


def _searched(sizes: list[int], target: int, effort: Effort) -> Found:
    if len(sizes) <= effort.halves_items:
        return _by_halves(sizes, target, effort.shown)
    if witness := _witness(sizes, target, effort.shown):
        return witness
    return _by_table(sizes, target, effort) or _by_solver(sizes, target, effort)


def _witness(sizes: list[int], target: int, shown: int) -> Found | None:
    """Two solutions among neighbours in size whose sums lie most densely at the target: half of their total is nearest to it."""
    order = sorted(range(len(sizes)), key=lambda at: (sizes[at], at))
    starts = range(len(order) - WITNESS_ITEMS + 1)
    start = min(starts, key=lambda at: abs(sum(sizes[one] for one in order[at : at + WITNESS_ITEMS]) - 2 * target))
    some = sorted(order[start : start + WITNESS_ITEMS])
    found = _by_halves([sizes[at] for at in some], target, shown)
    if len(found.solutions) < 2:
        return None
    return Found(tuple(tuple(some[at] for at in one) for one in found.solutions), complete=False)


def _by_halves(sizes: Sequence[int], target: int, shown: int) -> Found:
    """Meet in the middle: the position of a sum in its list is the set of items it is made of, bit by bit."""
    middle = len(sizes) // 2
    left, right = _sums(sizes[:middle]), _sums(sizes[middle:])
    wanted = {target - total for total in right} & set(left)
    if not wanted:
        return Found((), complete=True)
    pairs = _pairs(left, right, target, wanted, middle)
    first = tuple(islice(pairs, shown))
    return Found(first, complete=next(pairs, None) is None)


def _sums(sizes: Sequence[int]) -> list[int]:
    sums = [0]
    for size in sizes:
        sums += [total + size for total in sums]
    return sums


def _pairs(left: list[int], right: list[int], target: int, wanted: set[int], middle: int) -> Iterator[tuple[int, ...]]:
    of_left: dict[int, list[int]] = {}
    for bits, total in enumerate(left):
        if total in wanted:
            of_left.setdefault(total, []).append(bits)
    for bits, total in enumerate(right):
        for other in of_left.get(target - total, ()):
            yield tuple(_positions(other | bits << middle))


def _positions(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _by_table(sizes: list[int], target: int, effort: Effort) -> Found | None:
    """Reachable sums as bits of one integer, `once` and `twice`; None when the table would cost more than the effort allows."""
    width = target // 8 + 1
    if len(sizes) * width * 6 > effort.bytes_touched or len(sizes) * width > effort.bytes_kept:
        return None
    mask, once, twice, before = (1 << target + 1) - 1, 1, 0, [1]
    for at, size in enumerate(sizes):
        moved = once << size & mask
        twice |= once & moved | twice << size & mask
        once |= moved
        before.append(once)
        if twice >> target & 1:
            return _listed(sizes[: at + 1], target, before, effort.shown, every=False)
    return _listed(sizes, target, before, effort.shown, every=True)


def _listed(sizes: list[int], target: int, before: list[int], shown: int, every: bool) -> Found:
    """Walk back through the tables; only sums that can still be reached are followed, so every path ends in a solution."""
    found: list[tuple[int, ...]] = []
    paths = [(len(sizes), target, ())] if before[len(sizes)] >> target & 1 else []
    stack: list[tuple[int, int, tuple[int, ...]]] = list(paths)
    while stack and len(found) < shown:
        count, rest, chosen = stack.pop()
        if count == 0:
            found.append(chosen)
            continue
        size = sizes[count - 1]
        if rest >= size and before[count - 1] >> rest - size & 1:
            stack.append((count - 1, rest - size, (count - 1, *chosen)))
        if before[count - 1] >> rest & 1:
            stack.append((count - 1, rest, chosen))
    return Found(tuple(found), complete=every and not stack)


def _by_solver(sizes: list[int], target: int, effort: Effort) -> Found:
    """CP-SAT with one worker, a fixed seed and deterministic time answers alike everywhere; solutions found are forbidden."""
    from ortools.sat.python import cp_model  # half a second to import, and few payments come this far

    model = cp_model.CpModel()
    taken = [model.new_bool_var(f"take_{at}") for at in range(len(sizes))]
    model.add(cp_model.LinearExpr.weighted_sum(taken, sizes) == target)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.max_deterministic_time = effort.solver_deterministic_s
    found: list[tuple[int, ...]] = []
    while len(found) < effort.shown:
        status = solver.solve(model)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Found(tuple(found), complete=status == cp_model.INFEASIBLE, gave_up=status != cp_model.INFEASIBLE)
        chosen = tuple(at for at, variable in enumerate(taken) if solver.boolean_value(variable))
        found.append(chosen)
        picked = set(chosen)
        model.add_bool_or([variable.negated() if at in picked else variable for at, variable in enumerate(taken)])
    return Found(tuple(found), complete=False)
