"""What waits in every service for somebody to mend it: parked groups and what stands in quarantine, each with what mends it
(V5, G2, guarantee 4).

Services are asked while somebody looks, and say names, reasons and times, never a body; nobody's database is looked into but
the console's own. A message is mended where it is kept: the command stands beside it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import asyncpg
import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console import auditing, guarding, ops, pages, probing, wishes
from services.console.people import Person
from services.console.probing import ANSWER_S_MAX, Place
from shared import parking
from shared.stuck import Group, Kept, Stuck, stuck

MENDING = ("ops", "director")
"""Who is shown how to mend what waits, and may have the console's own groups replayed."""
ANSWER_BYTES_MAX = 1_000_000
"""Far above two hundred entries with their longest reasons."""
OURS, GATEWAY = "console", "gateway"
HOME_MAX = 64


class Told(NamedTuple):
    """What a service said; `problem` says why there is nothing, and then `found` is empty."""

    service: str
    found: Stuck
    problem: str = ""


class Last(NamedTuple):
    """The counts that a service's metrics told last, and when: all that is known of one that does not answer."""

    groups: int
    kept: int
    seen_at: dt.datetime | None


class Shown(NamedTuple):
    """A service as one person sees it. `hidden`: entries of portfolios they do not see; `cut`: those beyond what was told."""

    service: str
    problem: str
    last: Last | None
    groups: list[tuple[Group, list[str]]]
    kept: list[tuple[Kept, list[str]]]
    hidden: int
    cut: int

    @property
    def kept_count(self) -> int:
        return _count(each for each, _ in self.kept)

    @property
    def is_empty(self) -> bool:
        return not (self.problem or self.groups or self.kept or self.hidden or self.cut)


# --- asking ---------------------------------------------------------------------------------------------------------


async def ask_all(client: httpx.AsyncClient, wanted: Iterable[Place], token: str, who: Mapping[str, str]) -> list[Told]:
    """Every service once, all at the same time. Its instances share a database, so the first that answers speaks for it."""
    services: dict[str, list[Place]] = {}
    for place in wanted:
        services.setdefault(place.service, []).append(place)
    asked = (_ask(client, name, places, _credential(name, token, who)) for name, places in services.items() if name != OURS)
    return list(await asyncio.gather(*asked))


def _credential(service: str, token: str, who: Mapping[str, str]) -> Mapping[str, str]:
    """The gateway is reached from outside, so it answers the console's credential only; nobody else is shown it."""
    return {**who, "Authorization": f"Bearer {token}"} if service == GATEWAY else {}


async def _ask(client: httpx.AsyncClient, service: str, places: Sequence[Place], headers: Mapping[str, str]) -> Told:
    problem = "does not answer"
    for _, address in sorted({each for place in places for each in await probing.addresses(place)}):
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                answer = await client.get(f"http://{address}/parkedz", headers=dict(headers))
            return Told(service, _read(answer))
        except _Unusable as error:
            problem = str(error)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            problem = f"does not answer ({type(error).__name__})"
    return Told(service, Stuck(), problem)


class _Unusable(Exception):
    """An answer that tells nothing."""


def _read(answer: httpx.Response) -> Stuck:
    if answer.status_code != 200 or len(answer.content) > ANSWER_BYTES_MAX:
        raise _Unusable(f"/parkedz answered {answer.status_code}, {len(answer.content)} bytes")
    try:
        return msgspec.json.decode(answer.content, type=Stuck)
    except msgspec.MsgspecError as error:
        raise _Unusable(f"/parkedz cannot be read: {error}"[:200]) from error


# --- what a person sees ---------------------------------------------------------------------------------------------


