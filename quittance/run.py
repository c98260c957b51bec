"""`quittance run`, the main job: everything is started, a stream of orders goes in, and what becomes of it is shown.

By default a trading day of our own; with a file, its orders in their own time. Run again, it changes nothing and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import datetime as dt
import fcntl
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from deploy.local import stack
from deploy.local.settings import StackError, from_environment
from quittance import installation, keys, people, replay
from quittance.board import Board
from quittance.cast import BACK_LINKS, RUNNING, WINDOWS, WORKING, links_of, program_of, service_of, watched
from quittance.clerks import STEP, Clerks
from quittance.counterparts import Answers, Cardholders, day_of_finance
from quittance.day import account_rows, day
from quittance.debtors import DEBTORS
from quittance.installation import Unusable
from quittance.intake import Flow
from quittance.orderfile import OrderFile, Survey
from quittance.processes import Processes
from quittance.readers import caught_up
from quittance.replay import Stage, Trade, staged
from quittance.screen import console, progress, quarantined, watching
from quittance.stretches import stretches_of
from quittance.tills import acquirer_url, tills
from quittance.trade import Diary
from shared.database import InstallationMismatch, LoginRefused, prepare
from shared.settings import Settings
from shared.topics import TopicMismatch, create_topics

SEED = 1
DAY_NAMESPACE = "day_"
"""The synthetic day has topics and databases of its own, so that its clock does not stand in the way of a real file's."""
DAY_SPEED = 160.0
"""Thirteen hours in five minutes: somebody who opens the desk finds it at work, and sees how the day ends."""
DEFAULT_LIMIT = "1000.00"
"""Credit limit of an account that an order file names and no accounts file describes: the default policy for a newcomer."""
ACCOUNT_HEADER = ("account", "name", "currency", "limit", "payment_days", "risk_class", "portfolio", "status", "po_required")
INTERRUPTED = 130
"""Exit code of a run that was ended from outside, as shells have it."""
DEFAULT_TERMS = ("30", "standard", "main", "open", "no")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `speed`, `trade`, `desk` and `demo_people` None: the default of what is run."""

    orders: Path | None = None
    accounts: Path | None = None
    speed: float | None = None
    trade: bool | None = None
    desk: bool | None = None
    once: bool = False
    port: int | None = None
    seed: int = SEED
    demo_people: bool | None = None


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What is played: the files, the pace, and until when. `answers`: what follows from facts besides."""

    orders: OrderFile
    survey: Survey
    accounts: Path
    accounts_as_of: dt.datetime
    trade: bool
    desk: bool
    speed: float
    closing: dt.datetime
    acts: list[Any]
    answers: replay.Answers | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The last line. rows = order_lines + return_lines + repeated_rows + quarantined, when all is accounted for."""

    rows: int
    orders: int
    released: int
    held: int
    quarantined: int
    duplicates: int
    seconds: float
    orders_per_s: float
    returns: int
    rejected: int
    cancelled: int
    order_lines: int
    return_lines: int
    repeated_rows: int
    complete: bool


# --- the whole of it ------------------------------------------------------------------------------------------------


async def run(wish: Wish) -> int:
    """Returns the exit code. Everything that was started is stopped again, also when we are told to end."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None, "asyncio.run makes one"
    for name in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, task.cancel)
    with _alone(), _stack() as _:
        settings = _settings(wish)
        await _prepare(settings)
        processes = Processes(watched(settings))
        try:
            return await _started(wish, settings, processes)
        finally:
            await processes.stop()


async def _started(wish: Wish, settings: Settings, processes: Processes) -> int:
    began = time.monotonic()
    for name in RUNNING:
        processes.start(program_of(settings, name))
    script = await asyncio.to_thread(_script, wish, settings)
    await processes.ready()
    processes.start(program_of(settings, WINDOWS))  # nothing waits for it, so it does not take the others' time to start
    for program in tills(settings):
        processes.start(program)
    told(
        f"{', '.join(RUNNING)} are ready after {time.monotonic() - began:.1f} s; "
        f"the gateway is {installation.gateway_url(settings)}"
    )
    tokens = await keys.issue(settings)
    await _who_signs_in(wish, settings)
    async with _stage(settings, script, tokens) as stage:
        seconds = await _perform(stage, script)
        result = _result(stage, script, seconds)
    _summary(settings, stage, script, result)
    if wish.once:
        told("  it stops now   look again with: make up && quittance serve accounts orders gateway console")
        await processes.stop()
        print(json.dumps(msgspec.to_builtins(result)), flush=True)
    else:
        await _until_asked()
    return 0 if result.complete else 1


