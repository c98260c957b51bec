"""One request, a few commands: checked against the index, let in once, and handed on in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

import asyncpg
import msgspec

from contracts.accounts import PEOPLE, AppointDeputy, EndDeputy, OpenAccount
from contracts.envelope import derived_id, encode_value
from contracts.forms import Fault, Faulty
from contracts.message import Command, type_name
from contracts.orders import PlaceOrder, RecordReturn
from contracts.payments import (
    ClosePeriod,
    MakePaymentFile,
    RecogniseCash,
    SetAsideEntry,
    StopRefund,
    TakeEntry,
    TakeStatement,
    home_of_bank,
)
from services.gateway import admission, directory, flows
from services.gateway.admission import Entrant
from services.gateway.bodies import Wish
from services.gateway.credentials import Credential
from services.gateway.directory import Known
from services.gateway.problems import Problem, forbidden, only_reads
from services.gateway.sorting import COMMAND_BYTES_MAX

UNDATED = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
OPENING_RETRY_S = 1


class Admitted(NamedTuple):
    """The flow a request ended in; `again` when it was an earlier one."""

    flow: str
    again: bool = False


def digest_of(wish: Wish) -> bytes:
    """The content as its sender gave it: a time that we filled in is no part of it."""
    command = wish.command
    if isinstance(command, PlaceOrder) and not wish.dated:
        undated = msgspec.structs.replace(command.placed, received_at=UNDATED)
        command = msgspec.structs.replace(command, placed=undated)
    return admission.digest_of(command)


def check_allowed(command: Command, who: Credential) -> None:
    """Raises `Problem` 403 when the credential may not send this."""
    if who.only_reads:
        raise only_reads(who.role)
    if not who.may_send(type(command)):
        name = type_name(type(command)).rsplit(".", 1)[0]
        raise forbidden(f"this credential may not send {name}", "ask for the message type, or use another credential")
    named = admission.document_of(command)
    if named is not None and not who.may_name(named):
        raise forbidden(f"this credential numbers documents as {who.feed}/…, not {named!r}", "correct the order's name")


class Addressed(NamedTuple):
    """Where a command goes, and the command with what only the gateway knows filled in."""

    home: str
    command: Command


async def addressed(connection: asyncpg.Connection | asyncpg.Pool, command: Command, who: Credential) -> Addressed:
    """The home of what this is about. Raises `Faulty`, `Problem` 403, or 503 while the account is being opened."""
    size = len(encode_value(command))
    if size > COMMAND_BYTES_MAX:
        raise Faulty(Fault("", f"the command has {size} bytes, at most {COMMAND_BYTES_MAX} travel", "split it"))
    match command:
        case OpenAccount():
            return Addressed(await _opening_home(connection, command, who), command)
        case AppointDeputy() | EndDeputy():
            return Addressed(PEOPLE, command)
        case ClosePeriod():
            check_sees_all(who)
            return Addressed(command.account, command)
        case TakeStatement() | SetAsideEntry() | TakeEntry() | MakePaymentFile() | StopRefund():
            check_sees_all(who)
            return Addressed(home_of_bank(command.bank_account), command)
        case RecogniseCash():
            check_sees_all(who)
            home = await _home_of_account(connection, command.account or "", command, who)
            return Addressed(home_of_bank(command.bank_account), msgspec.structs.replace(command, account_home=home))
    for account in admission.others_named(command):
        await _home_of_account(connection, account, command, who)
    return Addressed(await _home_of_account(connection, command.account, command, who), command)  # type: ignore[attr-defined]


def check_sees_all(who: Credential) -> None:
    """Money that has no account yet, and the ledger as a whole, are in no portfolio. Raises `Problem` 403."""
    if who.portfolios:
        what = "what is in no account yet is for credentials of all portfolios; this one has some only"
        raise forbidden(what, "use a credential without portfolios")


async def _home_of_account(connection: asyncpg.Connection | asyncpg.Pool, account: str, command: Command, who: Credential) -> str:
    entry = (await directory.known(connection, [account])).get(account)
    if fault := directory.account_fault(entry, account, admission.currency_of(command), who):
        raise Faulty(fault)
    assert entry is not None
    _check_ready(entry, command)
    return entry.home


def _check_ready(entry: Known, command: Command) -> None:
    """Its home is told by its opening, and the desk must know it before its orders."""
    if entry.half_known or (isinstance(command, PlaceOrder | RecordReturn) and not entry.at_desk):
        detail = f"account {entry.account!r} is being opened; send again in a moment"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(OPENING_RETRY_S)})


async def _opening_home(connection: asyncpg.Connection | asyncpg.Pool, command: OpenAccount, who: Credential) -> str:
    names = [command.account, *([command.parent] if command.parent else [])]
    home = directory.home_of(command, await directory.known(connection, names))
    if isinstance(home, Fault):
        raise Faulty(home)
    if not who.sees(command.terms.portfolio):
        raise Faulty(Fault("terms.portfolio", f"{command.terms.portfolio!r} is not one of yours", "ask for the portfolio"))
    return home


# --- one command ----------------------------------------------------------------------------------------------------


async def admit_one(
    pool: asyncpg.Pool,
    wish: Wish,
    kind: str,
    client_key: str | None,
    who: Credential,
    partitions: int,
    now: dt.datetime,
) -> Admitted:
    """Let one command in. Raises `Problem` 409 when its identity came before with other content."""
    check_allowed(wish.command, who)
    async with pool.acquire() as connection:
        where = await addressed(connection, wish.command, who)
        entrant, flow = _entrant(wish, where, kind, client_key, who)
        try:
            async with connection.transaction():
                await _let_in(connection, entrant, flow, kind, who, partitions, now)
            return Admitted(flow)
        except _MetBefore as met:
            return Admitted(met.flow, again=True)


class _MetBefore(Exception):
    def __init__(self, flow: str) -> None:
        super().__init__(flow)
        self.flow = flow


def _entrant(wish: Wish, where: Addressed, kind: str, client_key: str | None, who: Credential) -> tuple[Entrant, str]:
    """Its identities: the document itself, and the sender's own key for the request or event."""
    named = admission.identity_of(wish.command)
    own = client_key if client_key is not None else wish.key
    identity = (kind, own) if kind == "event" or client_key is not None else named or (admission.DOCUMENT, own)
    flow = flows.flow_id(who.team, *identity)
    keys = [admission.key_of("sender", who.team, *identity)]
    if named is not None:
        keys.append(admission.key_of(*named))
    name = admission.name_of(named, flow) if named is not None else f"sender/{who.team}/{'/'.join(identity)}"
    return Entrant(where.command, where.home, tuple(keys), digest_of(wish), name, wish.at), flow


