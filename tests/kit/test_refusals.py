"""What the kit refuses to do, with words that say why; and what it never says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from shared.ahead import TopicAhead
from shared.database import InstallationMismatch, LoginRefused
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
    with pytest.raises(LoginRefused):
        await asyncio.wait_for(stage.start(postgres=wrong).task, 20)
    said = capfd.readouterr()
    assert "starting over" in said.out + said.err
    assert password not in said.out + said.err + repr(stage.settings)


# --- logins -------------------------------------------------------------------------------------------------------------


def _as(stage: Stage, user: str = "", password: str = "", path: str = "") -> str:
    """The stage's URL with something changed."""
    url = urlsplit(stage.settings.postgres)
    login = f"{user or url.username}:{password or url.password}"
    return url._replace(netloc=f"{login}@{url.hostname}:{url.port}", path=path or url.path).geturl()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "wrong-secret"}, r'refuses the login: password .* "\w+"; set the right password in QUITTANCE_POSTGRES'),
        ({"user": "nobody", "password": "wrong-secret"}, r"refuses the login: .*nobody.* in QUITTANCE_POSTGRES"),
        ({"path": "/not_there"}, r'"not_there" does not exist; name a database in QUITTANCE_POSTGRES that exists'),
    ],
    ids=["password", "role", "database"],
)
async def test_a_login_that_the_server_refuses_stops_the_start_and_says_where_and_how_to_mend_it(
    stage: Stage, wrong: dict[str, str], said: str
) -> None:
    with pytest.raises(LoginRefused, match=said) as found:
        await asyncio.wait_for(stage.start(postgres=_as(stage, **wrong)).task, 20)
    url = urlsplit(stage.settings.postgres)
    assert f"PostgreSQL at {url.hostname}:{url.port} " in str(found.value)
    assert "wrong-secret" not in str(found.value)


@pytest.mark.parametrize("module", ["services.accounts", "services.gateway", "services.console", "services.console.worker"])
async def test_a_service_with_a_wrong_password_ends_with_one_line_even_while_the_broker_is_away(
    stage: Stage, module: str
) -> None:
    settings = {"POSTGRES": _as(stage, password="wrong-secret"), "KAFKA": "127.0.0.1:1", "PORT": "0", "LOG_FORMAT": "json"}
    ours = {f"QUITTANCE_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", module]
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs in this test
        command, env={**os.environ, **ours}, capture_output=True, text=True, timeout=30, check=False
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 1, lines
    assert len([line for line in lines if "refuses the login" in line and "QUITTANCE_POSTGRES" in line]) == 1, lines
    assert not [line for line in lines if "Traceback" in line or "wrong-secret" in line], lines


async def test_a_database_that_is_away_is_waited_for(stage: Stage) -> None:
    instance = stage.start(postgres="postgresql://postgres:x@127.0.0.1:1/postgres")
    await asyncio.sleep(2)
    assert not instance.task.done()
    assert instance.engine.metrics.restarts._value.get() > 1
    await instance.stop()


async def test_a_login_that_is_refused_later_is_waited_for_like_a_database_that_is_away(stage: Stage) -> None:
    """Whoever changes a role's password while services run must not find them all gone."""
    role = f"own_{stage.settings.namespace}".strip("_")
    await stage.connection.execute(f"create role {role} superuser login password 'first'")
    home, _ = homes()
    try:
        async with stage.running(postgres=_as(stage, user=role, password="first")) as engine:
            await stage.say(home, order(1, home))
            await stage.decided(1)
            await stage.connection.execute(f"alter role {role} password 'second'")
            await stage.end_other_connections()
            await stage.say(home, order(2, home))
            await asyncio.sleep(1.5)
            assert not engine.ready
            await stage.connection.execute(f"alter role {role} password 'first'")
            await stage.decided(2)
    finally:
        await stage.connection.execute(f"reassign owned by {role} to current_user; drop role {role}")