async def _who_signs_in(wish: Wish, settings: Settings) -> None:
    """Where the console is, and who can look. People are invented for the invented day only, unless it was asked."""
    told(f"the console is {installation.console_url(settings)}   (Ctrl-C stops everything)")
    if wish.demo_people if wish.demo_people is not None else wish.orders is None:
        password = await people.make_demo(settings)
        told("  sign in as     " + f"\n{' ' * 17}".join(people.to_try()))
        told(f"  password       {password}" if password else f"  password       in {people.password_path(settings)}")
    elif not await people.everybody(settings):
        told("  sign in        nobody can yet: quittance people add NAME --role director")


@contextmanager
def _alone() -> Iterator[None]:
    """One run at a time for one home."""
    home = installation.home()
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Unusable(f"another `quittance run` uses {home}; end it, or set QUITTANCE_HOME elsewhere") from error
        yield


@contextmanager
def _stack() -> Iterator[None]:
    """Kafka and PostgreSQL; those that we start here are stopped again."""
    local = from_environment()
    was_up = stack.status(local).up
    if not was_up:
        console.print("starting Kafka and PostgreSQL …")
    try:
        stack.up(local)
    except StackError as error:
        raise Unusable(str(error)) from error
    try:
        yield
    finally:
        if not was_up:
            stack.down(local)


def _settings(wish: Wish) -> Settings:
    """Message time, so that a replay decides as its day would have; topics of its own for the synthetic day."""
    namespace = "" if wish.orders else DAY_NAMESPACE
    return installation.chosen(clock="event", namespace=namespace, port=wish.port)


async def _prepare(settings: Settings) -> None:
    """Topics and databases, before anything runs: what does not fit is said here, not in four logs."""
    try:
        await create_topics(settings)
        for name in RUNNING:
            await prepare(settings, name, service_of(name).schema)
    except LoginRefused as error:
        raise Unusable(str(error)) from error
    except (InstallationMismatch, TopicMismatch) as error:
        raise Unusable(
            f"{error} — or use another one beside it: QUITTANCE_HOME=<a new folder>, or QUITTANCE_NAMESPACE=<prefix>_"
        ) from error
    installation.note(settings)


@asynccontextmanager
async def _stage(settings: Settings, script: Script, tokens: keys.Tokens) -> AsyncIterator[Stage]:
    board = Board(script.survey.orders, script.survey.returns)
    async with staged(settings, installation.gateway_url(settings), tokens, board) as stage:
        if script.trade:
            _set_trade(stage, script)
        if script.desk:
            stage.clerks = Clerks(SEED, script.survey.orders)
        yield stage


def _set_trade(stage: Stage, script: Script) -> None:
    """The sandbox's cardholders only: nobody takes money of a real acquirer back."""
    stage.trade = Trade(SEED, script.survey.orders, Diary(), script.answers or replay.nothing)
    if script.answers is not None and not stage.settings.acquirer:
        stage.cardholders = Cardholders(acquirer_url(stage.settings))


async def _perform(stage: Stage, script: Script) -> float:
    """Accounts first, then orders; returns the seconds that the orders took."""
    await _open_accounts(stage, script)
    await stage.listen_to_the_end()
    stage.board.begin()
    if stage.trade is not None:
        stage.trade.diary.add(script.acts)
    began = time.monotonic()
    async with watching(stage):
        if script.trade or script.desk or script.speed:
            cuts = stretches_of(script.speed, STEP if script.desk else None)
            pieces = script.orders.pieces(cuts.start)
            await replay.play(stage, script.orders.kind, pieces, cuts, script.speed, script.closing)
        else:
            sending = stage.gateway.send_file(script.orders.kind, script.orders.path.name, script.orders.path)
            await replay.send_whole(stage, sending)
        await caught_up(stage.desks, (), BACK_LINKS)
    return time.monotonic() - began


