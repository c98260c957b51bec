"""What a person may do about money out and money given up, as commands: from a form to a wish, and from its outcome to words.

Nothing is decided here: the ledger says who may, and what fits. Pure (P10, P11, A6).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from contracts.envelope import derived_id
from contracts.forms import Faulty, in_words, message_of
from contracts.message import Command
from contracts.payments import (
    ApprovePayout,
    ConfirmBankDetails,
    DeclinePayout,
    MakePaymentFile,
    NoteBankDetails,
    ProposeRefund,
    ProposeWriteOff,
    ReverseWriteOff,
    StopRefund,
)
from services.console import amounts, refusing
from services.console.receivables.allocating import Unfit
from services.console.receivables.ledger import Item
from services.console.wishes import Outcome

Form = Mapping[str, str]
NAME_LENGTH = 12
"""Of a derived name in a file's own: enough that two of one day never share it."""


def command_of(form: Form, item: Item | None = None) -> Command:
    """`item`: the open item that a proposal names. Raises `Unfit`, in words for who filled in the form."""
    make = _MAKES.get(form.get("do", ""))
    if make is None:
        raise Unfit(f"There is no such action; choose one of {', '.join(_MAKES)}.")
    try:
        return make(form, item)
    except Faulty as faulty:
        raise Unfit(in_words(faulty.faults)) from faulty


def _plain(kind: type[Command], *fields: str) -> Callable[[Form, Item | None], Command]:
    """The command with these fields as they were typed; an empty one is left out, and missed where it is needed."""

    def make(form: Form, item: Item | None) -> Command:
        return message_of(kind, {name: text for name in fields if (text := form.get(name, "").strip())})

    return make


def _proposal(kind: type[Command]) -> Callable[[Form, Item | None], Command]:
    def make(form: Form, item: Item | None) -> Command:
        if item is None:
            raise Unfit(f"{form.get('account', '')} has no open item {form.get('item', '')!r}; look at its ledger.")
        values: dict[str, Any] = {name: form.get(name, "").strip() for name in ("reason", "evidence")}
        values |= {"account": item.account, "item": item.item, "amount_minor": _amount(form.get("amount", ""), item)}
        values["key"] = derived_id("payout", item.key, str(values["amount_minor"]), str(item.sequence))
        return message_of(kind, {name: value for name, value in values.items() if value != ""})

    return make


def _amount(text: str, item: Item) -> int:
    """What was typed, or all that is open. What is above zero, of a credit too: a sign that is dropped would be another wish."""
    if not text.strip():
        return abs(item.open_minor)
    try:
        minor = amounts.minor_of(text, item.currency)
    except amounts.NoAmount as error:
        raise Unfit(f"The amount: {error}.") from error
    if minor <= 0:
        raise Unfit(f"The amount is more than nothing: {text.strip()} is not; leave it empty for all that is open.")
    return minor


def _file(form: Form, item: Item | None) -> Command:
    """All that was shown as waiting, no more: a refund that came since is for the next file."""
    requests = [name for name in form.get("refunds", "").split(",") if name]
    name = file_name(form.get("bank_account", ""), form.get("currency", ""), _day(form.get("day", "")), requests)
    values = {"bank_account": form.get("bank_account", ""), "file": name, "on": form.get("day", ""), "refunds": requests}
    return message_of(MakePaymentFile, values)


def file_name(bank_account: str, currency: str, on: dt.date, requests: list[str]) -> str:
    """Follows from what is in it, so that a form sent twice is one file."""
    return f"PF-{on:%Y%m%d}-{currency}-{derived_id('file', bank_account, *requests)[:NAME_LENGTH].upper()}"


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Unfit("Say on which day the bank is to pay.") from None


def _stop(form: Form, item: Item | None) -> Command:
    values = {name: form.get(name, "").strip() for name in ("bank_account", "request", "reason")}
    return message_of(StopRefund, {**values, "by_bank": "by_bank" in form})


_MAKES: Mapping[str, Callable[[Form, Item | None], Command]] = {
    "approve": _plain(ApprovePayout, "account", "request", "reason"),
    "decline": _plain(DeclinePayout, "account", "request", "reason"),
    "reverse": _plain(ReverseWriteOff, "account", "request", "reason"),
    "note": _plain(NoteBankDetails, "account", "iban", "holder", "reason"),
    "confirm": _plain(ConfirmBankDetails, "account", "iban", "called", "reason"),
    "refund": _proposal(ProposeRefund),
    "write_off": _proposal(ProposeWriteOff),
    "file": _file,
    "stop": _stop,
}
"""`do` of a form → the command."""
PROPOSES = ("refund", "write_off")


def told_of(form: Form, outcome: Outcome, currency: str) -> str:
    """What became of it, in words."""
    if not outcome.is_done:
        return refusing.told(outcome, currency)
    if outcome.word == "unchanged":
        return "It was so already; nothing changed."
    return _SAID[form["do"]].format(account=form.get("account", ""), file=outcome.fact.get("file", ""))


_SAID = {
    "approve": "Approved. It is carried out if so much is still open, and a refund then waits for the next payment file; "
    "what became of it stands below.",
    "decline": "Declined; whoever asked sees your reason.",
    "reverse": "The write-off is taken back; its item is open again.",
    "note": "The details of {account} are noted. They pay nothing until somebody else has called the customer back.",
    "confirm": "The details of {account} are confirmed and may be paid to.",
    "refund": "Proposed: somebody else approves it.",
    "write_off": "Proposed: somebody else approves it.",
    "file": "{file} is made. Download it below and hand it to the bank.",
    "stop": "Stopped; the credit is open again.",
}