async def _let_in(
    connection: asyncpg.Connection,
    entrant: Entrant,
    flow: str,
    kind: str,
    who: Credential,
    partitions: int,
    now: dt.datetime,
) -> None:
    met = await admission.claim(connection, [(key, entrant.digest) for key in entrant.keys], flow)
    for before in met.values():
        if before.digest != entrant.digest:
            raise conflict(entrant, before.flow)
    for before in met.values():
        raise _MetBefore(before.flow)
    await flows.open_flow(connection, flow, who, kind, entrant.digest, len(encode_value(entrant.command)), now)
    await _hand_on(connection, [entrant], flow, who, partitions)


async def _hand_on(
    connection: asyncpg.Connection, let_in: Sequence[Entrant], flow: str, who: Credential, partitions: int
) -> None:
    entrants = [each for entrant in let_in for each in admission.told_to_all(entrant, partitions)]
    await flows.note_wishes(connection, [_noted(entrant, flow) for entrant in entrants])
    if openings := admission.openings(entrants):
        await directory.ask_for(connection, openings)
    await admission.send(connection, partitions, entrants, flow, who)


def _noted(entrant: Entrant, flow: str) -> tuple[str, str, str, str]:
    named = admission.identity_of(entrant.command)
    subject = named[1] if named else getattr(entrant.command, "order", None) or entrant.home
    return admission.sent_id(entrant.name), flow, type_name(type(entrant.command)), subject


