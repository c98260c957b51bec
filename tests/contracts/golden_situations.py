"""Some forty situations of the order desk and the fact that each gives, for the golden corpus.

`python -m tests.contracts.golden_situations` writes the corpus of the present decider. A file that exists is never
rewritten: when the same situation gives other bytes, the decider needs a new version, and that version a folder of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from contracts import accounts, claims, collections, commissions, orders, payments
from contracts.accounts import Terms
from contracts.envelope import encode_value
from contracts.message import Message
from services.orders.model import DECIDER
from tests.models.orders_desk import (
    TODAY,
    Desk,
    approve,
    change,
    deal,
    despatch,
    invoice,
    opened,
    order,
    overdue_invoice,
    release,
)
from tests.models.orders_policies import adopting

FOLDER = Path(__file__).with_name("golden") / f"decider-{DECIDER}"
DAY = dt.timedelta(days=1)
PO = Terms(po_required=True)
COD = Terms(cash_on_delivery=True)
OLD = overdue_invoice("i1", 5_000, 45)
LINE = orders.Line(sku="A1", quantity=4, unit_price=Decimal("25.00"), amount_minor=10_000, description="Lantern")
DEAL = [deal(), approve()]
LENIENT = {"oldest_overdue": {"days_max": 60}, "overdue_share": {"mode": "off"}}
SPLIT = orders.SplitOrder(order="web/1", account="acme", release_minor=400, reason="part")

# name → the messages that lead to it; the last one's first decision is what is kept
SITUATIONS: dict[str, list[Message]] = {
    "released": [opened(), order()],
    "released_at_the_limit": [opened(limit_minor=10_000), order()],
    "released_with_lines_and_po": [opened(terms=PO), order(po_number="PO 7", ship_to="Leeds", lines=(LINE,))],
    "released_for_a_later_day": [opened(), order(wanted_on=TODAY + 70 * DAY)],
    "released_beside_forward_orders": [opened(), order("web/0", wanted_on=TODAY + 70 * DAY), order()],
    "released_with_overdue_debt": [opened(), overdue_invoice("i1", 500, 10), invoice("i2", 9_500), order()],
    "released_against_credit": [opened(limit_minor=5_000), invoice("r1", -6_000, kind="receipt"), order()],
    "released_in_a_group": [opened(), opened("north", 20_000, parent="acme"), order("web/0"), order(account="north")],
    "released_with_disputed_debt_left_out": [
        adopting(exposure={"count_disputed": False}),
        opened(limit_minor=12_000),
        OLD,
        claims.ClaimOpened(account="acme", claim="c", kind="price", disputed_minor=5_000, due_on=OLD.due_on),
        order(),
    ],
    "released_under_insurance": [
        adopting(exposure={"deduct_insured": True}),
        opened(limit_minor=10_000, insured_minor=5_000, insured_until=TODAY),
        invoice("i1", 5_000),
        order(value_minor=9_000),
    ],
    "released_cod_shipment": [opened(terms=COD), order(cash_on_delivery=True)],
    "released_with_a_warning": [
        adopting(checks={"order_value": {"mode": "warn"}}), opened(terms=Terms(standard_order_minor=1)), order()
    ],
    "released_under_a_risk_class": [
        adopting(scopes=[{"risk_class": "high", "checks": LENIENT}]),
        opened(terms=Terms(risk_class="high")),
        OLD,
        order(),
    ],
    "released_again_after_a_change": [opened(), order(), change("web/1", 20_000)],
    "released_by_a_person": [opened(limit_minor=0), order(), release()],
    "split": [opened(limit_minor=0), order(), SPLIT],
    "released_after_part_had_left": [opened(), despatch("web/1", 4_000, last=False), order()],
    "held_over_the_limit": [opened(limit_minor=9_999), order()],
    "held_over_the_groups_limit": [opened(limit_minor=5_000), opened("north", 20_000, parent="acme"), order(account="north")],
    "held_on_stop": [opened(), accounts.PlacedOnStop(account="acme", reason="legal"), order()],
    "held_not_open": [opened(status="dormant"), order()],
    "held_for_overdue_debt": [opened(), OLD, order()],
    "held_for_dunning": [opened(), collections.DunningLevelSet(account="acme", level=4), order()],
    "held_for_the_review": [opened(), accounts.ReviewDue(account="acme", kind="limit", due_on=TODAY - DAY), order()],
    "held_for_terms_and_po": [opened(terms=PO), order(payment_days=60)],
    "held_unpaid_cash_on_delivery": [opened(terms=COD), order(prepaid_minor=100)],
    "held_for_unconnected_stock": [
        opened(), commissions.StockPosition(account="acme", shipped_units=100, unconnected_units=61), order()
    ],
    "held_for_broken_promises": [
        opened(), *(collections.PromiseBroken(account="acme", promise=p, broken_on=TODAY) for p in "ab"), order()
    ],
    "held_uninsured_and_expired": [opened(insured_minor=5, insured_until=TODAY - DAY, limit_expires_on=TODAY - DAY), order()],
    "held_behind_the_queue": [
        adopting(queue={"passing": False}), opened(limit_minor=5_000), order("web/0"), order(value_minor=1)
    ],
    "held_with_soft_credits": [
        opened(limit_minor=9_000),
        payments.SoftCreditConfirmed(account="acme", credit="s", amount_minor=500),
        order(),
    ],
    "referred_to_the_director": [opened(), order(value_minor=10_000_001)],
    "released_under_a_deal": [opened(), *DEAL, order(value_minor=50_000, deal="D1")],
    "released_as_part_of_a_deal_by_its_po_number": [opened(limit_minor=0), *DEAL, order(value_minor=20_000, po_number="D1")],
    "released_above_a_deal_within_the_deviation": [opened(limit_minor=0), *DEAL, order(value_minor=55_000, deal="D1")],
    "released_under_a_deal_in_a_group": [
        opened(limit_minor=5_000),
        opened("north", 20_000, parent="acme"),
        deal(account="north"),
        approve(account="north"),
        order(value_minor=50_000, account="north", deal="D1"),
    ],
    "released_by_a_person_who_uses_a_deal": [
        opened(limit_minor=0), OLD, *DEAL, order(value_minor=70_000, deal="D1"), release()
    ],
    "held_above_a_deal": [opened(limit_minor=0), *DEAL, order(value_minor=55_001, deal="D1")],
    "held_before_a_deals_window": [
        opened(limit_minor=0), deal(from_on=TODAY + DAY), approve(), order(value_minor=50_000, deal="D1")
    ],
    "held_for_what_no_deal_covers": [opened(limit_minor=0), OLD, *DEAL, order(value_minor=50_000, deal="D1")],
    "held_beside_a_deal": [opened(limit_minor=10_000), *DEAL, order()],
    "rejected_by_policy": [adopting(checks={"po_number": {"mode": "reject"}}), opened(terms=PO), order()],
}  # fmt: skip


def outcome(messages: list[Message]) -> bytes:
    """The decision's fact, in canonical JSON, laid out for people."""
    desk = Desk()
    for message in messages[:-1]:
        desk.do(message, role="director", actor="sam" if isinstance(message, orders.RegisterDeal) else "anna")
    facts = desk.say(messages[-1], role="director")
    decided: Any = next(fact for fact in facts if getattr(fact, "decision", None) is not None)
    fact = {"fact": type(decided).__name__, **msgspec.json.decode(encode_value(decided))}
    fact.pop("clock", None)  # by when a person is to decide is no part of what was decided (test_orders_clock)
    return msgspec.json.format(msgspec.json.encode(fact), indent=1) + b"\n"


def write(say: Callable[[str], None] = print) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, messages in SITUATIONS.items():
        path, new = FOLDER / f"{name}.json", outcome(messages)
        if not path.exists():
            path.write_bytes(new)
        elif path.read_bytes() != new:
            say(f"{path.name}: other bytes than decider {DECIDER} gave. Raise DECIDER and write the corpus again.")


if __name__ == "__main__":
    write()
