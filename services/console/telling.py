"""Projections say what they changed, by NOTIFY inside the batch's transaction: nobody hears of it before it is committed.

What is said is words, never data, and PostgreSQL keeps one of those that are said twice in a transaction (`live.py` hears them).
"""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
import msgspec

CHANNEL = "quittance_live"
ALL = "*"
"""`account/*` stands for every word that begins so, `*` for all there are."""
WORDS_MAX = 60
"""Words of one kind in one notification (8,000 bytes is PostgreSQL's bound); more are told as all of their kind."""

_encode = msgspec.json.Encoder().encode


async def tell(connection: asyncpg.Connection, words: Iterable[str]) -> None:
    """`desk`, `day`, `account/4711`: what a page listens to. A kind is what stands before the first slash."""
    for told in bounded(words):
        await connection.execute("select pg_notify($1, $2)", CHANNEL, _encode(told).decode())


def bounded(words: Iterable[str]) -> list[list[str]]:
    """One notification per kind, so that each fits; a kind with too many words is told as a whole."""
    kinds: dict[str, list[str]] = {}
    for word in sorted(set(words)):
        kinds.setdefault(word.partition("/")[0], []).append(word)
    return [said if len(said) <= WORDS_MAX else [f"{kind}/{ALL}"] for kind, said in kinds.items()]


def concerns(told: str, wanted: str) -> bool:
    return told == wanted or (told.endswith(ALL) and wanted.startswith(told[:-1]))
