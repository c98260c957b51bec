"""What a person may do to cash, as commands: from a form to a wish, and from its outcome to words (P6, P7, P10, A6).

Nothing is decided here: the ledger refuses what may not be, and its words are shown. Only what would be no wish at all is sent
back at once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from contracts.envelope import derived_id
from contracts.message import Command
from contracts.payments import (
    PROPOSALS_MAX,
    AllocateCash,
    Alternative,
    GiveBackCash,
    KeepOnAccount,
    ProposeRefund,
    RecogniseCash,
    SetAsideEntry,
    Settle,
    TakeCash,
    TakeEntry,
    UnallocateCash,
)
from services.console import amounts, book, refusing
from services.console.pages import money_text
from services.console.people import Person
from services.console.receivables.following import Entry, Receipt, proposals_of
from services.console.receivables.ledger import Item
from services.console.wishes import Outcome

TEXT_MAX = 500
NAME_MAX = 64
DO = ("propose", "allocate", "keep", "give_back", "refund", "take", "assign", "unallocate")
OF_ENTRIES = ("recognise", "set_aside", "take", "assign")
ENDS = ("propose", "allocate", "keep", "give_back", "recognise", "set_aside")
"""After these the next one is taken in hand, unless something of it is left."""
GRID_MAX = 150
"""Open items shown to allocate by hand, oldest due first; the search brings others. With their fields they fit one form."""
REASONS = (
    "damage", "price", "quantity", "return", "late delivery", "proof of delivery", "rebate", "marketing", "promotion",
    "duplicate invoice", "tax", "carriage", "unconnected stock", "commission", "other",
)  # fmt: skip
"""Why a payer paid short, in words that the ledger's policy knows as types of claims (C1)."""
NOBODYS = (
    ("bank_charges", "Bank charges or interest"), ("bank", "Transfer between our own accounts"),
    ("refunds", "A refund of ours that came back"), ("exchange", "Exchange difference"),
)  # fmt: skip
"""Where an entry goes that is nobody's payment: account of the ledger's chart, and what people call it."""


class Unfit(ValueError):
    """This form is no wish: what is missing, in words for who filled it in."""


class Wish(msgspec.Struct, frozen=True):
    """What the form says. `version` is of the receipt or entry as the page showed it."""

    do: str
    text: str = ""
    number: str = ""
    owner: str = ""
    amount: str = ""
    match: str = ""
    account: str = ""
    ledger: str = ""
    learn: str = ""
    version: str = ""


def wish_of(form: Mapping[str, str]) -> Wish:
    """Raises `Unfit` when it asks for nothing that there is, or does not say why."""
    wish = Wish(**{name: form.get(name, "").strip() for name in Wish.__struct_fields__})
    if wish.do not in (*DO, *OF_ENTRIES):
        raise Unfit(f"There is no such action; choose one of {', '.join((*DO, *OF_ENTRIES))}.")
    if len(wish.text) > TEXT_MAX:
        raise Unfit(f"At most {TEXT_MAX} characters fit.")
    if not wish.text and wish.do in _ASKS:
        raise Unfit(_ASKS[wish.do])
    return wish


_ASKS = {
    "keep": "Say why it stays on account: whoever chases it later reads it.",
    "give_back": "Say why it is not this account's.",
    "refund": "Say why it goes back to the payer.",
    "unallocate": "Say why the match is taken back.",
    "set_aside": "Say what this entry is.",
}


# --- receipts -------------------------------------------------------------------------------------------------------


def command_of(wish: Wish, receipt: Receipt, who: Person, lines: tuple[Settle, ...] = ()) -> Command:
    """`lines`: what the grid says, for an allocation by hand. Raises `Unfit` for a proposal, amount or person that cannot be."""
    named: dict[str, Any] = {"account": receipt.account, "receipt": receipt.receipt}
    match wish.do:
        case "propose":
            return _chosen(wish, receipt)
        case "allocate":
            return AllocateCash(**named, lines=lines, evidence=(_by_hand(who),), version=_version(wish), reason=wish.text)
        case "keep":
            return KeepOnAccount(**named, reason=wish.text, version=_version(wish))
        case "give_back":
            return GiveBackCash(**named, reason=wish.text, version=_version(wish))
        case "refund":
            amount_minor = _part(wish.amount, receipt)
            key = derived_id("refund", receipt.receipt, wish.version, str(amount_minor))
            return ProposeRefund(
                account=receipt.account,
                key=key,
                item=receipt.receipt,
                amount_minor=amount_minor,
                reason=wish.text,
                version=_version(wish),
            )
        case "unallocate":
            match = _named(wish.match, "the match")
            return UnallocateCash(account=receipt.account, match=match, reason=wish.text, version=_version(wish))
        case _:
            return TakeCash(**named, owner=_owner(wish, who), note=wish.text)


