"""The commands, one thin function each: what is asked, who does it, how it is shown, and the exit code."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import importlib.util
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from deploy.local import stack
from deploy.local.settings import StackError, from_environment
from quittance import archives, installation, intake, keys, parked, quarantine, show
from quittance import people as folk
from quittance.cast import DECLARED, PROGRAMS, program_of, watched
from quittance.installation import Unusable
from quittance.intake import Gateway, as_json
from quittance.processes import Processes
from quittance.screen import console, progress
from services.console.people import ROLES, ZONE, Person

BENCH = "quittance.bench"
FAILED, DIFFERENT = 1, 1
FOLDED = tuple(name for name in DECLARED if name not in ("gateway", "console"))
"""Services whose rows are a fold of their journal; the gateway keeps what it was sent, the console what it heard."""

app = typer.Typer(
    help="Order to cash on one event log.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
parked_app = typer.Typer(help="Credit groups that wait behind a message nobody could handle.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Rows and messages that could not be taken.", no_args_is_help=True)
app.add_typer(parked_app, name="parked")
app.add_typer(quarantine_app, name="quarantine")
journal_app = typer.Typer(help="The ranges of a service's journal, and those taken out into files.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")
people_app = typer.Typer(help="Who may sign in to the console.", no_args_is_help=True)
app.add_typer(people_app, name="people")

AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON, for a script.")]
Value = TypeVar("Value")


def main() -> None:
    """The console script: errors that the user can mend are one sentence on standard error, exit code 1."""
    try:
        app()
    except (Unusable, StackError) as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)


def do(work: Coroutine[Any, Any, Value]) -> Value:
    return asyncio.run(work)


# --- servers and services -------------------------------------------------------------------------------------------


@app.command()
def up() -> None:
    """Start Kafka and PostgreSQL; nothing happens when they run."""
    with console.status("starting Kafka and PostgreSQL"):
        found = stack.up(from_environment())
    show.servers(found)


@app.command()
def down() -> None:
    """Stop them; the data stays."""
    show.servers(stack.down(from_environment()))


@app.command()
def status(json: AsJson = False) -> None:
    """What runs, where, and which services are ready; exit code 1 when a server is down."""
    found = stack.status(from_environment())
    settings = installation.chosen()
    ready = do(show.services(settings))
    if json:
        servers = {"kafka": found.kafka.up, "postgres": found.postgres.up}
        print(as_json({"up": found.up, "servers": servers, "services": ready, "home": str(found.home), "clock": settings.clock}))
    else:
        show.servers(found)
        show.readiness(settings, ready)
    raise typer.Exit(0 if found.up else FAILED)


@app.command()
def serve(names: Annotated[list[str], typer.Argument(help=f"Any of: {', '.join(PROGRAMS)}.")]) -> None:
    """Run services in the foreground, each restarted when it dies; Ctrl-C stops them."""
    do(_serve(names))


async def _serve(names: list[str]) -> None:
    settings = installation.chosen()
    settings.home.mkdir(parents=True, exist_ok=True)
    programs = [program_of(settings, name) for name in names]
    processes = Processes(watched(settings))
    asked = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, asked.set)
    try:
        for program in programs:
            processes.start(program)
        await processes.ready()
        for program in programs:
            where = f"is ready on port {program.port}" if program.port else "was started"
            console.print(f"{program.name} {where}; its log is {processes.log_path(program.name)}")
        await asked.wait()
    finally:
        await processes.stop()


@app.command()
def run(
    orders: Annotated[Path | None, typer.Option(help="An order file; without it a synthetic trading day is played.")] = None,
    accounts: Annotated[
        Path | None, typer.Option(help="An accounts file; without it every account gets the default policy.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Seconds of the messages' time per second; 0: as fast as it goes.", min=0)
    ] = None,
    trade: Annotated[bool | None, typer.Option("--trade/--no-trade", help="Play despatch, invoice and payment as well.")] = None,
    desk: Annotated[
        bool | None, typer.Option("--desk/--no-desk", help="Play the people at the release desk; by default on our own day.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop everything at the end; the last line is one JSON object.")] = False,
    port: Annotated[int | None, typer.Option(help="The gateway's port; its neighbours take the next ones.")] = None,
    seed: Annotated[int, typer.Option(help="Of the synthetic day.")] = 1,
    demo_people: Annotated[
        bool | None,
        typer.Option("--demo-people/--no-demo-people", help="Make one person of each role; default: for the day only."),
    ] = None,
) -> None:
    """Start everything, send a stream of orders, and show what becomes of it."""
    from quittance.run import Wish, perform  # the slowest import, and only needed here

    wish = Wish(
        orders=orders,
        accounts=accounts,
        speed=speed,
        trade=trade,
        desk=desk,
        once=once,
        port=port,
        seed=seed,
        demo_people=demo_people,
    )
    raise typer.Exit(perform(wish))


@app.command("import")
def import_file(
    kind: Annotated[str, typer.Argument(help="The mapping: accounts, orders, wholesale, …")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    as_of: Annotated[dt.datetime | None, typer.Option(help="When it happened, where the rows do not say; UTC.")] = None,
    json: AsJson = False,
) -> None:
    """Send a file through the gateway and wait until it was read; exit code 1 when rows went to quarantine."""
    found = do(_import(kind, file, as_of.replace(tzinfo=dt.UTC) if as_of else None))
    print(as_json(found)) if json else show.flow(found)
    raise typer.Exit(FAILED if found["quarantined_rows"] else 0)


async def _import(kind: str, file: Path, as_of: dt.datetime | None) -> intake.Flow:
    gateway = _gateway()
    try:
        with progress(f"sending {file.name}", file.stat().st_size) as told:
            sent = await gateway.send_file(kind, file.name, file, as_of, told)
        with progress(f"reading {file.name}", sent["bytes"]) as told:
            done = await gateway.finished(sent["flow"], _difference(told))
        return done | {"repeated": sent["repeated"]}
    finally:
        await gateway.close()


def _difference(told: Any) -> Any:
    last = 0

    def see(now: intake.Flow) -> None:
        nonlocal last
        told(now["read_bytes"] - last)
        last = now["read_bytes"]

    return see


def _gateway() -> Gateway:
    settings = installation.chosen()
    return Gateway(installation.gateway_url(settings), keys.developer(settings))


# --- looking --------------------------------------------------------------------------------------------------------


@app.command()
def explain(
    order: Annotated[str | None, typer.Argument(help="wholesale/536365, or 536365 where only one feed has it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Recompute every decision of every order, and compare the bytes.")] = False,
    json: AsJson = False,
) -> None:
    """Why an order was decided as it was; exit code 1 when a decision does not come out of the log to the byte."""
    from quittance import explain as explaining

    settings = installation.chosen()
    if every or order is None:
        _need(every, "name an order, or say --all")
        with progress("recomputing", settings.partitions) as told:
            audit = do(explaining.explain_all(settings, _steps(told)))
        print(as_json(audit)) if json else show.audit(audit)
        raise typer.Exit(DIFFERENT if audit.different_count else 0)
    decisions = do(explaining.explain(settings, order))
    print(as_json(decisions)) if json else show.decisions(decisions)
    raise typer.Exit(0 if all(decision.same for decision in decisions) else DIFFERENT)


def _steps(told: Any) -> Any:
    return lambda _: told(1)


def _need(given: object, mend: str) -> None:
    if not given:
        raise Unusable(mend)


@app.command()
def trace(name: Annotated[str, typer.Argument(metavar="FLOW|ORDER")], json: AsJson = False) -> None:
    """Everything said about an order or in a flow, by all services, in order of cause."""
    do(_trace(name, json))


async def _trace(name: str, json: bool) -> None:
    from quittance import explain as explaining
    from quittance import trace as tracing

    settings = installation.chosen()
    whole = name if tracing.is_flow(name) else await explaining.full_name(settings, name) or name
    found = await tracing.trace(settings, whole)
    print(as_json(found)) if json else show.trace(whole, found)


@app.command()
def facts(
    topics: Annotated[
        list[str] | None, typer.Argument(help="accounts, orders, payments, …; default accounts and orders.")
    ] = None,
    digest: Annotated[bool, typer.Option("--digest", help="One SHA-256 per partition over key and value, in order.")] = False,
    json: AsJson = False,
) -> None:
    """The facts on topics, one per line; or their digests, to compare two installations."""
    from quittance import facts as reading

    settings, wanted = installation.chosen(), topics or ["accounts", "orders"]
    if digest:
        found = do(reading.digests(settings, wanted))
        print(as_json(found)) if json else show.digests(found)
        return
    do(_print_facts(settings, wanted))


async def _print_facts(settings: Any, topics: list[str]) -> None:
    from quittance import facts as reading

    async for said in reading.all_said(settings, topics):
        print(said.body.decode())


@app.command()
def refold(
    names: Annotated[list[str] | None, typer.Argument(help="Services; default all that ran here.")] = None, json: AsJson = False
) -> None:
    """Fold the journals again and compare with every stored row; exit code 1 on a difference."""
    from quittance.refold import refold as again

    settings = installation.chosen()
    found = []
    for name in names or [name for name in FOLDED if do(show.has_run(settings, name))]:
        with progress(f"folding {name}", settings.partitions) as told:
            found.append(do(again(settings, name, _steps(told))))
    print(as_json(found)) if json else show.refolded(found)
    raise typer.Exit(DIFFERENT if any(checked.different for checked in found) else 0)


# --- recovery -------------------------------------------------------------------------------------------------------


@app.command()
def rebuild(name: Annotated[str, typer.Argument(metavar="SERVICE")], json: AsJson = False) -> None:
    """Write a service's read tables again from the facts, while everything runs."""
    from quittance.rebuild import again

    settings = installation.chosen()
    with progress(f"rebuilding {name}", settings.partitions) as told:
        done = do(again(settings, name, _steps(told)))
    print(as_json(done)) if json else show.rebuilt(done)


