"""How results look to people: money in major units, times in UTC, words instead of codes. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import msgspec
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from deploy.local.stack import Server, Stack
from quittance.archives import Journal, Taken
from quittance.cast import PORT_STEP, program_of
from quittance.explain import Audit, Explained, exposure_parts
from quittance.facts import Digest
from quittance.installation import Unusable
from quittance.parked import Group, Waiting
from quittance.quarantine import Kept
from quittance.readers import connected
from quittance.rebuild import Rebuilt
from quittance.refill import Refilled
from quittance.refold import Checked
from quittance.screen import console
from quittance.trace import Step, Trace
from shared import money
from shared.archive import Archive
from shared.credit.describing import Line
from shared.settings import Settings

BAR_WIDTH = 40
DIFFERENCES_SHOWN = 10
BYTES_SHOWN = 60
STYLES = {"passed": "green", "covered": "green", "held": "bold yellow", "warned": "yellow", "rejected": "bold red", "off": "dim"}


# --- servers and services -------------------------------------------------------------------------------------------


def servers(found: Stack) -> None:
    for name, server in (("Kafka", found.kafka), ("PostgreSQL", found.postgres)):
        console.print(_server(name, server), highlight=False)


def _server(name: str, server: Server) -> str:
    state = "[green]up  [/]" if server.up else "[red]down[/]"
    where = f"pid {server.pid}" if server.pid else "elsewhere" if server.up else ""
    return f"{state}  {name:<11} {server.version or '':<7} {where}"


async def services(settings: Settings) -> dict[str, bool]:
    """Which services answer that they are ready, on the ports of this installation."""
    async with httpx.AsyncClient(timeout=1.0) as client:
        names = list(PORT_STEP)
        answers = await asyncio.gather(*(_is_ready(client, settings, name) for name in names))
    return dict(zip(names, answers, strict=True))


async def _is_ready(client: httpx.AsyncClient, settings: Settings, name: str) -> bool:
    try:
        answer = await client.get(f"http://{settings.host}:{program_of(settings, name).port}/readyz")
        return answer.is_success
    except httpx.HTTPError:
        return False


def readiness(settings: Settings, ready: dict[str, bool]) -> None:
    for name, is_ready in ready.items():
        state = "[green]ready[/]" if is_ready else "[dim]not running[/]"
        console.print(f"      {name:<11} port {program_of(settings, name).port}  {state}", highlight=False)


async def has_run(settings: Settings, name: str) -> bool:
    """Whether this service has a database here."""
    try:
        (await connected(settings, name)).terminate()
        return True
    except Unusable as error:
        if isinstance(error.__cause__, OSError):
            raise
        return False


# --- explain --------------------------------------------------------------------------------------------------------


def decisions(found: list[Explained]) -> None:
    for decision in found:
        _decision(decision)


def _decision(found: Explained) -> None:
    what = found.fact.split(".")[1].replace("_", " ")
    console.print(f"\n[bold]{escape(found.order)}[/]  {what}  {found.at:%Y-%m-%d %H:%M:%S} UTC  account {escape(found.account)}")
    console.print(
        f"policy {escape(found.policy)}, decider {found.decider}, by {escape(found.by)}"
        f"{f': {escape(found.reason)}' if found.reason else ''}"
    )
    _exposure(found)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "check", "measured", "threshold", "result"):
        table.add_column(name, justify="right" if name in ("", "measured", "threshold") else "left")
    for line in found.checks:
        result = Text(line.result, style=STYLES.get(line.result, ""))
        table.add_row(
            str(line.number),
            line.name,
            *(_measure(value, line, found.currency) for value in (line.measured, line.threshold)),
            result,
        )
    console.print(table)
    if found.same:
        console.print(f"[green]recomputed from the log: the same {found.bytes} bytes[/]  (fact {found.id})")
    else:
        console.print(f"[bold red]recomputed from the log: other bytes than fact {found.id} has[/]")


def _measure(value: int | str | None, line: Line, currency: str) -> str:
    if value is None:
        return "–"
    match line.unit:
        case "money" if isinstance(value, int):
            return f"{money.as_text(value, currency)} {currency}"
        case "percent":
            return f"{value} %"
        case "days":
            return f"{value} days"
        case _:
            return str(value)


def _exposure(found: Explained) -> None:
    """What the account owed before the order, the order itself, and the limit, as one bar."""
    inputs, currency = found.inputs, found.currency
    limit, before, value = inputs["limit_minor"], inputs["exposure_minor"], inputs["value_minor"]
    parts = ", ".join(f"{name} {money.as_text(minor, currency)}" for name, minor in exposure_parts(inputs)) or "nothing owed"
    whole = max(limit, before + value, 1)
    owed, asked = (max(0, min(minor, whole)) * BAR_WIDTH // whole for minor in (before, value))
    bar = Text("█" * owed, style="blue") + Text("▓" * asked, style="cyan" if before + value <= limit else "red")
    bar += Text("·" * (BAR_WIDTH - owed - asked), style="dim")
    console.print(
        bar,
        f"exposure {money.as_text(before, currency)} + order {money.as_text(value, currency)} "
        f"of limit {money.as_text(limit, currency)} {currency}",
    )
    console.print(f"[dim]  exposure: {parts}[/]")


def audit(found: Audit) -> None:
    state = "green" if not found.different_count else "bold red"
    console.print(
        f"[{state}]{found.checked:,} decisions of {found.orders:,} orders recomputed: {found.different_count:,} different[/]"
    )
    for each in found.different[:DIFFERENCES_SHOWN]:
        console.print(
            f"{escape(each.order)} (fact {each.id})\n  stored     {escape(each.stored)}\n  recomputed {escape(each.recomputed)}"
        )


# --- trace ----------------------------------------------------------------------------------------------------------


def trace(name: str, found: Trace) -> None:
    root = Tree(f"[bold]{escape(name)}[/]  {len(found.steps):,} messages")
    path = [root]
    for depth, step in found.steps:
        del path[depth + 1 :]
        path.append(path[depth].add(_step(step)))
    console.print(root)
    if found.cut:
        console.print("[yellow]… and more: name one order instead of the flow")


def _step(step: Step) -> str:
    service, word, *_ = step.type.split(".")
    direction = "→" if step.service != service else " "
    who = f"  by {escape(step.actor)}" if step.actor else ""
    return (
        f"[dim]{step.at:%Y-%m-%d %H:%M:%S}[/]  {step.service:<8} {direction} [bold]{word.replace('_', ' ')}[/]  "
        f"{escape(step.subject)}{_gist(step)}{who}  [dim]{step.service} #{step.sequence}[/]"
    )


_GISTS = ("reserved_minor", "total_minor", "amount_minor", "settled_minor", "limit_minor", "unbilled_minor")


def _gist(step: Step) -> str:
    data: dict[str, Any] = msgspec.json.decode(step.data)
    told = [f"{name.removesuffix('_minor')} {data[name] / 100:,.2f}" for name in _GISTS if isinstance(data.get(name), int)]
    held = [finding["check"] for finding in (data.get("decision") or {}).get("held_by", ())]
    words = [*told[:2], *([f"by {', '.join(held)}"] if held else []), *([data["reason"]] if data.get("reason") else [])]
    return f"  [cyan]{escape(', '.join(words))}[/]" if words else ""


# --- the rest -------------------------------------------------------------------------------------------------------


def flow(found: dict[str, Any]) -> None:
    if found.get("repeated"):
        console.print("this very file came before: nothing was changed")
    console.print(
        f"flow {found['flow']}: {found['rows']:,} rows, {found['accepted_rows']:,} accepted in {found['documents']:,} documents, "
        f"{found['repeated_rows']:,} repeated, {found['quarantined_rows']:,} in quarantine",
        highlight=False,
    )


def digests(found: Iterable[Digest]) -> None:
    for each in found:
        print(f"{each.sha256}  {each.topic}/{each.partition}  {each.messages}")


def refolded(found: Iterable[Checked]) -> None:
    for checked in found:
        state = "bold red" if checked.different else "green"
        console.print(f"[{state}]{checked.service}: {checked.rows:,} rows compared, {len(checked.different):,} different[/]")
        for row in checked.different[:DIFFERENCES_SHOWN]:
            console.print(
                f"  {row.table} {escape(row.key)}\n    stored {escape(str(row.stored))}\n    folded {escape(str(row.folded))}"
            )


# --- recovery -------------------------------------------------------------------------------------------------------


def journal(found: Journal) -> None:
    for each in found.ranges:
        console.print(
            f"{each.table:<24} {each.first:>14,} to {each.before - 1:>14,}  {each.bytes / 1e6:>10,.1f} MB", highlight=False
        )
    for taken in found.archives:
        state = "attached" if taken.attached else "archived"
        console.print(f"{state} {taken.number}: {taken.rows:,} rows up to {taken.before - 1:,} in {taken.file}", highlight=False)


def taken_out(name: str, found: Taken) -> None:
    if found.archive is None:
        console.print(f"{name} has no full range that could go")
        return
    made = found.archive
    console.print(
        f"{made.rows:,} rows of {name} up to {made.before - 1:,} are in {made.file} ({found.bytes / 1e6:,.1f} MB), read back "
        f"and compared, after {found.seconds:,.1f} s; a snapshot stands where they ended",
        highlight=False,
    )


def brought_back(name: str, found: list[Archive]) -> None:
    for each in found:
        console.print(f"archive {each.number}: {each.rows:,} rows are in the journal of {name} again", highlight=False)
    if not found:
        console.print("all of it is attached already")


def rebuilt(found: Rebuilt) -> None:
    console.print(
        f"{found.service}: {found.mended:,} rows mended, {found.facts:,} facts projected, {found.seconds:,.1f} s", highlight=False
    )


def refilled(found: Refilled) -> None:
    for topic, count in found.topics.items():
        console.print(f"{topic:<24} {count:>12,} messages", highlight=False)
    console.print(
        f"{found.messages:,} messages in {found.seconds:,.1f} s; start the services, they find their place by themselves"
    )


def parked_groups(found: list[Group]) -> None:
    table = Table("service", "group", "messages", "since", "reason", box=None)
    for group in found:
        table.add_row(
            group.service, escape(group.home), str(group.messages), f"{group.since:%Y-%m-%d %H:%M}", escape(group.reason)
        )
    console.print(table if found else "nothing is parked")


def parked_messages(found: list[Waiting]) -> None:
    for message in found:
        console.print(
            f"[bold]{message.service} {message.n}[/]  {message.type}  {message.topic or 'mail'}\n  {escape(message.reason)}"
        )
        console.print(f"  [dim]{escape(message.body)}[/]", soft_wrap=True)


def quarantined(count: int, found: list[Kept]) -> None:
    table = Table("id", "where", "line", "document", "reason", "bytes", box=None)
    for kept in found:
        table.add_row(
            kept.id[:8],
            kept.kind,
            str(kept.place),
            escape(kept.reference),
            escape("; ".join(kept.reasons)),
            escape(kept.bytes[:BYTES_SHOWN]),
        )
    console.print(table if found else "quarantine is empty")
    if count > len(found):
        console.print(f"… and {count - len(found):,} more")


def kept(found: Kept) -> None:
    console.print(
        f"[bold]{found.id}[/]  {found.service}, {found.kind}, place {found.place}, {found.status}, "
        f"since {found.at:%Y-%m-%d %H:%M}"
    )
    if found.flow:
        console.print(
            f"flow {found.flow}, document {escape(found.reference)}{' (mended, not replayed yet)' if found.repaired else ''}"
        )
    for reason in found.reasons:
        console.print(f"  [red]{escape(reason)}[/]")
    console.print(escape(found.bytes), soft_wrap=True)


def people(found: Iterable[Any]) -> None:
    table = Table("name", "shown", "role", "team", "portfolios", "zone", "", box=None)
    for row in found:
        state = "disabled" if row["disabled_at"] else "signs in elsewhere" if row["elsewhere"] else ""
        portfolios = ", ".join(row["portfolios"]) or "all"
        table.add_row(row["name"], row["shown"], row["role"], row["team"], portfolios, row["zone"], state)
    console.print(table)