def seen_by(told: Told, homes: Collection[str] | None, last: Last | None, may_mend: bool) -> Shown:
    """`homes`: the groups in which the person sees an account; None is all. Bytes that nobody could read may be of anybody's
    account, so they are shown to people who see all."""
    found = told.found
    groups = [group for group in found.groups if homes is None or group.home in homes]
    kept = list(found.kept) if homes is None else []
    return Shown(
        service=told.service,
        problem=told.problem,
        last=last if told.problem else None,
        groups=[(group, of_group(told.service, group) if may_mend else []) for group in groups],
        kept=[(each, of_kept(told.service, each) if may_mend else []) for each in kept],
        hidden=len(found.groups) - len(groups) + _count(found.kept) - _count(kept),
        cut=max(found.groups_total + found.kept_total - len(found.groups) - _count(found.kept), 0),
    )


def _count(kept: Iterable[Kept]) -> int:
    """Rows and bodies, with the lines that wait for them."""
    return sum(1 + each.more for each in kept)


def of_group(service: str, group: Group) -> list[str]:
    """The commands that mend a parked group, in order. A fact of another service is mended there, so here it is only replayed."""
    home = _argument(group.home)
    is_ours_to_change = group.first_n is not None and group.first_topic.endswith(".commands")
    repair = [f"quittance parked repair {service} {group.first_n} FILE"] if is_ours_to_change else []
    return [f"quittance parked show {home}", *repair, f"quittance parked replay {home}"]


def of_kept(service: str, kept: Kept) -> list[str]:
    """Rows and bodies at the gateway are mended and sent again; bytes on a topic are mended at their writer, and settled here."""
    name = _argument(kept.id)
    show = f"quittance quarantine show {name}"
    if service == GATEWAY and kept.id.isdecimal():
        return [show, f"quittance quarantine repair {name} FILE", f"quittance quarantine replay {name}"]
    return [show, f"quittance quarantine discard {name}"]


def _argument(text: str) -> str:
    return f"-- {shlex.quote(text)}" if text.startswith("-") else shlex.quote(text)


async def homes_seen(pool: asyncpg.Pool | asyncpg.Connection, who: Person, homes: Collection[str]) -> set[str] | None:
    """Those groups of which this person sees an account; None when they see all. Index: accounts_home."""
    if not who.portfolios:
        return None
    rows = await pool.fetch(
        "select distinct home from accounts where home = any($1::text[]) and portfolio = any($2::text[])",
        list(homes),
        list(who.portfolios),
    )
    return {row["home"] for row in rows}


# --- the page -------------------------------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    pool, settings = request.app.state.pool, request.app.state.settings
    places = probing.places(settings.instances)
    asked = ask_all(request.app.state.probes, places, wishes.token(settings), wishes.in_the_name_of(who))
    told = sorted([Told(OURS, await stuck(pool)), *await asked])
    homes = await homes_seen(pool, who, {group.home for each in told for group in each.found.groups})
    lasts = {row.name: _last(row) for row in ops.services(await probing.instances(pool))}
    may_mend = who.role in MENDING
    shown = [seen_by(each, homes, lasts.get(each.service), may_mend) for each in told]
    return pages.render(
        request, "parked.html", shown=shown, may_mend=may_mend, ours=OURS, asked_at=dt.datetime.now(dt.UTC), asked=bool(places)
    )


def _last(row: ops.Row) -> Last:
    """The instances' own figures, also of those that are silent: the counts are of the whole service's partitions."""
    figures = [each.figures for each in row.instances]
    return Last(
        int(sum(each["parked_groups"] for each in figures)), int(sum(each["quarantine"] for each in figures)), row.seen_at
    )


async def replay(request: Request) -> Response:
    """Try a parked group of the console itself again; those of other services are replayed by the command line."""
    who = guarding.require(request, *MENDING)
    home = str((await request.form()).get("home", ""))[:HOME_MAX]
    async with request.app.state.pool.acquire() as connection:
        found = await parking.replay(connection, home)
    await auditing.note(request, "group replayed" if found else "no such group parked", who, home)
    return RedirectResponse(f"/ops/parked#{OURS}", 303)


ROUTES = [Route("/ops/parked", show), Route("/ops/parked/replay", replay, methods=["POST"])]
