"""The stack without Docker: what a developer meets on the first day."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from deploy.local import kafka, postgres, probe
from deploy.local import stack as local_stack
from deploy.local.process import is_ours, require_free, terminate
from deploy.local.settings import REPOSITORY, Settings, StackError, from_environment
from shared import testing
from shared.testing import Servers, fresh_database, own_home, own_settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack that these tests may stop and break. Local on purpose, whatever the environment says."""
    local = replace(from_environment(), kafka=None, postgres=None)
    own = own_settings(local, tmp_path_factory.mktemp("home"))
    yield own
    local_stack.erase(own)


def test_up_starts_both_and_a_second_up_changes_nothing(settings: Settings) -> None:
    first = local_stack.up(settings)
    assert first.up
    assert first.kafka.version == "4.3.1"
    assert first.postgres.version is not None and first.postgres.version.startswith("18.")
    assert local_stack.up(settings) == first


async def test_data_survives_a_restart(settings: Settings) -> None:
    before = local_stack.up(settings)
    await _write(before)
    stopped = local_stack.down(settings)
    assert not stopped.kafka.up and not stopped.postgres.up
    after = local_stack.up(settings)
    assert after.kafka.pid != before.kafka.pid and after.postgres.pid != before.postgres.pid
    assert await _read(after) == ("kept", b"kept")


def test_a_killed_stack_comes_back(settings: Settings) -> None:
    before = local_stack.up(settings)
    for server in (before.kafka, before.postgres):
        assert server.pid
        psutil.Process(server.pid).kill()
    assert not local_stack.status(settings).up
    assert local_stack.up(settings).up


def test_a_pid_that_now_belongs_to_somebody_else_is_neither_trusted_nor_killed(settings: Settings) -> None:
    local_stack.up(settings)
    local_stack.down(settings)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (settings.home / "kafka" / "broker.json").write_text(json.dumps({"pid": stranger.pid, "port": 1}))
        lines = [str(stranger.pid), "/elsewhere", "0", "1", "", "127.0.0.1", "0 0", "ready"]
        (postgres.place(settings) / "data" / "postmaster.pid").write_text("\n".join(lines))
        assert kafka.running_pid(settings) is None and postgres.running_pid(settings) is None
        local_stack.down(settings)
        assert stranger.poll() is None
        assert local_stack.up(settings).up
        assert stranger.poll() is None
        stranger.terminate()


def test_durability_is_on(settings: Settings) -> None:
    local_stack.up(settings)
    text = (postgres.place(settings) / "data" / "postgresql.conf").read_text()
    assert {"fsync = on", "synchronous_commit = on", "full_page_writes = on"} <= set(text.splitlines())


def test_a_taken_port_names_the_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"Port {port} is taken .* set QUITTANCE_KAFKA_PORT"):
            require_free(port, "QUITTANCE_KAFKA_PORT")


def test_up_fails_when_a_stranger_holds_the_port(tmp_path: Path, settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        blocked = replace(settings, home=tmp_path, postgres="postgresql://x@127.0.0.1:1/x")
        blocked = replace(blocked, kafka_port=taken.getsockname()[1])
        with pytest.raises(StackError, match="set QUITTANCE_KAFKA_PORT"):
            local_stack.up(blocked)


def test_an_open_port_that_says_nothing_is_not_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert not probe.kafka_answers(address)
        assert not probe.postgres_answers(f"postgresql://u@{address}/d")


def test_servers_elsewhere_are_used_and_not_started(tmp_path: Path, settings: Settings) -> None:
    running = local_stack.up(settings)
    elsewhere = replace(settings, home=tmp_path, kafka=running.kafka.url, postgres=running.postgres.url)
    found = local_stack.up(elsewhere)
    assert found.up and found.kafka.pid is None and found.postgres.pid is None
    local_stack.down(elsewhere)
    assert local_stack.status(settings).up


def test_missing_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = own_settings(settings, tmp_path / "home")
    with pytest.raises(StackError, match=r"Java is missing: Kafka needs Java 17 or newer; install it"):
        kafka.start(bare)


def test_java_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(_java(tmp_path, "11.0.2")))
    bare = own_settings(settings, tmp_path / "home")
    with pytest.raises(StackError, match=r"Java 11 is too old"):
        kafka.start(bare)


