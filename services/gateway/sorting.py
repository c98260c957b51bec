"""Documents of a file sorted into sent on, repeated and withheld, in one transaction per slice.

The position in the file, the counts, the withheld rows and the mail commit together: a restart goes on
exactly where it was, and rows = accepted + repeated + withheld at every moment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from contracts.accounts import OpenAccount
from contracts.envelope import encode_value
from contracts.forms import Fault
from contracts.message import Command
from contracts.orders import PlaceOrder, RecordReturn
from contracts.payments import PostItem, TakePosting
from services.gateway import admission, directory, withheld
from services.gateway.admission import Entrant
from services.gateway.credentials import Credential
from services.gateway.directory import Known
from services.gateway.documents import Columns, Document, Held, hold, read

COMMAND_BYTES_MAX = 800_000
"""Larger documents are withheld before they meet the envelope's own bound, which leaves room for its attributes."""


class FileFlow(msgspec.Struct, frozen=True):
    """As much of a file's flow row as reading it needs."""

    id: str
    kind: str
    who: Credential
    feed: str
    as_of: dt.datetime


class Slice(NamedTuple):
    """Documents that are handled together, and where the file stands behind them."""

    documents: tuple[Document, ...]
    offset: int
    line: int
    oversized: str | None


class Candidate(NamedTuple):
    document: Document
    entrant: Entrant


