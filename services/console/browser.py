"""What browsers get besides pages: our style sheet and scripts, and the locked libraries, under names with their content's hash.

Everything is served from here; nothing ever comes from another place (a test proves it by the policy in the headers).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent
OURS = HERE / "static"
PACKAGES = HERE / "assets" / "node_modules"
LIBRARIES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "htmx-sse.js": "htmx-ext-sse/dist/sse.min.js",
    "echarts.js": "echarts/dist/echarts.min.js",
}
"""Name in a page → file of the locked packages (`assets/package-lock.json`)."""
FOR_EVER = "public, max-age=31536000, immutable"
HASH_DIGITS = 12
GZIP_FROM_BYTES = 1_000


class Missing(RuntimeError):
    """A file that pages need is not there: which, and how to get it."""


class Asset(msgspec.Struct, frozen=True):
    """`path` holds the hash, so that a browser may keep it for ever."""

    path: str
    media: str
    plain: bytes
    zipped: bytes | None


def _asset(name: str, file: Path) -> Asset:
    if not file.exists():
        raise Missing(f"{file} is not there; fetch the locked packages with `make assets`")
    content = file.read_bytes()
    stem, _, ending = name.rpartition(".")
    mark = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
    media = mimetypes.guess_type(name)[0] or "application/octet-stream"
    zipped = gzip.compress(content, mtime=0) if len(content) >= GZIP_FROM_BYTES else None
    return Asset(f"/assets/{stem}.{mark}.{ending}", media, content, zipped)


@functools.cache
def assets() -> dict[str, Asset]:
    """Every file by its name in pages. Raises `Missing`, so that a console without its libraries does not start."""
    ours = {file.name: file for file in sorted(OURS.iterdir())}
    theirs = {name: PACKAGES / path for name, path in LIBRARIES.items()}
    return {name: _asset(name, file) for name, file in (ours | theirs).items()}


@functools.cache
def _by_path() -> dict[str, Asset]:
    return {asset.path: asset for asset in assets().values()}


def path_of(name: str) -> str:
    """The address of `console.css`, `htmx.js`, … for a page."""
    return assets()[name].path


async def send(request: Request) -> Response:
    asset = _by_path().get(request.url.path)
    if asset is None:
        return PlainTextResponse("there is no such file; load the page again\n", 404)
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if asset.zipped and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.zipped, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media)
    return Response(asset.plain, headers=headers, media_type=asset.media)


ROUTES = [Route("/assets/{name}", send)]
