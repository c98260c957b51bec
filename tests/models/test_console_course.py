"""Every fact about an order has its line in the trade's words (V1)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from contracts import orders
from contracts.catalogue import MESSAGES
from contracts.orders import Placed
from services.console.course import said_by, told
from services.console.said import Said
from tests.console.facts import START, decision, held, referred, released

SYSTEM = Said("f", "orders.order_held.v1", START, "/orders/0", 1, "acme", "web/1", "developer", "director", "", "", None)
PEOPLE = {"rose": "Rose Osei", "tom": "Tom Ibarra"}
ABOUT = {"order": "web/1", "account": "acme"}


def line(data: Any) -> str:
    return told(Said("f", "orders.some_thing.v1", START, "/orders/0", 1, "acme", "web/1", "", "", "", "", data), PEOPLE, "GBP")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (held("web/1"), "Held: over limit 500.00: 1,500.00 of 1,000.00"),
        (released("web/1"), "Released by policy, 10.00 GBP reserved"),
        (released("web/1", by="rose"), "Released by Rose Osei, 10.00 GBP reserved"),
        (referred("web/1", "operations_manager"), "Referred to the operations manager by rita: too much for me"),
        (orders.OrderRejected(**ABOUT, by="rose", reason="fraud"), "Rejected by Rose Osei: fraud"),
        (orders.OrderCancelled(**ABOUT, reason=""), "Cancelled"),
        (
            orders.OrderChanged(**ABOUT, placed=Placed(currency="GBP", total_minor=5, received_at=START)),
            "Changed to 0.05 GBP",
        ),
        (
            orders.OrderSplit(
                **ABOUT,
                released_minor=100,
                held_minor=200,
                lapses_on=START.date(),
                instruction="i",
                by="tom",
                reason="fits",
                decision=decision(),
            ),
            "1.00 GBP released by Tom Ibarra, 2.00 GBP still waits: fits",
        ),
        (orders.OrderAsked(**ABOUT, question="PO?", by="rose"), "Customer asked by Rose Osei: PO?"),
        (orders.OrderAssigned(**ABOUT, owner="rose", by="rose"), "Taken by Rose Osei"),
        (orders.OrderAssigned(**ABOUT, owner="tom", by="rose", reason="lunch"), "Given to Tom Ibarra by Rose Osei: lunch"),
        (orders.OrderNoted(**ABOUT, note="rang", by="tom"), "Note by Tom Ibarra: rang"),
        (orders.OrderRanked(**ABOUT, rank=2, by="tom"), "Number 2 in the order of release by Tom Ibarra"),
        (orders.OrderRanked(**ABOUT, rank=0, by="tom"), "Place taken away by Tom Ibarra"),
        (orders.OrderWarned(**ABOUT, due_at=START), "Warned: half of its time is over"),
        (
            orders.OrderEscalated(**ABOUT, level="director", mark="breach", due_at=START),
            "Escalated to the director when its time was over",
        ),
        (orders.OrderBreached(**ABOUT, due_at=START, asked=True), "Its time is over, the customer was asked"),
        (orders.ReservationLapsed(**ABOUT, freed_minor=100), "Reservation lapsed, 1.00 GBP free again"),
        (orders.OrderRecalled(**ABOUT, instruction="i", reason="on stop"), "Recalled from the warehouse: on stop"),
        (orders.RecallAnswered(**ABOUT, stopped=False), "The warehouse could not stop it: it had left"),
        (orders.OrderDespatched(**ABOUT, despatch="d", amount_minor=100, last=False), "Despatched, 1.00 GBP, more to come"),
        (orders.OrderBilled(**ABOUT, item="INV-1", amount_minor=100, due_on=START.date()), "Invoiced, 1.00 GBP on INV-1"),
        (orders.OrderDelivered(**ABOUT, despatch="d", pod="POD-7"), "Delivered, POD POD-7"),
        (orders.OrderRepeated(**ABOUT, outcome="held", first="x"), "Sent again; nothing changed"),
        (orders.CommandRefused(**ABOUT, reason="not_waiting", detail="It waits no more."), "Refused: It waits no more."),
        (orders.QueueBlocked(**ABOUT), "Some thing"),
    ],
)
def test_each_fact_is_told(data: Any, words: str) -> None:
    assert line(data) == words


def test_no_fact_about_an_order_is_left_without_words() -> None:
    spoken_by_name = {"QueueBlocked", "ReturnRecorded", "DealMatched"}
    facts = [
        message.__name__
        for message in MESSAGES.values()
        if message.__module__ == "contracts.orders" and not message.is_command and "order" in message.__struct_fields__
    ]
    source = told.__code__.co_names
    assert [name for name in facts if name not in source and name not in spoken_by_name] == []


def test_a_systems_credential_is_no_director_and_a_person_is_called_by_name_and_role() -> None:  # A6
    assert said_by(SYSTEM, PEOPLE) == "developer, a system"
    assert said_by(replace(SYSTEM, actor="rose", role="controller"), PEOPLE) == "Rose Osei, credit controller"
    assert said_by(replace(SYSTEM, actor="rose for tom", role="team_leader"), PEOPLE) == "Rose Osei for Tom Ibarra, team leader"
    assert said_by(replace(SYSTEM, actor=""), PEOPLE) == ""


@pytest.mark.parametrize(
    ("actor", "role", "told"),
    [
        ("kim.astor", "controller", "kim.astor, credit controller"),
        ("warehouse", "warehouse", "warehouse, a system"),
        ("records", "feed", "records, a system"),
        ("orders", "", "orders, a system"),
    ],
)
def test_who_works_elsewhere_under_a_person_s_role_is_no_system(actor: str, role: str, told: str) -> None:  # A6
    assert said_by(replace(SYSTEM, actor=actor, role=role), PEOPLE) == told
