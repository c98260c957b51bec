"""Where commands go and under which names they leave."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts.payments import LEDGER, ClosePeriod, KeepOnAccount
from services.gateway.admission import Entrant, sent_id, told_to_all
from shared.topics import homes_of_all, partition_of

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)


@pytest.mark.parametrize("partitions", [1, 2, 24, 60])
def test_there_is_one_home_on_every_partition(partitions: int) -> None:
    homes = homes_of_all(LEDGER, partitions)
    assert [partition_of(home, partitions) for home in homes] == list(range(partitions))


def test_a_month_is_closed_on_every_partition_under_an_id_of_its_own() -> None:  # P14
    wish = Entrant(ClosePeriod(account=LEDGER, month=dt.date(2026, 10, 1)), LEDGER, (b"k",), b"d", "sender/t/event/1", NOW)
    found = list(told_to_all(wish, 24))
    assert [each.command.partition for each in found] == list(range(24))  # type: ignore[attr-defined]
    assert [partition_of(each.home, 24) for each in found] == list(range(24))
    assert len({sent_id(each.name) for each in found}) == 24


def test_any_other_wish_goes_to_its_own_home_only() -> None:
    wish = Entrant(KeepOnAccount(account="A1", receipt="R1", reason="asked"), "G1", (b"k",), b"d", "name", NOW)
    assert list(told_to_all(wish, 24)) == [wish]
