"""What an account and its group could cost us now (F1), and all else that the checks look at, as one value.

Everything is read from rows that hold totals: the cost does not grow with the number of orders or items.
"""

from __future__ import annotations

import datetime as dt

import msgspec
from msgspec.structs import replace

from contracts.orders import Inputs, Placed
from services.orders.state import Ageing, Deal, Forward, Order, Position, Standing, State
from shared.credit.rulebook import Rules


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What is asked of credit: a value, and the terms it comes with. `deal` may name an announced deal (O8)."""

    value_minor: int
    wanted_on: dt.date | None
    payment_days: int | None
    po_number: bool
    cash_on_delivery: bool
    prepaid_minor: int
    deal: str

    def of(self, value_minor: int) -> Ask:
        """The same for another value: a part of an order."""
        return replace(self, value_minor=value_minor)


def asked_by(placed: Placed, value_minor: int) -> Ask:
    return Ask(
        value_minor,
        placed.wanted_on,
        placed.payment_days,
        placed.po_number is not None,
        placed.cash_on_delivery,
        placed.prepaid_minor,
        placed.deal or placed.po_number or "",
    )


def asked_of(order: Order) -> Ask:
    """What of a known order is still to be decided."""
    return Ask(
        order.undecided_minor,
        order.wanted_on,
        order.payment_days,
        order.po_number,
        order.cash_on_delivery,
        order.prepaid_minor,
        order.deal,
    )


def exposure_minor(position: Position, standing: Standing | None, rules: Rules, on: dt.date) -> int:
    """F1. Insurance covers what is owed, so it never makes exposure negative."""
    gross = (
        position.open_minor
        + position.unbilled_minor
        + position.reserved_minor
        + position.deals_minor
        - position.soft_credits_minor
    )
    if not rules.exposure.count_disputed:
        gross -= position.disputed_minor
    if rules.exposure.deduct_insured and standing is not None:
        gross -= min(_cover_minor(standing, on), max(gross, 0))
    return gross


def _cover_minor(standing: Standing, on: dt.date) -> int:
    until = standing.insured_until
    return standing.insured_minor if until is None or until >= on else 0


def beyond_minor(forward: Forward | None, edge: dt.date) -> int:
    """Reservations of orders that ship after this day."""
    return sum(minor for day, minor in forward.days if day > edge) if forward is not None else 0


class Overdue(msgspec.Struct, frozen=True, gc=False):
    oldest_days: int = 0
    oldest_undisputed_days: int = 0
    minor: int = 0
    undisputed_minor: int = 0


NOT_OVERDUE = Overdue()


def overdue(ageing: Ageing | None, on: dt.date) -> Overdue:
    """Debts due before this day; credits are not set against them here."""
    if ageing is None or not ageing.debts or ageing.debts[0].due_on >= on:
        return NOT_OVERDUE
    late = [debt for debt in ageing.debts if debt.due_on < on and debt.open_minor > 0]
    undisputed = [(debt.due_on, debt.open_minor - debt.disputed_minor) for debt in late if debt.open_minor > debt.disputed_minor]
    return Overdue(
        (on - late[0].due_on).days if late else 0,
        (on - undisputed[0][0]).days if undisputed else 0,
        sum(debt.open_minor for debt in late),
        sum(minor for _, minor in undisputed),
    )


def broken_lately(broken: tuple[dt.date, ...], on: dt.date, window_days: int) -> int:
    since = on - dt.timedelta(days=window_days)
    return sum(1 for day in broken if day > since)


_EMPTY = Position(owner="")


def inputs_of(state: State, standing: Standing, ask: Ask, rules: Rules, on: dt.date, behind_queue: bool) -> Inputs:
    """All that the sixteen checks look at, as it is now, before this order.

    What is usual for an account is set first, the rest only where there is any: setting all forty fields every time would
    take longer than the checks.
    """
    position = state.position or _EMPTY
    terms = standing.terms
    inputs = Inputs(
        on=on,
        value_minor=ask.value_minor,
        status=standing.status,
        currency=standing.currency,
        portfolio=terms.portfolio,
        risk_class=terms.risk_class,
        limit_minor=standing.limit_minor,
        exposure_minor=exposure_minor(position, standing, rules, on),
        terms_days=terms.payment_days,
        open_items_minor=position.open_minor,
        unbilled_minor=position.unbilled_minor,
        reserved_minor=position.reserved_minor,
    )
    if position.deals_minor or position.soft_credits_minor or position.disputed_minor:
        inputs = _with_rare_parts(inputs, position)
    if state.forward is not None or ask.wanted_on is not None:
        inputs = _with_horizon(inputs, state.forward, ask, horizon(rules, on))
    if state.group is not None:
        inputs = _with_group(inputs, state, standing, rules, on)
    late = overdue(state.ageing, on)
    if late is not NOT_OVERDUE:
        inputs = _with_overdue(inputs, late)
    if _has_conditions(standing):
        inputs = _with_conditions(inputs, standing, rules, on)
    if ask.po_number or ask.payment_days is not None or ask.cash_on_delivery or ask.prepaid_minor:
        inputs = _with_order_terms(inputs, ask)
    if standing.deals and ask.deal:
        inputs = _with_deal(inputs, standing.deal(ask.deal), ask)
    return replace(inputs, behind_queue=True) if behind_queue else inputs


def horizon(rules: Rules, on: dt.date) -> dt.date:
    """The last day of O2.4."""
    return on + dt.timedelta(days=rules.checks.dynamic_limit.horizon_days)


def _with_rare_parts(inputs: Inputs, position: Position) -> Inputs:
    return replace(
        inputs,
        deals_minor=position.deals_minor,
        soft_credits_minor=position.soft_credits_minor,
        disputed_minor=position.disputed_minor,
    )


def _with_horizon(inputs: Inputs, forward: Forward | None, ask: Ask, edge: dt.date) -> Inputs:
    beyond = ask.wanted_on is not None and ask.wanted_on > edge
    return replace(inputs, reserved_beyond_minor=beyond_minor(forward, edge), beyond_horizon=beyond)


def _with_group(inputs: Inputs, state: State, standing: Standing, rules: Rules, on: dt.date) -> Inputs:
    """The root's limit and cover are the group's."""
    assert state.group is not None
    root = state.root or (standing if standing.account == standing.home else None)
    return replace(
        inputs,
        group_limit_minor=root.limit_minor if root is not None else 0,
        group_exposure_minor=exposure_minor(state.group, root, rules, on),
        group_beyond_minor=beyond_minor(state.group_forward, horizon(rules, on)),
    )


def _with_overdue(inputs: Inputs, late: Overdue) -> Inputs:
    return replace(
        inputs,
        oldest_overdue_days=late.oldest_days,
        oldest_undisputed_days=late.oldest_undisputed_days,
        overdue_minor=late.minor,
        overdue_undisputed_minor=late.undisputed_minor,
    )


def _has_conditions(standing: Standing) -> bool:
    terms = standing.terms
    return bool(
        standing.limit_expires_on
        or standing.review_due_on
        or standing.dunning_level
        or standing.insured_minor
        or standing.broken
        or standing.stock_shipped
        or terms.po_required
        or terms.cash_on_delivery
        or terms.standard_order_minor is not None
    )


def _with_conditions(inputs: Inputs, standing: Standing, rules: Rules, on: dt.date) -> Inputs:
    terms = standing.terms
    return replace(
        inputs,
        insured_minor=standing.insured_minor,
        limit_expires_on=standing.limit_expires_on,
        standard_order_minor=terms.standard_order_minor,
        dunning_level=standing.dunning_level,
        review_due_on=standing.review_due_on,
        po_required=terms.po_required,
        cash_on_delivery=terms.cash_on_delivery,
        stock_shipped=standing.stock_shipped,
        stock_unconnected=standing.stock_unconnected,
        broken_promises=broken_lately(standing.broken, on, rules.checks.broken_promises.window_days),
        insured_until=standing.insured_until,
    )


def _with_order_terms(inputs: Inputs, ask: Ask) -> Inputs:
    return replace(
        inputs,
        asked_days=ask.payment_days,
        po_number=ask.po_number,
        cod_shipment=ask.cash_on_delivery,
        prepaid_minor=ask.prepaid_minor,
    )


def _with_deal(inputs: Inputs, deal: Deal | None, ask: Ask) -> Inputs:
    """What the order takes over from an approved deal, whether or not the deal covers it."""
    if deal is None or not deal.reserved_minor:
        return inputs
    early = deal.from_on if inputs.on < deal.from_on else None
    return replace(inputs, deal_minor=min(deal.reserved_minor, ask.value_minor), deal_from_on=early)
