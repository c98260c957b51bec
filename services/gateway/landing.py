"""A bank's or payer's file let in whole, in one transaction, or kept out whole with its reason (P3, P4).

Identities, mail, counts and what the file was withheld for before commit together; nothing of a refused file is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from contracts.envelope import encode_value
from contracts.forms import Fault
from contracts.message import Command, type_name
from contracts.payments import PostItem, TakeAdvice, TakeStatement, home_of_bank
from services.gateway import admission, directory, flows, withheld
from services.gateway.admission import Entrant
from services.gateway.bank.statement import Broken
from services.gateway.bankfile import KIND, Wished
from services.gateway.directory import Known
from services.gateway.sorting import COMMAND_BYTES_MAX, FileFlow

TOLD_MAX = 20
"""Faults of one file that are told: a list of unknown accounts as long as the file mends nothing."""


# --- let in ---------------------------------------------------------------------------------------------------------


async def let_in(
    connection: asyncpg.Connection, found: Sequence[Wished], entries: Mapping[str, Known], flow: FileFlow, partitions: int
) -> None:
    """Claim, send and count all of a file, inside the caller's transaction. Raises `Broken`; then nothing of it counts."""
    entrants = addressed(found, entries, flow)
    fresh, repeated = await _told_apart(connection, entrants, flow)
    await admission.send(connection, partitions, [entrants[n] for n in fresh], flow.id, flow.who)
    await connection.execute(
        """
        update flow set state = 'reading', failure = '', "rows" = $2::bigint + $3::bigint, accepted_rows = $2, repeated_rows = $3,
            quarantined_rows = 0, documents = $4, repeated_documents = $5, read_offset = bytes
        where id = $1
        """,
        flow.id,
        sum(found[n].rows for n in fresh),
        sum(found[n].rows for n in repeated),
        len(fresh),
        len(repeated),
    )
    await _settle(connection, flow)


def addressed(found: Sequence[Wished], entries: Mapping[str, Known], flow: FileFlow) -> list[Entrant]:
    """Each wish with its home. Pure. Raises `Broken` with every reason that keeps the file out."""
    faults = dict.fromkeys(fault for wished in found if (fault := _fault(wished.command, entries, flow)))
    if faults:
        told = "; ".join(list(faults)[:TOLD_MAX]) + (f"; and {len(faults) - TOLD_MAX} more" if len(faults) > TOLD_MAX else "")
        raise Broken("file", told, "mend this, then send the same file again")
    return [_entrant(wished.command, n, entries, flow) for n, wished in enumerate(found)]


def _fault(command: Command, entries: Mapping[str, Known], flow: FileFlow) -> str | None:
    if not flow.who.may_send(type(command)):
        return f"this credential may not send {type_name(type(command)).rsplit('.', 1)[0]}"
    if (size := len(encode_value(command))) > COMMAND_BYTES_MAX:
        return f"a document has {size} bytes, at most {COMMAND_BYTES_MAX} travel"
    match command:
        case TakeStatement() if flow.who.portfolios:
            return "a bank account is in no portfolio; this credential is for some portfolios only"
        case TakeAdvice() | PostItem():
            entry = entries.get(command.account)
            fault = directory.account_fault(entry, command.account, None, flow.who)
            if fault is None and entry is not None and entry.half_known:
                fault = directory.unknown(command.account)
            return fault.problem if fault else None
        case _:
            return None


def _entrant(command: Command, number: int, entries: Mapping[str, Known], flow: FileFlow) -> Entrant:
    """A statement has no identity here: the ledger knows its content, whichever file it comes in."""
    if isinstance(command, TakeStatement):
        home = home_of_bank(command.bank_account)
        return Entrant(command, home, (), b"", f"statement/{flow.id}/{number}", flow.as_of)
    identity = admission.identity_of(command)
    assert identity is not None and isinstance(command, TakeAdvice | PostItem)
    keys, name = (admission.key_of(*identity),), admission.name_of(identity, flow.id)
    return Entrant(command, entries[command.account].home, keys, admission.digest_of(command), name, flow.as_of)


async def _told_apart(connection: asyncpg.Connection, entrants: Sequence[Entrant], flow: FileFlow) -> tuple[list[int], list[int]]:
    """Positions of what is new, and of what came before with the same content. Raises `Broken` for other content."""
    first: dict[bytes, int] = {}
    for n, entrant in enumerate(entrants):
        for key in entrant.keys:
            first.setdefault(key, n)
    wanted = [(key, entrants[n].digest) for key, n in first.items()]
    met = await admission.claim(connection, wanted, flow.id) if wanted else {}
    stands = {key: entrants[n].digest for key, n in first.items()} | {key: before.digest for key, before in met.items()}
    other = [entrant for entrant in entrants for key in entrant.keys if stands[key] != entrant.digest]
    if other:
        named = ", ".join(_called(entrant.command) for entrant in other[:TOLD_MAX])
        raise Broken("file", f"came before with other content: {named}", "give what changed a number of its own")
    again = {n for n, entrant in enumerate(entrants) for key in entrant.keys if key in met or first[key] != n}
    return [n for n in range(len(entrants)) if n not in again], sorted(again)


def _called(command: Command) -> str:
    identity = admission.identity_of(command)
    return identity[1] if identity else type_name(type(command))


# --- kept out -------------------------------------------------------------------------------------------------------


async def keep_out(connection: asyncpg.Connection, flow: FileFlow, beginning: bytes, error: Broken) -> None:
    """Nothing of the file is sent: its state says why, its beginning is shown in quarantine, its bytes are stored whole."""
    faults = withheld.faults_json([Fault(error.where, error.reason, error.mend)])
    known = await connection.execute("update withheld set faults = $2 where flow = $1 and status = 'waiting'", flow.id, faults)
    if known.endswith(" 0"):
        raw = beginning[: withheld.RAW_BYTES_MAX]
        await withheld.keep_rows(connection, [withheld.Withheld(flow.id, flow.who.team, KIND, 0, "", raw, faults)])
    await connection.execute(
        """
        update flow set state = 'refused', failure = $2, finished_at = now(), "rows" = 1, accepted_rows = 0,
            repeated_rows = 0, quarantined_rows = 1 where id = $1
        """,
        flow.id,
        str(error)[:2000].replace("\0", "?"),
    )


async def _settle(connection: asyncpg.Connection, flow: FileFlow) -> None:
    """The file was withheld before, under this flow or, as an advice that did not say whose it is, under another one."""
    digest = await connection.fetchval("select digest from flow where id = $1", flow.id)
    nameless = flows.flow_id(flow.who.team, "file", KIND, digest.hex())
    settled = await connection.fetch(
        "update withheld set status = 'replayed', replayed_as = $2 where flow = any($1::text[]) and status = 'waiting' "
        "returning flow",
        [flow.id, nameless],
        flow.id,
    )
    if flow.id != nameless and settled:
        await connection.execute("update flow set accepted_rows = 1, quarantined_rows = 0 where id = $1", nameless)