@app.command()
def refill(
    names: Annotated[list[str] | None, typer.Argument(help="Services whose topics are written anew; default all.")] = None,
    json: AsJson = False,
) -> None:
    """Write lost topics anew from the journals; all services must rest."""
    from quittance.refill import refill as write_anew

    with console.status("writing topics anew"):
        done = do(write_anew(installation.chosen(), names or list(DECLARED)))
    print(as_json(done)) if json else show.refilled(done)


@people_app.command("add")
def people_add(
    name: Annotated[str, typer.Argument(help="What they type to sign in.")],
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(ROLES)}.")],
    shown: Annotated[str, typer.Option(help="How pages call them; default the name.")] = "",
    team: Annotated[str, typer.Option()] = "home",
    portfolio: Annotated[list[str] | None, typer.Option(help="What they see; may be given often; default everything.")] = None,
    zone: Annotated[str, typer.Option(help="Of the times they are shown.")] = ZONE,
) -> None:
    """Add a person, or give one a new password, role and portfolios; the password is asked for, or read from standard input."""
    person = Person(name, shown or name, role, team, tuple(portfolio or ()), zone)
    asked = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline()
    do(folk.add(installation.chosen(), person, asked.rstrip("\n")))
    console.print(f"{name} may sign in as {role}")


@people_app.command("list")
def people_list(json: AsJson = False) -> None:
    """Who there is, in which role, and who may sign in no more."""
    found = do(folk.everybody(installation.chosen()))
    print(as_json([dict(row) for row in found])) if json else show.people(found)