def test_missing_maven_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(_java(tmp_path, "17.0.1")))
    bare = replace(own_settings(settings, tmp_path / "home"), jars=tmp_path / "jars")
    with pytest.raises(StackError, match=r"Maven is missing: .* install it"):
        kafka.start(bare)


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot be written \(Not a directory\); set QUITTANCE_HOME"):
        local_stack.up(replace(settings, home=tmp_path / "file" / "home"))


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(StackError, match=r"QUITTANCE_POSTGRES_PORT is '70000'; set it to a port"):
        from_environment({"QUITTANCE_POSTGRES_PORT": "70000"})


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    read = from_environment({"QUITTANCE_HOME": str(tmp_path), "QUITTANCE_KAFKA_PORT": "5", "QUITTANCE_KAFKA": "a:1"})
    assert read == Settings(tmp_path, tmp_path / "kafka" / "libs", 5, 6, 15432, kafka="a:1", postgres=None)


def test_a_process_that_ignores_the_polite_request_is_ended() -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", stubborn, "our-mark"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        assert is_ours(process.pid, "our-mark") and not is_ours(process.pid, "our")
        terminate(process.pid, "our-mark", patience_s=0.2)
        assert not is_ours(process.pid, "our-mark")


@pytest.mark.parametrize("external", [{}, {"QUITTANCE_KAFKA": "127.0.0.1:1", "QUITTANCE_POSTGRES": "postgresql://127.0.0.1:1/x"}])
def test_status_exits_with_failure_when_something_is_down(tmp_path: Path, external: dict[str, str]) -> None:
    environment = {
        **os.environ,
        "QUITTANCE_HOME": str(tmp_path),
        "QUITTANCE_KAFKA": "",
        "QUITTANCE_POSTGRES": "",
        **external,
    }
    command = [sys.executable, "-m", "deploy.local", "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=REPOSITORY)
    assert done.returncode == 1
    assert json.loads(done.stdout)["up"] is False


def test_servers_of_tests_lie_in_memory_only_where_there_is_room_and_nobody_else_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    memory, bare = tmp_path / "memory", replace(from_environment(), home=tmp_path / "home")
    memory.mkdir()
    monkeypatch.setattr(testing, "MEMORY", memory)
    ours = memory / f"quittance-{os.geteuid()}"
    assert own_home(bare, "test", 1).home == ours / "test" / str(os.getpid())
    assert own_home(bare, "test", 2**60).home.parent == bare.home / "test"
    ours.chmod(0o777)
    assert own_home(bare, "test", 1).home.parent == bare.home / "test"
    ours.rmdir()
    ours.symlink_to(tmp_path)
    assert own_home(bare, "test", 1).home.parent == bare.home / "test"


async def test_each_test_has_a_database_of_its_own(stack: Servers) -> None:
    schema = "create table note (text text)"
    async with fresh_database(stack.postgres, schema) as one, fresh_database(stack.postgres, schema) as two:
        await _execute(one, "insert into note values ('only here')")
        assert await _fetch(two, "select count(*) from note") == 0
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(one)


async def test_a_schema_that_fails_leaves_no_template(stack: Servers) -> None:
    counted = "select count(*) from pg_database"
    before = await _fetch(stack.postgres, counted)
    with pytest.raises(asyncpg.PostgresSyntaxError):
        async with fresh_database(stack.postgres, "create nonsense"):
            pass
    assert await _fetch(stack.postgres, counted) == before


def _java(folder: Path, version: str) -> Path:
    """A folder holding nothing but a Java that says it is of this version."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return program.parent


async def _write(found: local_stack.Stack) -> None:
    await _execute(found.postgres.url, "create table note as select 'kept' as text")
    admin = AIOKafkaAdminClient(bootstrap_servers=found.kafka.url)
    await admin.start()
    await admin.create_topics([NewTopic("notes", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=found.kafka.url, acks="all") as producer:
        await producer.send_and_wait("notes", b"kept")


async def _read(found: local_stack.Stack) -> tuple[str, bytes | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=found.kafka.url, auto_offset_reset="earliest")
    async with consumer:
        consumer.assign([TopicPartition("notes", 0)])
        message = await consumer.getone()
    return await _fetch(found.postgres.url, "select text from note"), message.value


async def _execute(url: str | None, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def _fetch(url: str | None, question: str) -> Any:
    connection = await asyncpg.connect(url)
    value = await connection.fetchval(question)
    await connection.close()
    return value
