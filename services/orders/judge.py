"""One decision: all checks over the inputs of one moment, what follows from it, and how it is told to people (O2, O3, O10).

`decide` and `recompute` are the same code, so a decision that is recomputed from its log comes out to the byte.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec

from contracts.orders import Decision, Finding, Inputs
from services.orders.exposure import Ask, asked_by, asked_of, inputs_of
from services.orders.rules import rules_for
from services.orders.state import RANK_LAST, Deal, Order, State, queue_owner
from shared.credit.checks import BEHIND_QUEUE
from shared.credit.rulebook import Rules, covered

DECIDER = 1
"""Version of the code that judges. It grows whenever the same inputs would give other bytes (tests/contracts/golden)."""


def local_day(at: dt.datetime, zone: ZoneInfo) -> dt.date:
    return at.astimezone(zone).date()


class Judged(msgspec.Struct, frozen=True):
    """A decision with the rules it was made by, when, and the announced deal that its order quotes."""

    decision: Decision
    rules: Rules
    at: dt.datetime
    deal: Deal | None = None

    @property
    def held_by(self) -> tuple[str, ...]:
        return tuple(finding.check for finding in self.decision.held_by)

    @property
    def rejecting(self) -> tuple[str, ...]:
        """Failed checks whose policy says that the order is not even held."""
        checks = self.rules.checks
        return tuple(name for name in self.held_by if name != BEHIND_QUEUE and getattr(checks, name).mode == "reject")

    @property
    def final(self) -> tuple[str, ...]:
        """Failed checks against which no person releases."""
        checks = self.rules.checks
        return tuple(name for name in self.held_by if name != BEHIND_QUEUE and not getattr(checks, name).override)


def judge(state: State, order: str, ask: Ask, at: dt.datetime, by_person: bool = False) -> Judged:
    """Judge this ask of the account in `state`, which must be known. A person's release passes the queue."""
    standing = state.account
    assert standing is not None, "only orders of known accounts are judged"
    rules = rules_for(state.policies, at, standing, order)
    on = local_day(at, rules.zone)
    behind = not by_person and is_behind(state, rules)
    inputs = inputs_of(state, standing, ask, rules, on, behind)
    return Judged(decided(inputs, rules), rules, at, standing.deal(ask.deal) if standing.deals and ask.deal else None)


def decided(inputs: Inputs, rules: Rules) -> Decision:
    held: list[Finding] = []
    warned: list[Finding] = []
    exposure = rules.exposure
    for name, test, rule, warns in rules.active:
        passed, measured, threshold = test(inputs, rule, exposure)
        if not passed:
            (warned if warns else held).append(Finding(check=name, measured=measured, threshold=threshold))
    if inputs.behind_queue:
        held.append(Finding(check=BEHIND_QUEUE))
    if held and inputs.deal_minor:
        by_deal = covered(rules, inputs)
        held = [finding for finding in held if finding.check not in by_deal]
    return Decision(policy=rules.policy, decider=DECIDER, inputs=inputs, held_by=tuple(held), warned_by=tuple(warned))


def is_behind(state: State, rules: Rules) -> bool:
    """Must this order wait for others of its group (O7)?

    One that comes new waits while held orders are looked at again, while the desk has ranked orders that wait, and behind
    everything where the policy lets none pass. One that waits already waits only for the order that blocks the queue.
    """
    owner = queue_owner(state)
    if owner is None or not (owner.waiting or owner.recheck):
        return False
    order = state.order
    if order is None or not order.waiting:
        return owner.recheck > 0 or owner.ranked > 0 or not rules.queue.passing
    blocker = owner.blocker
    if blocker is None or blocker.order == order.order or not blocks(blocker.rank, rules):
        return False
    return (blocker.rank, blocker.turn) < (order.rank, order.turn)


def blocks(rank: int, rules: Rules) -> bool:
    """May no later order pass a waiting one of this rank?"""
    return rank < RANK_LAST or not rules.queue.passing


# --- explaining -----------------------------------------------------------------------------------------------------


def recompute(state: State, fact: object, at: dt.datetime) -> Decision:
    """The decision of an own fact (released, held, referred, rejected, split), judged again from the state folded so far.

    `state` is the view (`rows` of the fact) before this fact, `at` the fact's time.
    """
    placed, order = getattr(fact, "placed", None), state.order
    by_person = getattr(fact, "by", "policy") != "policy"
    if placed is not None:
        ask = asked_by(placed, newly_asked_minor(order, placed.total_minor))
    else:
        assert order is not None, "a decision without the order in it is about an order that the log has"
        ask = asked_of(order)
        value = getattr(fact, "released_minor", None)
        ask = ask if value is None else ask.of(value)
    return judge(state, fact.order, ask, at, by_person).decision  # type: ignore[attr-defined]


def newly_asked_minor(order: Order | None, total_minor: int) -> int:
    """The value to decide of an order that comes; some of it may have left, or been billed, before it came."""
    return total_minor if order is None else max(total_minor - order.despatched_minor - order.billed_minor, 0)