def conflict(entrant: Entrant, flow: str) -> Problem:
    identity = admission.identity_of(entrant.command)
    named = identity[1] if identity else "this identity"
    fault = Fault("reference", f"{named} came before with other content", "use an identity of its own, or send a change")
    return Problem(
        HTTPStatus.CONFLICT, f"{named} came before with other content, in flow {flow}", [fault], links=flows.links(flow)
    )


# --- many events ----------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One line of a batch: its bytes, and the wish in it or what is wrong."""

    number: int
    raw: bytes
    wish: Wish | None
    faults: tuple[Fault, ...] = ()


class Batched(NamedTuple):
    accepted: int
    repeated: int
    bad: list[Line]


async def admit_batch(
    pool: asyncpg.Pool,
    lines: Sequence[Line],
    flow: str,
    digest: bytes,
    size: int,
    who: Credential,
    partitions: int,
    now: dt.datetime,
) -> Batched:
    """Let in what can go on, count what came before, return what cannot. One transaction for all."""
    async with pool.acquire() as connection, connection.transaction():
        checked = [await _checked(connection, line, who) for line in lines]
        bad = [line for line, _ in checked if line.faults]
        entrants = [(line, entrant) for line, entrant in checked if entrant is not None]
        fresh, repeated, contradicting = await _sorted_out(connection, entrants, flow)
        await flows.open_flow(connection, flow, who, "batch", digest, size, now)
        if fresh:
            await _hand_on(connection, fresh, flow, who, partitions)
    return Batched(len(fresh), repeated, sorted([*bad, *contradicting]))


async def _checked(connection: asyncpg.Connection, line: Line, who: Credential) -> tuple[Line, Entrant | None]:
    if line.wish is None:
        return line, None
    try:
        check_allowed(line.wish.command, who)
        where = await addressed(connection, line.wish.command, who)
    except Faulty as error:
        return line._replace(faults=error.faults), None
    except Problem as problem:
        return line._replace(faults=problem.errors or (Fault("account", problem.detail, "send it again"),)), None
    entrant = _entrant(line.wish, where, "event", None, who)[0]
    if openings := admission.openings([entrant]):
        await directory.ask_for(connection, openings)  # at once, so that its children in later lines find it
    return line, entrant


async def _sorted_out(
    connection: asyncpg.Connection, entrants: Sequence[tuple[Line, Entrant]], flow: str
) -> tuple[list[Entrant], int, list[Line]]:
    wanted: dict[bytes, bytes] = {}
    for _, entrant in entrants:
        for key in entrant.keys:
            wanted.setdefault(key, entrant.digest)
    met = await admission.claim(connection, list(wanted.items()), flow) if wanted else {}
    fresh: list[Entrant] = []
    repeated = 0
    bad: list[Line] = []
    taken: dict[bytes, bytes] = {key: before.digest for key, before in met.items()}
    for line, entrant in entrants:
        befores = [taken[key] for key in entrant.keys if key in taken]
        if not all(before == entrant.digest for before in befores):
            bad.append(line._replace(faults=conflict(entrant, flow).errors))
            continue
        taken |= dict.fromkeys(entrant.keys, entrant.digest)
        if befores:
            repeated += 1
        else:
            fresh.append(entrant)
    await admission.release(connection, set(wanted) - set(taken))
    return fresh, repeated, bad


def batch_flow(who: Credential, digest: bytes) -> str:
    return derived_id("flow", who.team, "batch", digest.hex())