def _owner(wish: Wish, who: Person) -> str:
    return who.name if wish.do == "take" else _named(wish.owner, "whom to give it to")


def _by_hand(who: Person) -> str:
    return f"allocated by hand by {who.shown}"[:TEXT_MAX]


def _version(wish: Wish) -> int | None:
    return int(wish.version) if wish.version.isascii() and wish.version.isdecimal() else None


def _chosen(wish: Wish, receipt: Receipt) -> AllocateCash:
    """The proposal of this number, with its own evidence; the others are kept as what was looked at and not taken."""
    proposals = proposals_of(receipt)
    if not wish.number.isascii() or not wish.number.isdecimal() or not 1 <= int(wish.number) <= len(proposals):
        raise Unfit("This proposal is not offered any more: look at the receipt again.")
    chosen = int(wish.number) - 1
    others = [each for n, each in enumerate(proposals) if n != chosen]
    return AllocateCash(
        account=receipt.account,
        receipt=receipt.receipt,
        lines=proposals[chosen].lines,
        score=proposals[chosen].score,
        evidence=(*proposals[chosen].why[:39], f"chosen by a person as proposal {chosen + 1} of {len(proposals)}"),
        rejected=tuple(_passed_over(each.lines) for each in others)[:PROPOSALS_MAX],
        version=_version(wish),
        reason=wish.text,
    )


def _passed_over(lines: Sequence[Settle]) -> Alternative:
    return Alternative(items=tuple(line.item for line in lines), why="a person chose another proposal")


def _part(text: str, receipt: Receipt) -> int:
    if not text:
        return receipt.unallocated_minor
    try:
        part = amounts.minor_of(text, receipt.currency)
    except amounts.NoAmount as error:
        raise Unfit(f"The amount: {error}.") from error
    if not 0 < part <= receipt.unallocated_minor:
        raise Unfit(f"More than nothing and at most the {told_money(receipt.unallocated_minor, receipt.currency)} that are left.")
    return part


def _named(text: str, what: str) -> str:
    if not 0 < len(text) <= NAME_MAX:
        raise Unfit(f"Say {what}.")
    return text


def told_money(minor: int, currency: str) -> str:
    return f"{money_text(minor, currency)} {currency}"


# --- by hand --------------------------------------------------------------------------------------------------------


class Row(msgspec.Struct, frozen=True):
    """What was typed beside one item of the grid."""

    key: str
    pay: str = ""
    discount: str = ""
    difference: str = ""
    reason: str = ""

    @property
    def is_filled(self) -> bool:
        return bool(self.pay or self.discount or self.difference)


def rows_of(form: Mapping[str, str]) -> list[Row]:
    """The rows of the grid that something was typed into: `item.3` names the item of `pay.3`, `discount.3` and so on."""
    numbers = [name.partition(".")[2] for name in form if name.startswith("item.")]
    rows = [
        Row(
            form[f"item.{n}"],
            *(form.get(f"{field}.{n}", "").strip() for field in ("pay", "discount", "difference", "reason")),
        )
        for n in numbers
    ]
    return [row for row in rows if row.is_filled]


def lines_of(rows: Iterable[Row], items: Mapping[str, Item], receipt: Receipt) -> tuple[Settle, ...]:
    """The lines of a match. Raises `Unfit` for what is no amount, or names an item that is not open any more."""
    lines = tuple(_line(row, items.get(row.key), receipt) for row in rows)
    if not lines:
        raise Unfit("Fill in what is paid on at least one item, or keep the receipt on account.")
    return lines


def _line(row: Row, item: Item | None, receipt: Receipt) -> Settle:
    if item is None or not item.open_minor:
        raise Unfit(f"{row.key.partition('/')[2] or row.key} is not open any more: look at the grid again.")
    sign = 1 if item.open_minor > 0 else -1
    paid = sign * _amount(row.pay, "paid", item, sign)
    discount = sign * _amount(row.discount, "discount", item, sign)
    difference = sign * _signed(row.difference, "difference", item)
    settled = paid + discount + difference
    return Settle(
        item=item.item,
        settled_minor=settled,
        paid_minor=paid,
        discount_minor=discount,
        difference_minor=difference,
        residual_minor=max(item.open_minor - settled, 0) if row.reason and sign > 0 else 0,
        reason=row.reason[:140],
        account=item.account if item.account != receipt.account else None,
    )


