"""The stream of events: at least once, through whatever fails. Each batch is sent again until there is an answer to it.

What was answered is remembered in the order in which it was sent, for the audit: it is exactly what must have come through.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import random
import secrets
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import msgspec

from contracts.envelope import derived_id, encode_value
from contracts.message import topic_of, type_name
from contracts.orders import OrderRecalled, OrderReleased
from services.gateway import credentials
from shared import mailbox
from shared.journal import OWN
from tests.faults.chaos.looking import Desk
from tests.faults.chaos.said import Body, body_of, data_of
from tests.faults.chaos.site import Site
from tests.faults.chaos.trade import Event, Mail, Released, Trade, home_of

LANES = 2
"""Senders side by side; all that concerns one account goes through one of them, so it is sent in one order."""
BATCH = 60
"""Events of one request."""
ANSWER_S_MAX = 20.0
AGAIN_S = 0.2
TWICE_SHARE = 0.01
"""Batches that are sent once more after their answer, as nervous senders do."""
HEAR_EVERY_S = 0.3
DRAW_EVERY_S = 0.02
HEARD_ROWS = 2_000
SOURCE = "urn:quittance:chaos"


class Account(msgspec.Struct):
    """What was answered: by topic the content of commands in the order in which they were sent, per account; and the mail."""

    sent: defaultdict[str, defaultdict[str, list[bytes]]]
    mailed: dict[str, str]
    keys: dict[bytes, str]
    events: int = 0
    repeats: int = 0
    resent: int = 0
    refused: list[str] = []


class Feed:
    """`rate(drawn)` says how many events a second may follow when so many were drawn; None: that is all."""

    def __init__(self, site: Site, trade: Trade, rate: Callable[[int], float | None], seed: int) -> None:
        self._site, self._trade, self._rate = site, trade, rate
        self._dice = random.Random(f"feed/{seed}")
        self._drawn, self._drawing = 0, True
        self._lanes: list[list[Event]] = [[] for _ in range(LANES)]
        self._heard = dict.fromkeys(range(site.settings.partitions), 0)
        self._mailer = Desk(site.settings, "payments")
        self._ears = Desk(site.settings, "orders")
        self._clients = [httpx.AsyncClient(timeout=ANSWER_S_MAX) for _ in range(LANES)]
        self._token = ""
        self.told = Account(sent=defaultdict(lambda: defaultdict(list)), mailed={}, keys={})

    async def begin(self) -> None:
        """A credential, and the accounts, opened and known at the order desk."""
        self._token = credentials.TOKEN_PREFIX + secrets.token_urlsafe(credentials.TOKEN_BYTES)
        connection = await asyncpg.connect(self._site.settings.database("gateway"))
        await credentials.install(connection, self._token, credentials.system_of_record())
        await connection.close()
        openings = self._trade.openings()
        for start in range(0, len(openings), BATCH):
            await self._commands(0, openings[start : start + BATCH])
        while await self._site.desks["gateway"].fetchval("select count(*) from account where at_desk") < len(openings):
            await asyncio.sleep(0.1)

    async def run(self) -> None:
        """Send events, in pace, until there are enough."""
        hearing = asyncio.create_task(self._hear_on())
        try:
            await asyncio.gather(*(self._lane(n) for n in range(LANES)), self._draw())
        finally:
            hearing.cancel()
            await asyncio.wait({hearing})

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()
        self._mailer.close()
        self._ears.close()

    # --- drawing ------------------------------------------------------------------------------------------------------

    async def _draw(self) -> None:
        """Put events before the senders in pace; none while those have enough, because no answer comes."""
        budget, before = 0.0, time.monotonic()
        while (rate := self._rate(self._drawn)) is not None:
            now = time.monotonic()
            budget, before = min(budget + (now - before) * rate, BATCH * LANES), now
            for _ in range(min(int(budget), 2 * BATCH - max(map(len, self._lanes)))):
                self._put(self._trade.next())
                budget -= 1
            await asyncio.sleep(DRAW_EVERY_S)
        while any(self._lanes):
            await asyncio.sleep(DRAW_EVERY_S)
        self._drawing = False

    def _put(self, event: Event) -> None:
        self._drawn += 1
        self._lanes[zlib.crc32(self._trade.homes[event.account].encode()) % LANES].append(event)

    async def _lane(self, n: int) -> None:
        queue = self._lanes[n]
        while self._drawing:
            batch = queue[:BATCH]
            if not batch:
                await asyncio.sleep(DRAW_EVERY_S)
                continue
            await self._commands(n, [each for each in batch if not isinstance(each.message, Mail)])
            await self._mail([each for each in batch if isinstance(each.message, Mail)])
            del queue[: len(batch)]
            self.told.events += len(batch)
            for event in batch:
                self._trade.answered(event)

    # --- commands, by HTTP ---------------------------------------------------------------------------------------------

    async def _commands(self, lane: int, events: list[Event]) -> None:
        if not events:
            return
        body = b"\n".join(map(_line, events))
        answer = await self._answered(lane, body)
        self.told.repeats += answer.get("repeated", 0)
        for fault in answer.get("errors", ()):
            self.told.refused.append(f"{fault['field']}: {fault['problem']}")
        for event in events:
            content = data_of(encode_value(event.message))
            self.told.sent[topic_of(type(event.message))][event.account].append(content)
            self.told.keys[content] = event.key
        if self._dice.random() < TWICE_SHARE:
            self.told.repeats += (await self._answered(lane, body)).get("repeated", 0)

    async def _answered(self, lane: int, body: bytes) -> dict[str, Any]:
        """Send until somebody answers, at one door after the other."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/x-ndjson"}
        tries = 0
        while True:
            doors = [door.url for door in self._site.fleet.of("gateway")]
            try:
                if doors:
                    url = f"{doors[(lane + tries) % len(doors)]}/v1/events"
                    response = await self._clients[lane].post(url, content=body, headers=headers)
                    if response.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED):
                        return dict(response.json())
                    if response.status_code < 500 and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                        raise RuntimeError(f"the gateway answers {response.status_code}: {response.text[:500]}")
            except httpx.TransportError:
                pass
            tries += 1
            self.told.resent += 1
            await asyncio.sleep(AGAIN_S)

    # --- mail, into the ledger's database -------------------------------------------------------------------------------

    async def _mail(self, events: list[Event]) -> None:
        """Whoever is not sure whether it was posted posts it once more, as letters of their own: what they say is known again."""
        if not events:
            return
        attempts = itertools.count(1)

        async def posted(connection: asyncpg.Connection) -> int:
            attempt = next(attempts)
            async with connection.transaction():
                await mailbox.post(connection, [self._letter(event, attempt) for event in events])
            return attempt

        answered = await self._mailer.do(posted)
        for event in events:
            self.told.mailed[_mail_id(event, answered)] = event.key

    def _letter(self, event: Event, attempt: int) -> tuple[int, bytes]:
        name = _mail_id(event, attempt)
        sender = mailbox.Sender(id=name, flow=name, at=dt.datetime.now(dt.UTC), actor="chaos", role="chaos", team="chaos")
        home = home_of(event.message, self._trade.homes[event.account])
        return mailbox.mail_of(self._site.settings.partitions, home, event.message, sender)

    # --- what the desk says ---------------------------------------------------------------------------------------------

    async def _hear_on(self) -> None:
        while True:
            for partition in self._heard:
                await self._hear(partition)
            await asyncio.sleep(HEAR_EVERY_S)

    async def _hear(self, partition: int) -> None:
        rows = await self._ears.fetch(
            "select sequence, body from journal where partition = $1 and lane = $2 and sequence > $3 order by sequence limit $4",
            partition, OWN, self._heard[partition], HEARD_ROWS,
        )  # fmt: skip
        for row in rows:
            self._heard[partition] = row["sequence"]
            if (said := _release_in(body_of(row["body"]))) is not None:
                self._trade.hear(said)


FOLLOWED: dict[str, type[OrderReleased | OrderRecalled]] = {
    type_name(message): message for message in (OrderReleased, OrderRecalled)
}


def _release_in(body: Body) -> Released | None:
    message = FOLLOWED.get(body.type)
    return None if message is None else Released(msgspec.json.decode(body.data, type=message), body.time)


def _line(event: Event) -> bytes:
    return encode_value(
        {"specversion": "1.0", "id": event.key, "source": SOURCE, "type": type_name(type(event.message)), "data": event.message}
    )


def _mail_id(event: Event, attempt: int) -> str:
    return derived_id("chaos", event.key, str(attempt))
