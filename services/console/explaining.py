"""Why an order stands as it does: every decision with its sixteen checks, and the same checks as they would come out now (O10).

A decision is told by the policy that it names, from the inputs that it stored. What would be decided now is told from the
account's newest figures; the order desk alone decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import msgspec

from contracts.envelope import encode_value
from contracts.orders import Decision, Finding
from services.console.clearing import Remedy, remedy
from services.console.following import Account
from services.console.policies import book_of_decision, rules_now, rules_then
from services.console.position import Debt, Part, inputs_now, parts
from services.console.said import Said
from shared.credit import reasons
from shared.credit.checks import BEHIND_QUEUE, Measure
from shared.credit.describing import Line, describe
from shared.credit.rulebook import Policies, Rulebook, Rules, book_at
from shared.days import written

FAILED = ("held", "rejected")


class Check(msgspec.Struct, frozen=True):
    """A check as a line of a page: `mark` is v passed, x failed, w warned, o off. `name` asks in a sentence, `short` names."""

    number: int
    check: str
    name: str
    short: str
    mark: str
    figures: str
    mode: str


class Explained(msgspec.Struct, frozen=True):
    """One decision in the life of an order. `checks` is empty where this release does not know its policy."""

    said: Said
    decision: Decision
    checks: tuple[Check, ...]
    parts: tuple[Part, ...]
    remedy: Remedy | None

    @property
    def currency(self) -> str:
        return self.decision.inputs.currency

    @property
    def inputs(self) -> str:
        """As they are stored: canonical JSON."""
        return encode_value(self.decision.inputs).decode()


class Now(msgspec.Struct, frozen=True):
    """The same order as it would be looked at now. `changed`: checks that come out otherwise than in the decision."""

    decision: Decision
    rules: Rules
    checks: tuple[Check, ...]
    parts: tuple[Part, ...]
    remedy: Remedy
    changed: frozenset[str]

    @property
    def clear(self) -> bool:
        return not self.decision.held_by

    @property
    def changed_names(self) -> str:
        return ", ".join(SHORT.get(name, name).lower() for name in sorted(self.changed))


def explained(said: Said, policies: Policies) -> Explained | None:
    """None for a fact without a decision."""
    decision = getattr(said.data, "decision", None)
    if decision is None:
        return None
    order, account = said.order or "", said.account
    rules, book = rules_then(policies, decision, order, account), book_of_decision(policies, decision)
    if rules is None or book is None:
        return Explained(said, decision, (), (), None)
    return Explained(
        said=said,
        decision=decision,
        checks=checks_of(decision, book, order, account),
        parts=tuple(parts(decision.inputs, rules, decision.inputs.on)),
        remedy=remedy(decision, rules, getattr(said.data, "level", "")),
    )


def all_explained(facts: Sequence[Said], policies: Policies) -> list[Explained]:
    found = (explained(fact, policies) for fact in facts)
    return [each for each in found if each is not None]


class Case(msgspec.Struct, frozen=True):
    """An order that waits, with the newest of what it is decided on. `value_minor` is what of it is to be decided now."""

    order: str
    value_minor: int
    level: str
    account: Account
    group: Sequence[Account]
    debts: Sequence[Debt]


def explained_now(then: Decision, case: Case, policies: Policies, at: dt.datetime) -> Now:
    """`then` is the newest decision about it: what belongs to the order itself is taken from its inputs."""
    account = case.account
    rules, book = rules_now(policies, at, account, case.order), book_at(policies, at)
    on = at.astimezone(rules.zone).date()
    newest = inputs_now(then.inputs, account, case.group, case.debts, rules, on)
    inputs = msgspec.structs.replace(newest, value_minor=case.value_minor)
    undecided = Decision(policy=book.stamp, decider=then.decider, inputs=inputs)
    lines = describe(undecided, book, case.order, account.account)
    decision = _as_found(lines, undecided)
    failed_then = {finding.check for finding in then.held_by} - {BEHIND_QUEUE}
    return Now(
        decision=decision,
        rules=rules,
        checks=tuple(_check(line, inputs.currency) for line in lines),
        parts=tuple(parts(inputs, rules, on)),
        remedy=remedy(decision, rules, case.level),
        changed=frozenset(failed_then ^ {finding.check for finding in decision.held_by}),
    )


def _as_found(lines: Sequence[Line], decision: Decision) -> Decision:
    held = (
        Finding(check=line.check, measured=line.measured, threshold=line.threshold) for line in lines if line.result in FAILED
    )
    return msgspec.structs.replace(decision, held_by=tuple(held))


# --- checks in words ------------------------------------------------------------------------------------------------

_MARKS = {"passed": "v", "held": "x", "rejected": "x", "warned": "w", "off": "o"}
SHORT: dict[str, str] = {
    "account_open": "Account open",
    "not_on_stop": "Not on stop",
    "static_limit": "Limit",
    "dynamic_limit": "Limit within the horizon",
    "order_value": "Standard order level",
    "oldest_overdue": "Oldest overdue item",
    "overdue_share": "Overdue share",
    "dunning_level": "Dunning level",
    "review_overdue": "Limit review",
    "terms": "Payment terms",
    "po_number": "PO number",
    "cash_on_delivery": "Cash on delivery",
    "unconnected_stock": "Unconnected stock",
    "broken_promises": "Broken promises",
    "insurance": "Insurance",
    "limit_expired": "Limit in force",
    BEHIND_QUEUE: "Place in the queue",
}
"""As a filter and a narrow panel name them; `describing.NAMES` has the whole sentence."""
BELOW = frozenset({"dunning_level", "broken_promises"})
"""Checks that pass below their threshold; the others pass at it as well."""


def checks_of(decision: Decision, book: Rulebook, order: str, account: str) -> tuple[Check, ...]:
    currency = decision.inputs.currency
    return tuple(_check(line, currency) for line in describe(decision, book, order, account))


def _check(line: Line, currency: str) -> Check:
    passed = line.result in ("passed", "off")
    return Check(
        number=line.number,
        check=line.check,
        name=line.name,
        short=SHORT.get(line.check, line.name),
        mark=_MARKS[line.result],
        figures=_figures(line, passed, currency),
        mode=line.mode,
    )


def _figures(line: Line, passed: bool, currency: str) -> str:
    """`101,480.00 > 100,000.00`, `9 days ≤ 30`, `due 12 Mar 2011`."""
    measured, threshold = line.measured, line.threshold
    if told := _in_words(line):
        return told
    if line.unit == "day":
        return _day(line.check, measured)
    if line.unit == "" or not isinstance(measured, int) or not isinstance(threshold, int):
        return _plain(line)
    sign = ("<" if line.check in BELOW else "≤") if passed else ("≥" if line.check in BELOW else ">")
    if line.check == "cash_on_delivery":
        sign = "≥" if passed else "<"
    say = _UNITS[line.unit]
    return f"{say(measured, currency)} {sign} {say(threshold, currency)}"


_UNITS: dict[str, Callable[[int, str], str]] = {
    "money": lambda figure, currency: reasons.amount(figure, currency),
    "days": lambda figure, _: f"{figure} d",
    "percent": lambda figure, _: f"{figure} %",
    "level": lambda figure, _: str(figure),
    "count": lambda figure, _: str(figure),
}


def _in_words(line: Line) -> str:
    """Where a bare figure would read against its own sentence, or there is none; empty where the figures tell it."""
    match line.check, line.measured, line.threshold:
        case "account_open", "on_stop", _ if line.result == "passed":
            return "open, though on stop"
        case "not_on_stop", status, _ if status != "on_stop":
            return "not on stop"
        case "order_value", int(), None:
            return "no standard order is set"
        case "po_number", "missing", needed:
            return "not required" if needed == "not required" else "missing, and required"
        case "insurance", "none", needed:
            return "none is required" if needed == "not required" else "none, and required"
        case "insurance", None, _:
            return "no end"
        case "review_overdue", None, _:
            return "none is due"
        case "limit_expired", None, _:
            return "no end"
        case "cash_on_delivery", _, None:
            return "not on cash on delivery"
        case "cash_on_delivery", _, str():
            return "paid on delivery"
        case check, _, _ if check == BEHIND_QUEUE:
            return "others go first"
        case _:
            return ""


def _day(check: str, measured: Measure) -> str:
    if measured is None or check not in _UNTIL:
        return ""
    try:
        day = dt.date.fromisoformat(str(measured))
    except ValueError:
        return str(measured)  # `none`: an account without insurance
    return f"{_UNTIL[check]} {written(day)}"


_UNTIL = {"review_overdue": "due", "insurance": "to", "limit_expired": "to"}


def _plain(line: Line) -> str:
    measured = line.measured
    return "" if measured is None or line.unit == "money" else str(measured).replace("_", " ")
