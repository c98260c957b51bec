"""What the kit refuses to do, with words that say why; and what it never says."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from shared.ahead import TopicAhead
from shared.database import InstallationMismatch
from shared.topics import TopicMismatch
from tests.kit.ledger_service import RAISES
from tests.kit.stage import Stage, homes, order


async def test_a_topic_that_another_installation_wrote_is_not_written_to(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        await stage.all_published()
    body = await stage.value("select body from journal")
    await stage.connection.execute("update journal set body = $1", _other_id(body))
    with pytest.raises(TopicAhead, match="another installation writes here"):
        await asyncio.wait_for(stage.start().task, 20)


def _other_id(body: bytes) -> bytes:
    at = body.index(b'"id":"') + 6
    return body[:at] + b"0" * 32 + body[at + 32 :]


async def test_another_number_of_partitions_is_refused(stage: Stage) -> None:
    with pytest.raises(TopicMismatch, match=r"has 2 partitions, this installation 3: .* set QUITTANCE_PARTITIONS"):
        await asyncio.wait_for(stage.start(partitions=3).task, 20)


async def test_another_clock_is_refused(stage: Stage) -> None:
    with pytest.raises(InstallationMismatch, match=r"clock=event, but QUITTANCE_CLOCK=wall: it is fixed for good"):
        await asyncio.wait_for(stage.start(clock="wall").task, 20)


async def test_no_log_line_and_no_error_shows_the_password(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """Errors of every kind: a raising handler, a lost connection, a database that refuses the login."""
    password = urlsplit(stage.settings.postgres).password
    assert password
    home, _ = homes()
    await stage.say(home, order(1, home, po=RAISES))
    async with stage.running():
        await stage.equals(1, "select count(*) from parked")
        await stage.end_other_connections()
        await stage.say(homes()[1], order(2, homes()[1]))
        await stage.decided(1)
    wrong = stage.settings.postgres.replace(password, f"not-{password}")
    refused = stage.start(postgres=wrong)
    await asyncio.sleep(1)
    await refused.stop()
    said = capfd.readouterr()
    assert "starting over" in said.out + said.err
    assert password not in said.out + said.err + repr(stage.settings)
