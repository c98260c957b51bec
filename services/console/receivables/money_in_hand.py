"""One receipt or bank entry as it is looked at: what the bank told, proposals with their items, the grid, its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request

from contracts.payments import Candidate, Proposal, Settle
from services.console import book, guarding, hand, in_hand, pages
from services.console.in_hand import Hand
from services.console.receivables import allocating, cash, course, standing
from services.console.receivables.allocating import GRID_MAX, Told
from services.console.receivables.cash import RECEIPT, SUSPENSE
from services.console.receivables.following import Entry, Receipt, advised, candidates_of, proposals_of
from services.console.receivables.ledger import Item, key_of
from services.console.receivables.standing import Owes

TEXT_MAX = 100


class Offered(NamedTuple):
    """A proposal with the items that it names, None for one that is not open any more; `left_minor` would stay on the receipt."""

    proposal: Proposal
    lines: tuple[tuple[Settle, Item | None], ...]
    left_minor: int

    @property
    def is_stale(self) -> bool:
        return any(item is None or not _fits(line, item) for line, item in self.lines)


def _fits(line: Settle, item: Item) -> bool:
    return abs(line.settled_minor) <= abs(item.open_minor)


class Called(NamedTuple):
    """A candidate of an entry in suspense, with what it owes."""

    candidate: Candidate
    owes: Owes


async def found(request: Request, name: str) -> Receipt | Entry | None:
    """What is called so, if this person sees it."""
    pool, who = request.app.state.pool, guarding.person(request)
    kind, _, key = name.partition("~")
    if kind == RECEIPT and key:
        return await cash.one(pool, who.portfolios, key)
    if kind == SUSPENSE and key:
        return await cash.entry(pool, who.portfolios, key)
    return None


async def values(request: Request, name: str, told: Told | None = None, typed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a template shows of it; `hand` is None when there is none, or when this person does not see it."""
    pool, who = request.app.state.pool, guarding.person(request)
    around: dict[str, Any] = {"asked": name, "told": told, "typed": typed or {}, "workable": who.role in guarding.DESK}
    around["people"] = await hand.people_of(pool)
    around |= {"tone": tone, "days": days, "reasons": allocating.REASONS, "nobodys": allocating.NOBODYS, "grid_max": GRID_MAX}
    match await found(request, name):
        case Receipt() as receipt:
            return around | await _of_receipt(request, name, receipt, around["people"], typed or {})
        case Entry() as entry:
            return around | await _of_entry(request, name, entry)
        case _:
            return around | {"hand": None, "hand_kind": "", "hand_name": "", "hand_version": ""}


async def _of_receipt(
    request: Request, name: str, receipt: Receipt, people: Mapping[str, str], typed: Mapping[str, str]
) -> dict[str, Any]:
    pool, who, today = request.app.state.pool, guarding.person(request), pages.now(request).date()
    others = (await in_hand.others(pool, who, [name])).get(name, [])
    account = await book.account(pool, who.portfolios, receipt.account)
    text = (typed.get("items_q") or request.query_params.get("items_q", "")).replace("\0", "").strip()[:TEXT_MAX]
    filled = {row.key: row for row in allocating.rows_of(typed)}
    grid = await standing.to_allocate(pool, receipt.home, receipt.account, receipt.currency, text, list(filled), GRID_MAX)
    facts = await cash.told_of(pool, receipt.receipt)
    return {
        "hand": receipt,
        "hand_kind": RECEIPT,
        "hand_name": name,
        "hand_version": version_of(receipt.sequence, others),
        "account": account.page if account is not None else None,
        "age": (today - receipt.received_on).days,
        "offers": await _offered(request, receipt),
        "bank": bank_told(receipt),
        "advice": advised(receipt.lines),
        "grid": grid,
        "filled": filled,
        "items_q": text,
        "history": [(fact.at, course.told(fact, people, receipt.currency)) for fact in facts],
        "others": others,
        "desks": await hand.desk_people(pool),
        "today": today,
    }


async def _offered(request: Request, receipt: Receipt) -> list[Offered]:
    proposals = proposals_of(receipt)
    names = [key_of(line.account or receipt.account, line.item) for each in proposals for line in each.lines]
    items = await standing.by_keys(request.app.state.pool, receipt.home, names) if names else {}
    return [offered(each, receipt, items) for each in proposals]


def offered(proposal: Proposal, receipt: Receipt, items: Mapping[str, Item]) -> Offered:
    lines = tuple((line, items.get(key_of(line.account or receipt.account, line.item))) for line in proposal.lines)
    return Offered(proposal, lines, receipt.unallocated_minor - sum(line.paid_minor for line in proposal.lines))


async def _of_entry(request: Request, name: str, entry: Entry) -> dict[str, Any]:
    pool, who, today = request.app.state.pool, guarding.person(request), pages.now(request).date()
    others = (await in_hand.others(pool, who, [name])).get(name, [])
    candidates = candidates_of(entry)
    names = [each.account for each in candidates]
    known = await standing.of_candidates(pool, who.portfolios, names, entry.currency, entry.amount_minor) if names else {}
    told = [Called(each, known[each.account]) for each in candidates if each.account in known]
    return {
        "hand": entry,
        "hand_kind": SUSPENSE,
        "hand_name": name,
        "hand_version": version_of(entry.sequence, others),
        "age": (today - entry.booked_on).days,
        "offers": told,
        "bank": bank_told(entry),
        "advice": advised(entry.lines),
        "others": others,
        "desks": await hand.desk_people(pool),
        "today": today,
    }


async def version(request: Request, name: str) -> str:
    """Changes whenever it does, or who has it open; a page asks for it again only then."""
    thing = await found(request, name)
    if thing is None:
        return ""
    others = (await in_hand.others(request.app.state.pool, guarding.person(request), [name])).get(name, [])
    return version_of(thing.sequence, others)


def version_of(sequence: int, others: Sequence[Hand]) -> str:
    return ".".join([str(sequence), *(each.person for each in others)])


def bank_told(thing: Receipt | Entry) -> list[tuple[str, str]]:
    """All that the bank passed on, what is empty left out."""
    named = (
        ("Payer", thing.payer),
        ("Payer's account", thing.payer_account),
        ("Payer's bank", getattr(thing, "payer_bank", "")),
        ("Reference", thing.reference),
        ("End-to-end", thing.end_to_end),
        ("Bank's reference", getattr(thing, "servicer_reference", "")),
        ("Code", getattr(thing, "code", "")),
        ("Our bank account", thing.bank_account),
        ("Text", thing.text),
    )
    return [(name, text) for name, text in named if text]


def tone(age_days: int) -> str:
    """Of an age: a week is late, a month is bad."""
    return "bad" if age_days > 30 else "warn" if age_days > 7 else ""


def days(age_days: int) -> str:
    return "today" if age_days <= 0 else f"{age_days} d"