@people_app.command("disable")
def people_disable(name: str) -> None:
    """Sign a person out everywhere, and let them in no more; `people add` lets them in again."""
    do(folk.disable(installation.chosen(), name))
    console.print(f"{name} may not sign in any more")


@journal_app.command("list")
def journal_list(name: Annotated[str, typer.Argument(metavar="SERVICE")], json: AsJson = False) -> None:
    """Ranges and archives of a service's journal."""
    found = do(archives.shown(installation.chosen(), name))
    print(as_json(found)) if json else show.journal(found)


@journal_app.command("archive")
def journal_archive(
    name: Annotated[str, typer.Argument(metavar="SERVICE")],
    to: Annotated[Path | None, typer.Option(help="A folder; default `archive` in the home.", file_okay=False)] = None,
    keep: Annotated[int, typer.Option(min=0, help="Full ranges that stay.")] = archives.KEPT_RANGES,
    json: AsJson = False,
) -> None:
    """Take full ranges out into a file that was read back, behind a checked snapshot."""
    done = do(archives.take_out(installation.chosen(), name, to, keep))
    print(as_json(done)) if json else show.taken_out(name, done)


@journal_app.command("attach")
def journal_attach(
    name: Annotated[str, typer.Argument(metavar="SERVICE")],
    number: Annotated[int | None, typer.Argument(help="One archive; default all.")] = None,
    json: AsJson = False,
) -> None:
    """Bring archived rows back into the journal; the next `archive` takes them out again."""
    done = do(archives.bring_back(installation.chosen(), name, number))
    print(as_json(done)) if json else show.brought_back(name, done)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context) -> None:
    """Measure; what follows goes to the bench itself."""
    if importlib.util.find_spec(BENCH) is None:
        raise Unusable(f"there is no {BENCH} in this checkout")
    raise typer.Exit(importlib.import_module(BENCH).main(context.args) or 0)


