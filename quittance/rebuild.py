"""`quittance rebuild`: a service's read tables are written again, while all others go on.

Rows that are decided on come from the service's own journal. What a service projects from the facts of others (the gateway's
index of accounts, held orders and how each command ended; all that the console's pages read) comes from the topics, up to where
the service has read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import asyncpg
import msgspec

from contracts.envelope import Envelope
from quittance.cast import service_of
from quittance.facts import reading
from quittance.installation import Unusable
from quittance.readers import connected
from shared import database, rebuild
from shared.arrivals import Arrivals
from shared.refold import JournalGap
from shared.service import Project, Service
from shared.settings import Settings

AT_ONCE = 2_000
"""Facts projected by one statement per table."""
SCRATCH = "rebuilding"
"""Schema in which the projections grow beside those that are in use."""
PROJECTED: dict[str, tuple[str, ...]] = {
    "gateway": ("account", "held", "tally", "wish"),
    "console": (
        "orders", "accounts", "account_days", "debts", "desk_days", "book", "stop_turns", "requests", "items", "entries",
        "deals", "deal_uses", "covers", "said", "policies", "tally", "tally_waiting", "tally_lane", "receipts", "bank_entries",
        "receipt_facts", "ledger_items", "ledger_lines", "ledger_disputes", "ledger_sales",
        "payouts", "outgoing", "payment_files", "bank_details", "offsets", "card_payments", "erp_requests",
        "statements_issued",
    ),
}  # fmt: skip
"""The tables of a service that follow from facts: of the gateway's wholly or in part, of the console's wholly."""
FREE_S_MAX, FREE_LOOK_S = 10.0, 0.02
"""How long the exchange waits for a moment in which no page reads, and how often it looks."""


class Rebuilt(msgspec.Struct, frozen=True):
    """`mended` rows were not what the facts say; `facts` were projected."""

    service: str
    mended: int
    facts: int
    seconds: float


async def again(settings: Settings, name: str, told: Callable[[int], None] = lambda _: None) -> Rebuilt:
    service, began = service_of(name), time.monotonic()
    await database.prepare(settings, name, service.schema)
    connection = await connected(settings, name)
    mended = facts = 0
    try:
        await connection.execute("set statement_timeout = 0")
        for partition in range(settings.partitions):
            mended += await rebuild.rebuild(connection, service, partition)
            told(partition + 1)
        await rebuild.note_rows(connection, service)
        if service.projects is not None:
            facts = await _projected(settings, connection, service, service.projects)
    except JournalGap as error:
        raise Unusable(f"{error}; or it is archived: `quittance journal attach {name}`") from error
    finally:
        connection.terminate()
    return Rebuilt(name, mended, facts, round(time.monotonic() - began, 3))


# --- what follows from the facts of others --------------------------------------------------------------------------


Seen = dict[tuple[str, int, str], int]
"""(topic, partition, writer) → the last sequence that the service has taken."""


async def _projected(settings: Settings, connection: asyncpg.Connection, service: Service, project: Project) -> int:
    """Project all facts once beside the tables in use, then the newest of them and the exchange under the locks of all leases."""
    await _scratch(connection, service)
    heard = Arrivals(service, settings.partitions).topics()
    done: Seen = {}
    count = await _project_until(settings, connection, service, project, heard, done, await _seen(connection))
    async with connection.transaction():
        await connection.fetch("select epoch from lease order by partition for update")
        count += await _project_until(settings, connection, service, project, heard, done, await _seen(connection))
        await _require_nothing_parked(connection, service)
        await (_exchange(connection) if service.name == "gateway" else _swap(connection, service))
    await connection.execute(f"drop schema {SCRATCH} cascade")
    return count


async def _scratch(connection: asyncpg.Connection, service: Service) -> None:
    """The service's own schema once more, so that tables and indexes that take the place of others have their names."""
    await connection.execute(f"drop schema if exists {SCRATCH} cascade")
    await connection.execute(f"create schema {SCRATCH}")
    await connection.execute(f"set search_path = {SCRATCH}")
    await connection.execute(service.schema.read_text())
    await connection.execute("set search_path = public")
    made = await connection.fetch("select tablename from pg_tables where schemaname = $1", SCRATCH)
    if others := [f'{SCRATCH}."{name}"' for (name,) in made if name not in PROJECTED[service.name]]:
        await connection.execute(f"drop table {', '.join(others)} cascade")
    if service.name == "gateway":
        await connection.execute(f"insert into {SCRATCH}.wish (id, flow, type, subject) select id, flow, type, subject from wish")