async def _open_accounts(stage: Stage, script: Script) -> None:
    """Import the accounts and wait until everyone who needs them has passed them."""
    records = stage.senders.records
    flow = await records.send_file("accounts", script.accounts.name, script.accounts, script.accounts_as_of)
    done = await records.finished(flow["flow"])
    await caught_up(stage.desks, ("gateway",), links_of(WORKING))
    await caught_up(stage.desks, (), BACK_LINKS)
    if done["quarantined_rows"]:
        console.print(
            f"[yellow]{done['quarantined_rows']} rows of {script.accounts} are in quarantine; see `quittance quarantine list`"
        )


# --- what is played -------------------------------------------------------------------------------------------------


def _script(wish: Wish, settings: Settings) -> Script:
    return _file_script(wish, settings, wish.orders) if wish.orders else _day_script(wish, settings)


def _day_script(wish: Wish, settings: Settings) -> Script:
    made = day(wish.seed)
    paths = [settings.home / f"{what}-day-{wish.seed}.csv" for what in ("accounts", "orders")]
    accounts = made.accounts + account_rows(DEBTORS.values())
    for path, content in zip(paths, (accounts, made.orders), strict=True):
        path.write_bytes(content)
    orders = OrderFile(paths[1])
    return Script(
        orders=orders,
        survey=orders.survey(),
        accounts=wish.accounts or paths[0],
        accounts_as_of=made.opened_at,
        trade=wish.trade is not False,
        desk=wish.trade is not False and wish.desk is not False,
        speed=DAY_SPEED if wish.speed is None else wish.speed,
        closing=made.ends,
        acts=[*made.acts, *day_of_finance(wish.seed)],
        answers=Answers(wish.seed),
    )


def _file_script(wish: Wish, settings: Settings, path: Path) -> Script:
    orders = OrderFile(path)
    with progress(f"reading {path.name}") as told:
        survey = orders.survey(told)
    if survey.first is None or survey.last is None:
        raise Unusable(f"no row of {path} has a time that can be read; check its mapping, {orders.kind}")
    midnight = dt.datetime.combine(survey.first.date(), dt.time(), tzinfo=dt.UTC)
    return Script(
        orders=orders,
        survey=survey,
        accounts=wish.accounts or _default_accounts(settings, path, survey),
        accounts_as_of=midnight,
        trade=wish.trade is not False,
        desk=bool(wish.desk),
        speed=wish.speed or 0.0,
        closing=survey.last,
        acts=[],
    )


def _default_accounts(settings: Settings, orders: Path, survey: Survey) -> Path:
    """An accounts file with every account of the order file under the default policy. One that is there is the user's:
    only accounts that it lacks are added."""
    path = settings.home / f"accounts-{orders.stem}.csv"
    is_new = not path.exists()
    known = set() if is_new else _first_cells(path)
    missing = {account: currency for account, currency in survey.accounts.items() if account not in known}
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(ACCOUNT_HEADER)
        writer.writerows((name, f"Account {name}", currency, DEFAULT_LIMIT, *DEFAULT_TERMS) for name, currency in missing.items())
    return path


def _first_cells(path: Path) -> set[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row[0].strip() for row in csv.reader(file) if row}


# --- how it ended ---------------------------------------------------------------------------------------------------


def _result(stage: Stage, script: Script, seconds: float) -> Result:
    board, flows = stage.board, list(stage.flows.values())
    lines, return_lines = board.lines, board.return_lines
    return Result(
        rows=script.survey.rows,
        orders=board.received,
        released=board.released,
        held=board.held,
        quarantined=quarantined(stage),
        duplicates=_duplicates(flows, board),
        seconds=round(seconds, 3),
        orders_per_s=round(board.new / seconds, 1) if seconds else 0.0,
        returns=len(board.returned),
        rejected=board.status["rejected"],
        cancelled=board.status["cancelled"],
        order_lines=lines,
        return_lines=return_lines,
        repeated_rows=_sum(flows, "repeated_rows"),
        complete=_complete(flows, script.survey, board),
    )


