"""Who hears whom in the rig, and whether they have heard it: at a fault's end, and when all should be at rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from quittance.readers import Desks, Link
from tests.faults.chaos.crew import CREW, NAMES, member_of
from tests.faults.chaos.site import Site

POLL_S = 0.05
RECOVER_S_MAX = 120.0
"""Longer than any takeover, and half of it is already a failure to look at."""
REST_S_MAX = 300.0
UNANSWERED = "select count(*) from wish where outcome is null"
OVERDUE = "select count(*) from timer where due <= now()"
DECIDED = "select coalesce(sum(ordinal), 0) from progress"
TAKEN_IN = "select coalesce(sum(value::bigint), 0)::bigint from reading, jsonb_each_text(seen)"
"""The same of a service that only looks: its ordinals never move."""
LAST_MAIL = "select coalesce(max(n), 0) from mailbox"
MAIL_UNTIL = "select count(*) from mailbox where n <= $1"


def links() -> list[Link]:
    """Every pair of a service that speaks on a topic and one that hears it, of those in the rig."""
    return [Link(speaker, topic, member.name) for member in CREW for topic in member.hears() for speaker in speakers_of(topic)]


def speakers_of(topic: str) -> list[str]:
    """Facts are said by their service alone; commands by the gateway and the service itself."""
    owner = topic.removesuffix(".commands")
    if owner not in NAMES:
        return []
    return [owner] if owner == topic else [*(member.name for member in CREW if member.door), owner]


class Recovered(NamedTuple):
    """Seconds from the end of a fault until every service it touched had decided something new, and until all that
    waited by then was handled."""

    decided_s: float
    caught_up_s: float


class NotRecovered(Exception):
    """A fault is over and something still does not move."""


class Waiting:
    """What waited before some services at one moment."""

    def __init__(self, site: Site, services: tuple[str, ...]) -> None:
        self._site, self._services = site, services
        self._desks = Desks(site.settings, site.desks)

    async def note(self) -> None:
        mine = [link for link in links() if link.listener in self._services]
        self._said = {link: await self._desks.crossing(link.speaker, link.topic) for link in mine}
        self._mail = {name: await self._site.desks[name].fetchval(LAST_MAIL) for name in self._services}
        self._moved = {name: await self._site.desks[name].fetchval(_moves(name)) for name in self._services}

    async def undecided(self) -> list[str]:
        now = {name: await self._site.desks[name].fetchval(_moves(name)) for name in self._services}
        return [name for name in self._services if now[name] <= self._moved[name]]

    async def unhandled(self) -> list[str]:
        found = []
        for link, said in self._said.items():
            heard = await self._desks.heard(link.listener, link.topic, link.speaker)
            if any(heard[lane] < last for lane, last in said.items()):
                found.append(f"{link.listener} behind {link.speaker} on {link.topic}")
        for name, last in self._mail.items():
            if waiting := await self._site.desks[name].fetchval(MAIL_UNTIL, last):
                found.append(f"{waiting} in the mailbox of {name}")
        return found


def _moves(name: str) -> str:
    return TAKEN_IN if member_of(name).looks_only else DECIDED


async def recovery(site: Site, services: tuple[str, ...], lifted: float) -> Recovered:
    """Wait for it. Raises `NotRecovered`."""
    waiting = Waiting(site, services)
    await waiting.note()
    decided_s = await _until_none(waiting.undecided, lifted, "nothing new was decided by")
    await waiting.note()  # what has come in meanwhile waits as well
    return Recovered(decided_s, await _until_none(waiting.unhandled, lifted, "not handled:"))


async def _until_none(left: Callable[[], Awaitable[list[str]]], since: float, told: str) -> float:
    while found := await left():
        if time.monotonic() - since > RECOVER_S_MAX:
            raise NotRecovered(f"after {RECOVER_S_MAX:.0f} s {told} {', '.join(found)}")
        await asyncio.sleep(POLL_S)
    return round(time.monotonic() - since, 2)


async def rest(site: Site) -> list[str]:
    """Wait until nothing is under way; returns what still is when the time is over."""
    deadline = time.monotonic() + REST_S_MAX
    while (moving := await _moving(site)) and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S * 10)
    return moving


async def _moving(site: Site) -> list[str]:
    desks = Desks(site.settings, site.desks)
    found = []
    for name in NAMES:
        if mail := await desks.mail(name):
            found.append(f"{mail} in the mailbox of {name}")
        if overdue := await site.desks[name].fetchval(OVERDUE):
            found.append(f"{overdue} timers of {name} are due")
    for link in links():
        if behind := await desks.behind(link):
            found.append(f"{link.listener} has not heard {behind} messages of {link.speaker} on {link.topic}")
    for member in CREW:
        if member.door and (unanswered := await site.desks[member.name].fetchval(UNANSWERED)):
            found.append(f"{unanswered} commands of {member.name} have no outcome")
    return found