def _amount(text: str, what: str, item: Item, sign: int) -> int:
    """Never negative; of a credit note a minus may be typed, since the grid shows one."""
    minor = _signed(text, what, item)
    if minor < 0 and sign > 0:
        raise Unfit(f"{item.item}: {what} cannot be less than nothing; to use a credit, fill in the row of its credit note.")
    return abs(minor)


def _signed(text: str, what: str, item: Item) -> int:
    if not text:
        return 0
    try:
        return amounts.minor_of(text, item.currency)
    except amounts.NoAmount as error:
        raise Unfit(f"{item.item}, {what}: {error}.") from error


# --- in suspense ----------------------------------------------------------------------------------------------------


def entry_command(wish: Wish, entry: Entry, who: Person, home: str | None = None) -> Command:
    """`home` is where the account of the wish trades under, None when this person sees no such account: the gateway finds it for
    the command again. Raises `Unfit`."""
    named: dict[str, Any] = {"bank_account": entry.bank_account, "entry": entry.entry}
    if wish.do == "set_aside":
        if wish.ledger not in [name for name, _ in NOBODYS]:
            raise Unfit("Say what kind of entry it is.")
        return SetAsideEntry(**named, ledger=wish.ledger, reason=wish.text)
    if wish.do in ("take", "assign"):
        return TakeEntry(**named, owner=_owner(wish, who), note=wish.text)
    if not wish.account:
        raise Unfit("Say whose money it is; look for the account by number or name.")
    if home is None:
        raise Unfit(book.missing(who.portfolios, wish.account))
    return RecogniseCash(
        **named,
        account=wish.account,
        by="person",
        evidence=("said by a person",),
        learn=bool(wish.learn),
        reason=wish.text,
        version=_version(wish),
    )


# --- told -----------------------------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True):
    """What became of it. `ended`: the next one is taken in hand. `receipt`: what came of an entry, and how that `stands`."""

    text: str
    tone: str
    ended: bool = False
    receipt: str = ""
    stands: str = ""


def told_of(wish: Wish, outcome: Outcome, name: str, currency: str, first: str = "") -> Told:
    """`name`: what it was about; `first`: who was quicker."""
    if not outcome.is_done:
        why = refusing.told(outcome, currency)
        return Told(f"{name}: {why}{' ' + first if first else ''}", outcome.tone)
    if "answer_by" in outcome.fact:
        return Told(f"{name}: asked of the ERP, which keeps this book ({outcome.fact['request']}).", outcome.tone, _ends(wish, 0))
    left = int(outcome.fact.get("unallocated_minor") or 0) if wish.do in ("propose", "allocate") else 0
    rest = f" {told_money(left, currency)} of it is left." if left else ""
    return Told(_SAID[wish.do].format(name=name, owner=wish.owner, account=wish.account) + rest, outcome.tone, _ends(wish, left))


def with_receipt(told: Told, name: str, receipt: Receipt | None) -> Told:
    """Of an entry that was recognised; `receipt` is None while its account has not been heard."""
    stands = _STANDS.get(receipt.state, "is made") if receipt is not None else _STANDS["pending"]
    return msgspec.structs.replace(told, receipt=name, stands=stands)


_STANDS = {
    "pending": "is made and being matched",
    "referred": "is made; nothing is allocated yet, it waits on this desk",
    "on_account": "is made and stays on account",
    "done": "is made and allocated",
}


def _ends(wish: Wish, left: int) -> bool:
    return wish.do in ENDS and not left


_SAID = {
    "propose": "{name} is allocated.",
    "allocate": "{name} is allocated.",
    "keep": "{name} stays on account.",
    "give_back": "{name} is back in suspense.",
    "refund": "A refund of {name} is proposed: somebody else approves it.",
    "unallocate": "The match is taken back; its items are open again.",
    "take": "{name} is yours.",
    "assign": "{name} is given to {owner}.",
    "recognise": "{name} is {account}'s.",
    "set_aside": "{name} is set aside.",
}
