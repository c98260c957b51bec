"""Bodies to commands, with every fault told at once, its field, and how to mend it."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.forms import Fault, Faulty
from contracts.orders import CancelOrder, PlaceOrder
from services.gateway.bodies import Malformed, event_wish, order_wish, parse

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
LINE = {"sku": "X", "quantity": 10, "unit_price": "2.55"}
ORDER: dict[str, Any] = {"reference": "PO-1", "account": "1", "currency": "GBP", "total": "25.50", "lines": [LINE]}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/desk",
    "type": "orders.cancel_order.v1",
    "data": {"order": "home/1", "account": "1", "reason": "not wanted"},
}


def placed(body: object) -> PlaceOrder:
    command = order_wish(body, "home", NOW).command
    assert isinstance(command, PlaceOrder)
    return command


def faults(body: object) -> list[Fault]:
    with pytest.raises(Faulty) as error:
        order_wish(body, "home", NOW)
    return list(error.value.faults)


def event_faults(body: object) -> list[Fault]:
    with pytest.raises(Faulty) as error:
        event_wish(body, NOW)
    return list(error.value.faults)


def test_an_order_is_named_by_feed_and_reference_and_priced_in_minor_units() -> None:
    order = placed(ORDER)
    assert order.order == "home/PO-1"
    assert (order.placed.total_minor, order.placed.lines[0].amount_minor) == (2550, 2550)
    assert order.placed.received_at == NOW


@pytest.mark.parametrize(("currency", "total", "minor"), [("JPY", "1000", 1000), ("BHD", "1.500", 1500), ("GBP", "1", 100)])
def test_amounts_are_major_units_of_their_currency(currency: str, total: str, minor: int) -> None:
    assert placed({"reference": "1", "account": "1", "currency": currency, "total": total}).placed.total_minor == minor


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"total": "-1.00", "lines": []}, "total", "-1.00 is negative"),
        ({"total": "25.51"}, "total", "total 25.51 is not the sum of the lines, 25.50"),
        ({"total": "25.505"}, "total", "'25.505' has more decimals than GBP, which has 2"),
        ({"total": 25.5}, "total", 'write the amount as text in plain digits, such as "999.95"'),
        ({"total": "1e3"}, "total", 'write the amount as text in plain digits, such as "999.95"'),
        ({"colour": "red"}, "colour", "'colour' is no field here"),
        ({"lines": [LINE | {"amount": "25.49"}]}, "lines[0].amount", "amount 25.49 is not quantity x unit price, 25.50"),
        ({"received_at": "2026-11-22T09:00:00"}, "received_at", "has no offset from UTC: add Z or +01:00"),
        ({"account": "a\0"}, "account", "holds the NUL character"),
    ],
)
def test_a_fault_is_told_with_its_field(change: dict[str, Any], field: str, problem: str) -> None:
    found = {fault.field: fault.problem for fault in faults(ORDER | change)}
    assert found[field] == problem


def test_all_faults_are_told_at_once() -> None:
    found = {fault.field for fault in faults({"reference": 1, "total": 2, "lines": [{"sku": ""}], "x": 1})}
    assert found >= {"reference", "total", "account", "currency", "lines[0].sku", "lines[0].quantity", "x"}


def test_a_cloudevent_is_the_contracts_message() -> None:
    wish = event_wish(EVENT, NOW)
    assert wish.command == CancelOrder(order="home/1", account="1", reason="not wanted")
    assert wish.key == "/desk\x001"


def test_nobody_says_of_themselves_who_they_are() -> None:
    assert event_faults(EVENT | {"actorid": "director"})[0].field == "actorid"


@pytest.mark.parametrize("kind", ["orders.redecide_order.v1", "orders.order_released.v1", "payments.item_posted.v1", "x"])
def test_only_commands_from_outside_are_taken(kind: str) -> None:
    assert event_faults(EVENT | {"type": kind})[0].field == "type"


def test_a_fault_inside_an_events_data_is_told_with_its_whole_path() -> None:
    assert event_faults(EVENT | {"data": {"order": "home/1", "account": "1"}})[0].field == "data.reason"


@pytest.mark.parametrize(
    ("raw", "line", "column", "mend"),
    [
        (b'{"a": 1,\n "b": }', 2, 7, "remove the comma"),
        (b'{"a": 1,}', 1, 9, "remove the comma"),
        (b"{'a': 1}", 1, 2, "double quotes"),
        (b'{"a": [1, 2', 1, 12, "ends too early"),
        (b'{"a": "\xe9"}', 1, 8, "UTF-8"),
        (b'{"a": NaN}', 1, 1, "number"),
        (b'{"a": 1, "a": 2}', 1, 1, "keep one"),
        (b"[" * 100_000, 1, 1, "flatten"),
        (b"1" * 5_000, 1, 1, "ordinary size"),
        (b'{"a": "\\u0000"}', 1, 1, "remove it"),
        (b'{"a": "\\ud800"}', 1, 1, "remove it"),
    ],
)
def test_malformed_json_says_where_and_how_to_mend_it(raw: bytes, line: int, column: int, mend: str) -> None:
    with pytest.raises(Malformed) as error:
        parse(raw)
    assert (error.value.line, error.value.column) == (line, column)
    assert mend in error.value.mend


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_value_is_either_a_wish_or_told_as_faulty(body: object) -> None:
    for make in (lambda: order_wish(body, "home", NOW), lambda: event_wish(body, NOW)):
        with pytest.raises(Faulty):
            make()


@given(st.dictionaries(st.sampled_from(sorted(ORDER)), JSON))
def test_an_order_with_any_fields_is_either_a_wish_or_told_as_faulty(change: dict[str, Any]) -> None:
    try:
        order_wish(ORDER | change, "home", NOW)
    except Faulty as error:
        assert all(fault.problem for fault in error.faults)


@pytest.mark.parametrize("name", ["change_terms", "open_account"])
def test_a_cadence_that_the_ledger_does_not_know_is_sent_back(name: str) -> None:  # P13
    data = {"account": "A1", "reason": "agreed", "terms": {"statement_cadence": "daily"}}
    more = {"name": "Castle", "currency": "GBP", "limit_minor": 1} if name == "open_account" else {}
    body = EVENT | {"type": f"accounts.{name}.v1", "data": data | more}
    (fault,) = event_faults(body)
    assert (fault.field, fault.mend) == ("data.terms.statement_cadence", "write one of: standard, monthly, weekly, none")
    data["terms"] = {"statement_cadence": "weekly"}
    command = event_wish(body | {"data": data | more}, NOW).command
    assert command.terms.statement_cadence == "weekly"  # type: ignore[attr-defined]


# --- wishes to the ledger -------------------------------------------------------------------------------------------


def ledger_faults(name: str, data: dict[str, Any]) -> list[tuple[str, str]]:
    found = event_faults(EVENT | {"type": f"payments.{name}.v1", "data": data})
    return [(fault.field, fault.problem) for fault in found]


RECOGNISE = {"bank_account": "GB1", "entry": "S1/1", "account": "A1"}


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("recognise_cash", {"bank_account": "GB1", "entry": "S1/1"}, "data.account"),
        ("recognise_cash", RECOGNISE | {"account_home": "A2"}, "data.account_home"),
        ("recognise_cash", RECOGNISE | {"by": "alias"}, "data.by"),
        ("recognise_cash", RECOGNISE | {"candidates": [{"account": "A", "home": "A", "why": "x"}]}, "data.candidates"),
        ("close_period", {"account": "A1", "month": "2026-10-01"}, "data.account"),
        ("close_period", {"account": "ledger", "month": "2026-10-01", "partition": 3}, "data.partition"),
        ("take_advice", {"account": "A1", "advice": "x", "amount_minor": 1, "currency": "XXX", "lines": []}, "data.currency"),
    ],
)
def test_what_only_the_house_knows_is_not_taken_from_outside(name: str, data: dict[str, Any], field: str) -> None:  # G1
    assert [told for told, _ in ledger_faults(name, data)] == [field]


@pytest.mark.parametrize("name", ["receive_cash", "undo_match", "withdraw_cash", "drop_entry", "take_back_cash", "retry_cash"])
def test_a_step_of_the_ledgers_own_is_no_event_from_outside(name: str) -> None:  # G1
    assert ledger_faults(name, {})[0][0] == "type"


def test_a_person_may_say_whose_money_it_is() -> None:  # P5
    command = event_wish(EVENT | {"type": "payments.recognise_cash.v1", "data": RECOGNISE | {"learn": True}}, NOW).command
    assert (command.account, command.account_home, command.by) == ("A1", None, "person")  # type: ignore[attr-defined]


@pytest.mark.parametrize("field", ["token", "payment"])
def test_a_card_number_is_sent_back_and_not_repeated(field: str) -> None:  # P9
    number = "4111 1111 1111 1111"
    data = {"account": "A1", "payment": "P1", "amount_minor": 100, "currency": "GBP", "token": "tok_1"} | {field: number}
    body = {"specversion": "1.0", "id": "1", "source": "/desk", "type": "payments.take_card_payment.v1", "data": data}
    with pytest.raises(Faulty) as caught:
        event_wish(body, NOW)
    assert [fault.field for fault in caught.value.faults] == [f"data.{field}"]
    assert number not in str(caught.value)
