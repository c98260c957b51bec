"""What an account could cost us now (F1), from its newest row: the parts, the exposure by policy, and the inputs that the
sixteen checks would see at this moment. Pure; it tells people, and decides nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts.orders import Inputs
from services.console.following import Account, terms_of
from shared.credit.rulebook import Rules

Debt = tuple[dt.date, int, int]
"""Due on, open, of which disputed: in minor units."""


class Part(msgspec.Struct, frozen=True):
    """A part of exposure; `sign` -1 lowers it, 0 is only told."""

    name: str
    minor: int
    sign: int = 1


PARTS: tuple[tuple[str, str, int], ...] = (
    ("Open items", "open_minor", 1),
    ("Despatched, not invoiced", "unbilled_minor", 1),
    ("Released, not despatched", "reserved_minor", 1),
    ("Pre-approved deals", "deals_minor", 1),
    ("Confirmed soft credits", "soft_credits_minor", -1),
)
INPUTS_OF: dict[str, str] = {"open_minor": "open_items_minor"}
"""Where a decision's inputs name a part differently."""


def parts(of: Account | Inputs, rules: Rules, on: dt.date) -> list[Part]:
    """What exposure is made of, without what is nothing; the same for an account now and for the inputs of a decision."""
    found = [Part(name, minor, sign) for name, field, sign in PARTS if (minor := _field(of, field))]
    if of.disputed_minor:
        counted = rules.exposure.count_disputed
        found.append(Part("In dispute, counted" if counted else "In dispute, left out", of.disputed_minor, 0 if counted else -1))
    if covered := _covered_minor(of, _gross_minor(of, rules), rules, on):
        found.append(Part("Insured", covered, -1))
    return found


def _field(of: Account | Inputs, name: str) -> int:
    return int(getattr(of, INPUTS_OF.get(name, name) if isinstance(of, Inputs) else name))


def exposure_minor(of: Account, rules: Rules, on: dt.date) -> int:
    gross = _gross_minor(of, rules)
    return gross - _covered_minor(of, gross, rules, on)


def _gross_minor(of: Account | Inputs, rules: Rules) -> int:
    gross = sum(sign * _field(of, field) for _, field, sign in PARTS)
    return gross if rules.exposure.count_disputed else gross - of.disputed_minor


def _covered_minor(of: Account | Inputs, gross: int, rules: Rules, on: dt.date) -> int:
    """Insurance covers what is owed, so it never makes exposure negative."""
    in_force = of.insured_until is None or of.insured_until >= on
    return min(of.insured_minor, max(gross, 0)) if rules.exposure.deduct_insured and in_force else 0


def together(accounts: Iterable[Account], root: Account) -> Account:
    """A group as if it were one account: its members' parts, its root's limit and cover."""
    members = list(accounts)
    sums = {field: sum(getattr(each, field) for each in members) for _, field, _ in PARTS}
    return replace(root, disputed_minor=sum(each.disputed_minor for each in members), **sums)


# --- as the checks would see it now ---------------------------------------------------------------------------------


def inputs_now(
    then: Inputs, account: Account, group: Sequence[Account], debts: Sequence[Debt], rules: Rules, on: dt.date
) -> Inputs:
    """The inputs of a decision with the account's newest figures in place of those of its time. What belongs to the order, and
    what ships beyond the horizon, stay as they were."""
    terms = terms_of(account)
    changed: dict[str, Any] = {
        "on": on,
        "status": account.status,
        "portfolio": account.portfolio,
        "risk_class": terms.risk_class,
        "limit_minor": account.limit_minor,
        "exposure_minor": exposure_minor(account, rules, on),
        "terms_days": terms.payment_days,
        "standard_order_minor": terms.standard_order_minor,
        "po_required": terms.po_required,
        "cash_on_delivery": terms.cash_on_delivery,
        **{INPUTS_OF.get(field, field): getattr(account, field) for _, field, _ in PARTS},
        **{name: getattr(account, name) for name in _SAME},
        "broken_promises": sum(day > on - dt.timedelta(days=rules.checks.broken_promises.window_days) for day in account.broken),
        **_overdue(debts, on),
    }
    return replace(then, behind_queue=False, **changed, **_group(account, group, rules, on))


_SAME = (
    "disputed_minor", "insured_minor", "insured_until", "limit_expires_on", "dunning_level", "review_due_on",
    "stock_shipped", "stock_unconnected",
)  # fmt: skip


def _overdue(debts: Sequence[Debt], on: dt.date) -> dict[str, int]:
    """Debts due before this day, oldest first; credits are not set against them."""
    late = [(due_on, open_minor, disputed) for due_on, open_minor, disputed in debts if due_on < on and open_minor > 0]
    undisputed = [(due_on, open_minor - disputed) for due_on, open_minor, disputed in late if open_minor > disputed]
    return {
        "oldest_overdue_days": (on - late[0][0]).days if late else 0,
        "oldest_undisputed_days": (on - undisputed[0][0]).days if undisputed else 0,
        "overdue_minor": sum(minor for _, minor, _ in late),
        "overdue_undisputed_minor": sum(minor for _, minor in undisputed),
    }


def _group(account: Account, group: Sequence[Account], rules: Rules, on: dt.date) -> dict[str, int]:
    if len(group) < 2:
        return {}
    root = next((each for each in group if each.account == each.home), account)
    whole = together(group, root)
    return {"group_limit_minor": root.limit_minor, "group_exposure_minor": exposure_minor(whole, rules, on)}
