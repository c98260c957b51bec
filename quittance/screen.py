"""What a run shows while it goes: a live table on a terminal, a line now and then where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from quittance.replay import Stage

REFRESH_S = 0.25
LINE_EVERY_S = 30.0
"""Where there is no terminal that a line could be rewritten on: seldom enough that the address above it stays in sight."""
REASONS_SHOWN = 8
PIPED_COLUMNS = 160
"""Where there is no terminal: wide enough that a message of a trace stands on one line."""

console = Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS)
"""All that is for people goes here; the last line of `quittance run` and every `--json` go to standard output as they are."""


@contextmanager
def progress(what: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """A bar for long work; call what is yielded with how much more is done. Nothing is shown where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=total)
        yield lambda more: shown.advance(task, more)


@asynccontextmanager
async def watching(stage: Stage) -> AsyncIterator[None]:
    """Show the stage until the work inside is done."""
    drawing = asyncio.create_task(_live(stage) if console.is_terminal else _lines(stage), name="screen")
    try:
        yield
    finally:
        drawing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drawing


async def _live(stage: Stage) -> None:
    with Live(console=console, refresh_per_second=4, transient=False, get_renderable=lambda: picture(stage)):
        while True:
            await asyncio.sleep(REFRESH_S)


async def _lines(stage: Stage) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        console.print(f"{time.monotonic() - began:6.1f} s  {line(stage)}", highlight=False, soft_wrap=True)


def quarantined(stage: Stage) -> int:
    return sum(flow.get("quarantined_rows", 0) for flow in stage.flows.values())


def line(stage: Stage) -> str:
    board = stage.board
    at = f"{stage.now:%Y-%m-%d %H:%M} · " if stage.now else ""
    reasons = ", ".join(f"{name} {count:,}" for name, count in _reasons(stage))
    return (
        f"{at}received {board.received:,} · released {board.released:,} · held {board.held:,}"
        f"{f' ({reasons})' if reasons else ''} · quarantined {quarantined(stage):,} rows · {board.rate():,.0f} orders/s"
        f" · p50 {_ms(board.percentile_ms(0.5))} p99 {_ms(board.percentile_ms(0.99))}"
    )


def _reasons(stage: Stage) -> list[tuple[str, int]]:
    return [(name, count) for name, count in stage.board.held_by.most_common(REASONS_SHOWN) if count > 0]


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} ms"


def picture(stage: Stage) -> Group:
    board = stage.board
    table = Table(show_header=True, header_style="bold", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("received", "released", "held", "rejected", "returns", "quarantined rows", "orders/s", "p50", "p99"):
        table.add_column(name, justify="right")
    table.add_row(
        f"{board.received:,}",
        Text(f"{board.released:,}", style="green"),
        Text(f"{board.held:,}", style="yellow"),
        f"{board.status['rejected']:,}",
        f"{len(board.returned):,}",
        Text(f"{quarantined(stage):,}", style="red"),
        f"{board.rate():,.0f}",
        _ms(board.percentile_ms(0.5)),
        _ms(board.percentile_ms(0.99)),
    )
    when = Text(f"{stage.now:%A %d %B %Y %H:%M} UTC" if stage.now else "as fast as it goes", style="bold cyan")
    return Group(when, table, _held_picture(stage))


def _held_picture(stage: Stage) -> Table:
    """Reasons with bars, so that one sees at once which check holds most."""
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    found = _reasons(stage)
    most = max((count for _, count in found), default=1)
    for name, count in found:
        table.add_row(f"  held by {name}", f"{count:,}", Text("█" * max(count * 30 // most, 1), style="yellow"))
    return table