# --- parked ---------------------------------------------------------------------------------------------------------


@parked_app.command("list")
def parked_list(json: AsJson = False) -> None:
    """Parked groups of all services; exit code 1 when there are any."""
    found = do(parked.groups(installation.chosen()))
    print(as_json(found)) if json else show.parked_groups(found)
    raise typer.Exit(FAILED if found else 0)


@parked_app.command("show")
def parked_show(home: str, json: AsJson = False) -> None:
    """The messages of a parked group, in the order in which they wait."""
    found = do(parked.show(installation.chosen(), home))
    print(as_json(found)) if json else show.parked_messages(found)


@parked_app.command("repair")
def parked_repair(
    service: str, number: int, file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The mended envelope.")]
) -> None:
    """Replace the bytes of one parked command; then replay its group."""
    do(parked.repair(installation.chosen(), service, number, file))
    console.print(f"message {number} of {service} is repaired; now `quittance parked replay <its group>`")


@parked_app.command("replay")
def parked_replay(home: str) -> None:
    """Let the owner try a group's queue again, in order."""
    asked = do(parked.replay(installation.chosen(), home))
    console.print(f"{', '.join(asked)} will replay {escape(home)}; `quittance parked list` shows whether it went through")


# --- quarantine -----------------------------------------------------------------------------------------------------


@quarantine_app.command("list")
def quarantine_list(
    most: Annotated[int, typer.Option("--most", min=1, max=quarantine.SHOWN_MAX)] = 50, json: AsJson = False
) -> None:
    """What waits, oldest first."""
    count, found = do(quarantine.waiting(installation.chosen(), most))
    print(as_json({"total": count, "rows": found})) if json else show.quarantined(count, found)


@quarantine_app.command("show")
def quarantine_show(name: Annotated[str, typer.Argument(metavar="ID")], json: AsJson = False) -> None:
    """One row or message: its bytes, its place, every reason."""
    found = do(quarantine.show(installation.chosen(), name))
    print(as_json(found)) if json else show.kept(found)


@quarantine_app.command("repair")
def quarantine_repair(
    name: Annotated[str, typer.Argument(metavar="ID")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The mended row, without a header.")],
) -> None:
    """Put mended bytes beside the original; replay sends them."""
    do(quarantine.repair(installation.chosen(), name, file))
    console.print(f"row {escape(name)} is mended; now `quittance quarantine replay {escape(name)}`")


@quarantine_app.command("replay")
def quarantine_replay(name: Annotated[str, typer.Argument(metavar="ID")], json: AsJson = False) -> None:
    """Send a row, with the other rows of its document, or a body again; exit code 1 when some of it still cannot go on."""
    done = do(quarantine.replay(installation.chosen(), name))
    if json:
        print(as_json(done._asdict()))
    else:
        console.print(f"{done.sent} went on, {done.repeated} had come before, {done.withheld} still wait with their reasons")
    raise typer.Exit(FAILED if done.withheld else 0)


@quarantine_app.command("discard")
def quarantine_discard(
    name: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why it is not needed; it stays with the row.", prompt=True)],
) -> None:
    """Settle a row or message without sending it."""
    do(quarantine.discard(installation.chosen(), name, reason, os.environ.get("USER") or "somebody"))
    console.print(f"{escape(name)} is discarded: {escape(reason)}")


if __name__ == "__main__":
    main()