async def _require_nothing_parked(connection: asyncpg.Connection, service: Service) -> None:
    """What is parked was read, so it is projected here; projected again when it is repaired, it would count twice."""
    if parked := await connection.fetchval("select count(*) from parked"):
        raise Unusable(f"{service.name} has {parked} parked messages: repair them first (`quittance parked`), then rebuild")


async def _seen(connection: asyncpg.Connection) -> Seen:
    rows = await connection.fetch("select partition, topic, seen from reading")
    return {
        (row["topic"], row["partition"], source): sequence
        for row in rows
        for source, sequence in msgspec.json.decode(row["seen"], type=dict[str, int]).items()
    }


async def _project_until(
    settings: Settings,
    connection: asyncpg.Connection,
    service: Service,
    project: Project,
    topics: list[str],
    done: Seen,
    until: Seen,
) -> int:
    """Project what lies behind `done` up to `until`; `done` moves on."""
    if all(done.get(place, 0) >= last for place, last in until.items()):
        return 0
    count, facts = 0, list[Envelope]()
    async with reading(settings, topics) as reader:
        async for said in reader.until(await reader.ends()):
            envelope = said.envelope
            place, sequence = (*said.place, envelope.source), int(envelope.sequence)
            if not done.get(place, 0) < sequence <= until.get(place, 0):
                continue
            done[place] = sequence
            if type(envelope.data) in service.hears:
                facts.append(envelope)
            if len(facts) >= AT_ONCE:
                count, facts = count + await _project(connection, project, facts), []
    return count + await _project(connection, project, facts)


async def _project(connection: asyncpg.Connection, project: Project, facts: list[Envelope]) -> int:
    if facts:
        async with connection.transaction():
            await connection.execute(f"set local search_path = {SCRATCH}, public")
            await project(connection, facts)
            await connection.execute("set local search_path = public")
    return len(facts)


async def _exchange(connection: asyncpg.Connection) -> None:
    """Readers see the old rows or the new ones. What no fact tells (asked_at, who sent a command) stays as it is."""
    await connection.execute(
        f"""
        delete from held;
        insert into held select * from {SCRATCH}.held;
        delete from tally;
        insert into tally select * from {SCRATCH}.tally;
        update wish set outcome = again.outcome, answer = again.answer,
            answered_at = coalesce(wish.answered_at, again.answered_at)
        from {SCRATCH}.wish as again where wish.id = again.id and again.outcome is not null;
        delete from account where asked_at is null and account not in (select account from {SCRATCH}.account);
        insert into account select * from {SCRATCH}.account
        on conflict (account) do update set home = excluded.home, currency = excluded.currency, name = excluded.name,
            portfolio = excluded.portfolio, at_desk = excluded.at_desk;
        """
    )


async def _swap(connection: asyncpg.Connection, service: Service) -> None:
    """The new tables in place of the old ones: at once, however many facts they keep."""
    await _lock(connection, service)
    for table in PROJECTED[service.name]:
        await connection.execute(f"drop table public.{table}")
        await connection.execute(f"alter table {SCRATCH}.{table} set schema public")


async def _lock(connection: asyncpg.Connection, service: Service) -> None:
    """All tables or none: who holds some and waits for one may meet a page that holds that one and waits for them."""
    tables = ", ".join(f"public.{table}" for table in PROJECTED[service.name])
    deadline = time.monotonic() + FREE_S_MAX
    while time.monotonic() < deadline:
        try:
            async with connection.transaction():
                await connection.execute(f"lock table {tables} in access exclusive mode nowait")
            return
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(FREE_LOOK_S)
    raise Unusable(f"{service.name} was read all the time: nothing was changed, try again")
