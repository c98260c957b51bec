"""Sending through the gateway as anybody outside does: files and events by HTTP, and asking what became of them."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from contracts.envelope import encode_value
from contracts.message import type_name
from quittance.installation import Unusable
from quittance.trade import Act

POLL_S = 0.02
POLL_S_MAX = 0.3
BUSY_S = 0.5
BROKEN_MAX = 3
CHUNK_BYTES = 256 * 1024
EVENTS_MAX = 1_000
"""Events of one request."""
REQUEST_S_MAX = 120.0

_OCTETS, _NDJSON = "application/octet-stream", "application/x-ndjson"

Flow = dict[str, Any]


class Refused(Unusable):
    """The gateway said no; the text repeats its reasons."""


class Gateway:
    """A sender with one credential."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_S_MAX)

    async def close(self) -> None:
        await self._client.aclose()

    async def send_file(
        self,
        kind: str,
        name: str,
        content: bytes | Path,
        as_of: dt.datetime | None = None,
        told: Callable[[int], None] = lambda _: None,
    ) -> Flow:
        """Hand a file over; `told` is given the bytes that are on their way. The answer says how it stands."""
        query = {"name": name} | ({"as_of": as_of.isoformat()} if as_of else {})
        return await self._ask_flow("POST", f"/v1/files/{kind}", _OCTETS, lambda: _body(content, told), params=query)

    async def send_events(self, acts: Iterable[Act], person: Mapping[str, str] | None = None) -> None:
        """Hand over commands as CloudEvents, in the name of a `person` where the credential may. The same event again changes
        nothing."""
        lines = [_event(act) for act in acts]
        for start in range(0, len(lines), EVENTS_MAX):
            body = b"\n".join(lines[start : start + EVENTS_MAX]) + b"\n"
            answer = await self._ask("POST", "/v1/events", _NDJSON, functools.partial(bytes, body), person or {})
            if bad := answer.get("errors"):
                raise Refused(f"the gateway does not take an event of the simulator: {bad[0]}")

    async def flow(self, flow: str) -> Flow:
        return await self._ask_flow("GET", f"/v1/flows/{flow}")

    async def _ask_flow(self, *request: Any, **more: Any) -> Flow:
        answer: Flow = await self._ask(*request, **more)
        return answer

    async def finished(self, flow: str, told: Callable[[Flow], None] = lambda _: None) -> Flow:
        """The flow once its file was read to the end. Raises `Refused` when nothing of it is read."""
        pause_s = POLL_S
        while True:
            found = await self.flow(flow)
            told(found)
            match found["state"]:
                case "finished":
                    return found
                case "refused":
                    raise Refused(f"{found.get('file') or flow}: {found.get('failure', 'the file was refused')}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.15, POLL_S_MAX)

    async def _ask(
        self,
        method: str,
        path: str,
        media_type: str = "",
        body: Callable[[], Any] = lambda: None,
        named: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        """Ask until there is an answer: a busy gateway names the time to wait. `body` is made anew for each try."""
        headers = {**({"Content-Type": media_type} if media_type else {}), **(named or {})}
        broken = 0
        while True:
            try:
                response = await self._client.request(method, path, content=body(), headers=headers, **more)
            except (httpx.ReadError, httpx.RemoteProtocolError) as error:
                # It hung up on a connection that had long been idle; the same again changes nothing.
                broken += 1
                if broken > BROKEN_MAX:
                    raise Unusable(f"the gateway at {self._client.base_url} hangs up instead of answering: {error}") from error
                continue
            except httpx.ConnectError as error:
                raise Unusable(
                    f"no gateway answers at {self._client.base_url}; start it with `quittance serve accounts orders gateway`"
                ) from error
            if response.status_code not in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
                return _answer(response)
            await asyncio.sleep(float(response.headers.get("Retry-After", BUSY_S)))


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    try:
        problem = response.json()
        reasons = "; ".join(f"{e['field']}: {e['problem']} ({e.get('mend', '')})" for e in problem.get("errors", ())[:5])
        raise Refused(f"the gateway refuses it: {problem['detail']} {reasons}".rstrip())
    except (ValueError, KeyError) as error:
        raise Refused(f"the gateway answers {response.status_code}: {response.text[:300]}") from error


def _event(act: Act) -> bytes:
    event = {
        "specversion": "1.0",
        "id": act.key,
        "source": "urn:quittance:simulator",
        "type": type_name(type(act.message)),
        "time": act.due,
        "data": act.message,
    }
    return encode_value(event)


def _body(content: bytes | Path, told: Callable[[int], None]) -> Any:
    return _pieces(content, told) if isinstance(content, Path) else content


async def _pieces(path: Path, told: Callable[[int], None]) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece
            told(len(piece))


def as_json(value: object) -> str:
    """A value for a script: one line."""
    return msgspec.json.encode(value, order="deterministic").decode()
