"""One Kafka broker (KRaft, no ZooKeeper) from jars that Maven fetched. Listens on 127.0.0.1 only."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from deploy.local import probe
from deploy.local.process import DYING_S_MAX, is_ours, require_free, serves, terminate
from deploy.local.settings import REPOSITORY, Settings, StackError

POM = REPOSITORY / "deploy" / "pom.xml"
JAVA_MIN = 17  # Kafka 4 brokers refuse anything older
CLUSTER_ID = "UXVpdHRhbmNlTG9jYWwwMQ"  # fixed: a folder formatted once stays usable whoever starts it
START_S_MAX = 60.0
STOP_S_MAX = 30.0

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised_port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}

# A misspelt topic must fail, not appear with one partition.
auto.create.topics.enable=false
# Fact topics keep everything.
log.retention.ms=-1
log.retention.bytes=-1
# Room for a producer's batch; one message is held far below it by the contracts.
message.max.bytes=4194304
replica.fetch.max.bytes=4194304

# One node: every internal topic has one copy.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0

# After a kill the controller waits this long before it believes that the broker is a new one (default 9 s).
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000

# Two cores, and a heap of which the cleaner's default buffer alone would take 128 MB.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""


def running_port(settings: Settings) -> int | None:
    """The port of the running broker, None when none of ours runs."""
    pid = running_pid(settings)
    return None if pid is None else int(_record(settings)["port"])


def running_pid(settings: Settings) -> int | None:
    pid = _record(settings).get("pid")
    return pid if pid is not None and is_ours(pid, _mark(settings)) else None


def version(settings: Settings) -> str | None:
    jar = next(settings.jars.glob("kafka_2.13-*.jar"), None)
    return jar.stem.partition("-")[2] if jar else None


def start(settings: Settings) -> None:
    """Returns when the broker answers; does nothing when it runs already."""
    if serves(lambda: running_pid(settings), lambda: probe.kafka_answers(f"127.0.0.1:{running_port(settings)}")):
        return
    killed = DYING_S_MAX if _record(settings) else 0.0  # a clean stop leaves no record
    require_free(settings.kafka_port, "QUITTANCE_KAFKA_PORT", killed)
    require_free(settings.controller_port, "QUITTANCE_KAFKA_CONTROLLER_PORT", killed)
    java = _java()
    _fetch_jars(settings)
    _write_properties(settings)
    _format_once(settings, java)
    _await_answer(settings, _spawn(settings, java))


def stop(settings: Settings) -> None:
    pid = running_pid(settings)
    if pid is not None:
        terminate(pid, _mark(settings), STOP_S_MAX)
    _record_path(settings).unlink(missing_ok=True)


def _folder(settings: Settings) -> Path:
    return settings.home / "kafka"


def _mark(settings: Settings) -> str:
    return str(_folder(settings) / "server.properties")


def _record_path(settings: Settings) -> Path:
    return _folder(settings) / "broker.json"


def _record(settings: Settings) -> dict[str, int]:
    try:
        record: dict[str, int] = json.loads(_record_path(settings).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return record


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    found = _java_version(java) if java else 0
    if java is None or found < JAVA_MIN:
        what = f"Java {found} is too old" if found else "Java is missing"
        raise StackError(
            f"{what}: Kafka needs Java {JAVA_MIN} or newer; install it (Debian: apt-get install "
            "openjdk-17-jre-headless, macOS: brew install openjdk) or set QUITTANCE_KAFKA to a broker elsewhere."
        )
    return java


def _java_version(java: str) -> int:
    """Major version; 0 when it does not run (macOS ships a stub that only prints an advert)."""
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else 0


def _fetch_jars(settings: Settings) -> None:
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    stamp = settings.jars / "pom.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    # Fetched beside and renamed, so that half a download is never taken for a whole one.
    fresh = settings.jars.with_name(f"{settings.jars.name}.{os.getpid()}")
    _copy_dependencies(fresh)
    (fresh / "pom.sha256").write_text(wanted)
    shutil.rmtree(settings.jars, ignore_errors=True)
    fresh.rename(settings.jars)


def _copy_dependencies(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError(
            "Maven is missing: the broker's jars are fetched with it; install it (Debian: apt-get install maven, "
            "macOS: brew install maven) or set QUITTANCE_KAFKA to a broker elsewhere."
        )
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    done = subprocess.run([maven, "-B", "-q", "-f", str(POM), *goal], capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"Maven could not fetch the broker's jars; try again when it is reachable. {_tail(done.stdout)}")


def _write_properties(settings: Settings) -> None:
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    text = PROPERTIES.format(
        port=settings.kafka_port,
        advertised_port=settings.advertised_port or settings.kafka_port,
        controller_port=settings.controller_port,
        data=folder / "data",
    )
    (folder / "server.properties").write_text(text)


def _format_once(settings: Settings, java: str) -> None:
    if (_folder(settings) / "data" / "meta.properties").exists():
        return
    tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", _mark(settings)]
    done = subprocess.run([java, "-cp", f"{settings.jars}/*", *tool], capture_output=True, text=True)
    if done.returncode:
        raise StackError(f"Kafka could not format {_folder(settings) / 'data'}. {_tail(done.stdout + done.stderr)}")


def _spawn(settings: Settings, java: str) -> int:
    """Detached: the broker outlives the command that started it, and an interrupt at the terminal does not reach it."""
    # fmt: off
    command = [
        java, "-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        "-cp", f"{settings.jars}/*", "kafka.Kafka", _mark(settings),
    ]
    # fmt: on
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(_log(settings)), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(java, command, os.environ, file_actions=streams, setsid=True)
    _record_path(settings).write_text(json.dumps({"pid": pid, "port": settings.kafka_port}))
    return pid


def _await_answer(settings: Settings, pid: int) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if probe.kafka_answers(f"127.0.0.1:{settings.kafka_port}"):
            return
        if _is_gone(pid, settings):
            raise StackError(f"Kafka stopped while starting; see {_log(settings)}. {_tail(_log(settings).read_text())}")
        time.sleep(0.05)
    stop(settings)
    raise StackError(f"Kafka did not answer within {START_S_MAX:.0f} s; see {_log(settings)}.")


def _is_gone(pid: int, settings: Settings) -> bool:
    """Looked at twice: while the launcher replaces itself, a process has no command line for a moment."""
    if is_ours(pid, _mark(settings)):
        return False
    time.sleep(0.2)
    return not is_ours(pid, _mark(settings))


def _log(settings: Settings) -> Path:
    return _folder(settings) / "broker.log"


def _tail(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