class Sorted:
    """What becomes of each document of a slice."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.sent: list[Candidate] = []
        self.repeated: list[Document] = []
        self.held: list[tuple[Document, list[Held]]] = []

    def hold(self, document: Document, fault: Fault) -> None:
        self.held.append((document, hold(document, fault)))


def read_all(documents: Sequence[Document], columns: Columns, feed: str) -> list[tuple[Document, Command | list[Held]]]:
    return [(document, read(document, columns, feed)) for document in documents]


def accounts_named(results: Sequence[tuple[Document, Command | list[Held]]]) -> set[str]:
    names: set[str] = set()
    for _, result in results:
        match result:
            case OpenAccount():
                names |= {result.account, *([result.parent] if result.parent else [])}
            case PlaceOrder() | RecordReturn() | PostItem():
                names.add(result.account)
            case TakePosting():
                names |= {result.account, *admission.others_named(result)}
    return names


def sort(results: Sequence[tuple[Document, Command | list[Held]]], entries: dict[str, Known], flow: FileFlow) -> Sorted:
    """All that can be told without asking whether a document came before. Pure; `entries` gains what is opened."""
    found = Sorted()
    for document, result in results:
        if isinstance(result, list):
            found.held.append((document, result))
        elif (fault := _too_big(result)) or isinstance(where := _home(result, entries, flow.who), Fault):
            found.hold(document, fault or where)  # type: ignore[arg-type]
        else:
            found.candidates.append(Candidate(document, _entrant(result, where, document, flow)))
    return found


def _too_big(command: Command) -> Fault | None:
    size = len(encode_value(command))
    if size <= COMMAND_BYTES_MAX:
        return None
    return Fault("document", f"{size} bytes, at most {COMMAND_BYTES_MAX} travel in one message", "split the document")


def _home(command: Command, entries: dict[str, Known], who: Credential) -> str | Fault:
    if isinstance(command, OpenAccount):
        return _opening_home(command, entries, who)
    account: str = command.account  # type: ignore[attr-defined]
    entry = entries.get(account)
    fault = directory.account_fault(entry, account, admission.currency_of(command), who)
    for other in admission.others_named(command):
        fault = fault or directory.account_fault(entries.get(other), other, None, who)
    return fault or _ready(entry, command, account)


def _ready(entry: Known | None, command: Command, account: str) -> str | Fault:
    """The desk must know an account before its orders; the ledger takes an item of any account whose home is told."""
    if entry is None or entry.half_known or (not entry.at_desk and not isinstance(command, PostItem | TakePosting)):
        return directory.unknown(account)
    return entry.home


def _opening_home(command: OpenAccount, entries: dict[str, Known], who: Credential) -> str | Fault:
    home = directory.home_of(command, entries)
    if isinstance(home, Fault):
        return home
    if not who.sees(command.terms.portfolio):
        return Fault("portfolio", f"{command.terms.portfolio!r} is not one of yours", "correct it, or ask for it")
    entries.setdefault(command.account, Known(command.account, home, command.currency, command.terms.portfolio, False, None))
    return home


def _entrant(command: Command, home: str, document: Document, flow: FileFlow) -> Entrant:
    named = admission.identity_of(command)
    if named is None:  # an account: the same row may come again tomorrow, and must be sent again
        return Entrant(command, home, (), b"", f"row/{flow.id}/{document.rows[0].line}", flow.as_of)
    keys = (admission.key_of(*named),)
    return Entrant(command, home, keys, admission.digest_of(command), admission.name_of(named, flow.id), _at(command, flow))


def _at(command: Command, flow: FileFlow) -> dt.datetime:
    match command:
        case PlaceOrder():
            return command.placed.received_at
        case RecordReturn():
            return command.returned_at
        case _:
            return flow.as_of


# --- against what came before ---------------------------------------------------------------------------------------


async def admit(connection: asyncpg.Connection, found: Sorted, piece: Slice, flow: FileFlow, partitions: int) -> None:
    """Take the new documents in, count the repeated, withhold the contradicting, move the position: one transaction."""
    async with connection.transaction():
        await let_in(connection, found, flow, partitions)
        await withheld.keep_rows(connection, _rows_of(found, flow))
        await _move_on(connection, found, piece, flow)


async def let_in(connection: asyncpg.Connection, found: Sorted, flow: FileFlow, partitions: int) -> None:
    """Tell the candidates that are new from those that came before, and hand the new ones on."""
    await _sort_out_known(connection, found, flow)
    entrants = [candidate.entrant for candidate in found.sent]
    if openings := admission.openings(entrants):
        await directory.ask_for(connection, openings)
    await admission.send(connection, partitions, entrants, flow.id, flow.who)


async def _sort_out_known(connection: asyncpg.Connection, found: Sorted, flow: FileFlow) -> None:
    fresh: dict[bytes, bytes] = {}
    for candidate in found.candidates:
        for key in candidate.entrant.keys:
            fresh.setdefault(key, candidate.entrant.digest)
    met = await admission.claim(connection, list(fresh.items()), flow.id) if fresh else {}
    taken: set[bytes] = set()
    for document, entrant in found.candidates:
        key = entrant.keys[0] if entrant.keys else b""
        before = met[key].digest if key in met else fresh.get(key) if key in taken else None
        taken.add(key)
        if before is None or not key:
            found.sent.append(Candidate(document, entrant))
        elif before == entrant.digest:
            found.repeated.append(document)
        else:
            found.hold(document, contradiction(document.reference, met[key].flow if key in met else flow.id))


def contradiction(reference: str, flow: str) -> Fault:
    problem = f"{reference!r} came before with other content (flow {flow})"
    return Fault("reference", problem, "give it a reference of its own, or send a change of the order")


def _rows_of(found: Sorted, flow: FileFlow) -> list[withheld.Withheld]:
    return [
        withheld.of_row(flow.id, flow.who.team, flow.kind, document.reference, row)
        for document, rows in found.held
        for row in rows
    ]


async def _move_on(connection: asyncpg.Connection, found: Sorted, piece: Slice, flow: FileFlow) -> None:
    accepted = sum(len(candidate.document.rows) for candidate in found.sent)
    repeated = sum(len(document.rows) for document in found.repeated)
    held = sum(len(rows) for _, rows in found.held)
    await connection.execute(
        """
        update flow set state = 'reading', read_offset = $2, read_line = $3, oversized = $4,
            "rows" = "rows" + $5 + $6 + $7, accepted_rows = accepted_rows + $5, repeated_rows = repeated_rows + $6,
            quarantined_rows = quarantined_rows + $7,
            documents = documents + $8, repeated_documents = repeated_documents + $9
        where id = $1
        """,
        flow.id,
        piece.offset,
        piece.line,
        piece.oversized,
        accepted,
        repeated,
        held,
        len(found.sent),
        len(found.repeated),
    )


def owner_of(row: asyncpg.Record) -> Credential:
    """Who sent a stored flow."""
    return Credential("", row["team"], row["actor"], row["role"], row["feed"], tuple(row["types"]), tuple(row["portfolios"]))