def _sum(flows: list[Flow], name: str) -> int:
    return sum(flow.get(name, 0) for flow in flows)


def _duplicates(flows: list[Flow], board: Board) -> int:
    """Documents that had come before: within the file, or all of it."""
    if flows and all(flow["repeated"] for flow in flows):
        return board.received
    return sum(flow["documents"] if flow["repeated"] else flow["repeated_documents"] for flow in flows)


def _complete(flows: list[Flow], survey: Survey, board: Board) -> bool:
    """Every row of the file is a line of a decided order or recorded return, a repetition, or in quarantine.

    Counted twice, independently: by the gateway in its flows, and here from the decisions themselves.
    """
    accepted, repeated, withheld = (_sum(flows, name) for name in ("accepted_rows", "repeated_rows", "quarantined_rows"))
    decided = board.lines + board.return_lines + sum(survey.lines_of[name] for name in board.refused)
    # What the file brought in now or in an earlier run: documents that came in by another way are repetitions here.
    return survey.rows == accepted + repeated + withheld and accepted <= decided <= accepted + repeated and not board.doubled


def _summary(settings: Settings, stage: Stage, script: Script, result: Result) -> None:
    say = told
    repeated = result.duplicates == result.orders and result.orders and all(flow["repeated"] for flow in stage.flows.values())
    say()
    if repeated:
        say(
            f"[bold]Nothing changed:[/] all {result.orders:,} orders of {script.orders.path.name} had come before, "
            "in the same flow."
        )
    say(
        f"{result.rows:,} rows: {result.order_lines:,} lines of {result.orders:,} orders, {result.return_lines:,} lines of "
        f"{result.returns:,} returns, {result.repeated_rows:,} repeated, {result.quarantined:,} in quarantine"
        + ("." if result.complete else " — [bold red]they do not add up; see the logs under " + str(settings.home / "logs"))
    )
    say(
        f"{result.released:,} released, {result.held:,} held, {result.rejected:,} rejected; "
        f"{result.seconds:.1f} s, {result.orders_per_s:,.0f} orders/s"
    )
    for name, count in stage.board.held_by.most_common():
        if count > 0:
            say(f"  held by {name}: {count:,}")
    _where_to_look(settings, stage, script)


def told(text: str = "") -> None:
    """A line for people, never broken: paths in it are to be copied."""
    console.print(text, soft_wrap=True, highlight=False)


def _where_to_look(settings: Settings, stage: Stage, script: Script) -> None:
    say = told
    example = stage.board.example("held") or stage.board.example("referred") or stage.board.example("released")
    say("\n[bold]Where to look[/] (`source .venv/bin/activate` first)")
    say(f"  release desk   {installation.console_url(settings)}/")
    if people.password_path(settings).exists():
        say(f"  sign in as     dora, rose, tom … (quittance people list); the password is in {people.password_path(settings)}")
    say(f"  held, plain    {installation.gateway_url(settings)}/  (any user; the password is in {keys.people_path(settings)})")
    if example:
        say(f"  why            quittance explain {example}")
        say(f"  what happened  quittance trace {example}")
    say("  bad rows       quittance quarantine list")
    say(f"  limits         edit {script.accounts}, then: quittance import accounts {script.accounts}")
    if settings.namespace:
        say(f"  topics, databases  begin with {settings.namespace!r}")
    if script.speed:
        say("\nThe day is over, and its clock stands until more orders come: nothing moves on the pages but what you do.")
        say("To see it again, and slower: QUITTANCE_HOME=<a new folder> make run SPEED=60 (a minute of the day in each second)")


async def _until_asked() -> None:
    console.print("\nIt stays up; Ctrl-C stops what was started here.")
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, asked.set)
    await asked.wait()


def perform(wish: Wish) -> int:
    """Run to the end; Ctrl-C in the middle stops everything, and a later run goes on where this one was."""
    code = INTERRUPTED
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        code = asyncio.run(run(wish))
    if code == INTERRUPTED or not wish.once:  # else the last line is the result
        told(f"stopped; the data stays in {installation.home()}")
    return code
