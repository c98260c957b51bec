"""Bodies of requests to commands: JSON read strictly, orders as people write them, CloudEvents as contracts say. Pure.

Every fault of a body is told at once, with its field and how to mend it.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, cast

import msgspec
from pydantic import BaseModel, ConfigDict, Field, create_model

from contracts import accounts, orders, payments
from contracts.catalogue import MESSAGES
from contracts.forms import (
    AmountText,
    Fault,
    Faulty,
    Form,
    InstantText,
    convert,
    fields_of,
    filled,
    message_of,
    path_of,
)
from contracts.message import Command, type_name
from contracts.words import Reference
from shared import money
from shared.card_number import looks_like_card

FEED_SEPARATOR = "/"
PERSON = "person"
"""Who recognises cash from outside; whatever else does is a proof of the ledger's own."""

SENDABLE: frozenset[type[Command]] = frozenset(
    {
        orders.PlaceOrder,
        orders.ChangeOrder,
        orders.CancelOrder,
        orders.ReleaseOrder,
        orders.ReferOrder,
        orders.RejectOrder,
        orders.AskCustomer,
        orders.AssignOrder,
        orders.NoteOrder,
        orders.SplitOrder,
        orders.RankOrder,
        orders.RecordDespatch,
        orders.RecordDelivery,
        orders.RecordReturn,
        orders.AnswerRecall,
        orders.RegisterDeal,
        orders.ApproveDeal,
        orders.DeclineDeal,
        orders.WithdrawDeal,
        accounts.OpenAccount,
        accounts.ChangeTerms,
        accounts.ChangeLimit,
        accounts.PutOnStop,
        accounts.TakeOffStop,
        accounts.TerminateAccount,
        accounts.ScheduleStop,
        accounts.CallOffStop,
        accounts.AssignStop,
        accounts.AddStopAction,
        accounts.CloseStopAction,
        accounts.NoteStopProgress,
        accounts.NoteAccount,
        accounts.ApproveRequest,
        accounts.DeclineRequest,
        accounts.WithdrawRequest,
        accounts.AppointDeputy,
        accounts.EndDeputy,
        payments.PostItem,
        payments.ClosePeriod,
        payments.TakeStatement,
        payments.RecogniseCash,
        payments.SetAsideEntry,
        payments.TakeEntry,
        payments.AllocateCash,
        payments.UnallocateCash,
        payments.KeepOnAccount,
        payments.TakeCash,
        payments.GiveBackCash,
        payments.ForgetPayer,
        payments.TakeAdvice,
        payments.NoteBankDetails,
        payments.ConfirmBankDetails,
        payments.ProposeRefund,
        payments.ProposeWriteOff,
        payments.ApprovePayout,
        payments.DeclinePayout,
        payments.ReverseWriteOff,
        payments.OffsetItems,
        payments.UndoOffset,
        payments.MakePaymentFile,
        payments.StopRefund,
        payments.TakeCardPayment,
        payments.RefundCardPayment,
        payments.TakePosting,
        payments.DeclinePosting,
    }
)
"""Commands that may come from outside. What a service sends itself (timers, rechecks, second steps) is not among them."""

SENDABLE_NAMES: Mapping[str, type[Command]] = {type_name(command): command for command in sorted(SENDABLE, key=type_name)}


class Malformed(ValueError):
    """Text that is no JSON: where it breaks, and how to mend it."""

    def __init__(self, line: int, column: int, problem: str, mend: str) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")
        self.line, self.column, self.problem, self.mend = line, column, problem, mend


# --- JSON -----------------------------------------------------------------------------------------------------------


def parse(raw: bytes) -> Any:
    """The JSON value of these bytes. Raises `Malformed` with line and column."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line, column = raw.count(b"\n", 0, error.start) + 1, error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise Malformed(line, column, f"byte {raw[error.start]:#04x} is not UTF-8", "send the body as UTF-8") from error
    try:
        return _checked(json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant))
    except json.JSONDecodeError as error:
        raise Malformed(error.lineno, error.colno, error.msg, _mend_json(text, error.pos)) from error
    except RecursionError as error:
        raise Malformed(1, 1, "nested too deep", "flatten the body") from error
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(1, 1, str(error)[:200], "write numbers of ordinary size") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Malformed(1, 1, f"a key stands twice in one object: {', '.join(map(repr, twice))[:200]}", "keep one of them")
    return found


def _no_constant(name: str) -> NoReturn:
    raise Malformed(1, 1, f"{name} is no JSON", "write a number")


def _checked(value: Any) -> Any:
    """The value, if no text in it holds what PostgreSQL or UTF-8 cannot."""
    for path, text in _texts(value, ()):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            where = path_of(path).encode(errors="replace").decode()
            raise Malformed(1, 1, f"the text at {where!r} holds NUL or half a surrogate pair", "remove it")
    return value


def _texts(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, part in value.items():
                yield (*path, "(key)"), name
                yield from _texts(part, (*path, name))
        case list():
            for n, part in enumerate(value):
                yield from _texts(part, (*path, n))


def _mend_json(text: str, position: int) -> str:
    before = text[:position].rstrip()[-1:]
    if position >= len(text.rstrip()):
        return "the text ends too early: close every brace, bracket and quote"
    if text[position] == "'" or before == "'":
        return 'write texts and keys in double quotes: "like this"'
    if before == "," or text[position] in "}]":
        return "remove the comma before a closing brace or bracket"
    return "check this place: a comma, colon or quote is missing or too many"


# --- an order as people write it ------------------------------------------------------------------------------------


def _order_form() -> type[Form]:
    line = fields_of(orders.Line, spelled=True) | {"amount": (AmountText, Field(default=None))}
    line_form = create_model("OrderLine", __base__=Form, __doc__=_LINE_DOC, **cast(dict[str, Any], line))
    placed = fields_of(orders.Placed, spelled=True)
    fields: dict[str, Any] = {
        "reference": (Annotated[str, Field(strict=True, min_length=1, max_length=64)], ...),
        "account": fields_of(orders.PlaceOrder, spelled=True)["account"],
        **placed,
        "received_at": (InstantText, Field(default=None)),
        "lines": (Annotated[tuple[line_form, ...], Field(max_length=orders.LINES_MAX)], Field(default=())),
    }
    return create_model("Order", __base__=Form, __doc__=_ORDER_DOC, **fields)


_LINE_DOC = """`amount` may be left out: it is quantity x unit_price, rounded half to even.

A unit price may have more decimals than the currency."""
_ORDER_DOC = """An order. Amounts are decimal text in major units of the currency: "999.95".

`total` is the sum of the lines, where there are lines. `received_at` left out means now."""

OrderForm = _order_form()


class Wish(NamedTuple):
    """A command from a body. `dated`: its times came from the sender, so they are part of its content."""

    command: Command
    key: str
    at: dt.datetime
    dated: bool = True


def order_wish(body: object, feed: str, now: dt.datetime) -> Wish:
    """The order in this body. Raises `Faulty`."""
    sent = filled(OrderForm, body)
    reference, account = sent.pop("reference"), sent.pop("account")
    dated = "received_at" in sent
    placed = _placed(sent, sent.setdefault("received_at", now))
    named = convert({"order": f"{feed}{FEED_SEPARATOR}{reference}"}, _Named).order
    command = orders.PlaceOrder(order=named, account=account, placed=placed)
    return Wish(command, reference, placed.received_at, dated)


class _Named(msgspec.Struct):
    order: Reference


def _placed(sent: Mapping[str, Any], received_at: dt.datetime) -> orders.Placed:
    currency = sent["currency"]
    faults: list[Fault] = []
    lines = [_line(line, n, currency, faults) for n, line in enumerate(sent.get("lines", ()))]
    values = {**sent, "lines": lines, "received_at": received_at}
    for name in ("total", "prepaid"):
        if name in values:
            values[f"{name}_minor"] = _never_negative(values.pop(name), currency, name, faults)
    if faults:
        raise Faulty(*faults)
    placed = convert(values, orders.Placed)
    if faults := list(placed_faults(placed)):
        raise Faulty(*faults)
    return placed


def _line(line: Mapping[str, Any], n: int, currency: str, faults: list[Fault]) -> dict[str, Any]:
    values = dict(line)
    try:
        values["amount_minor"] = money.extended(values["quantity"], values["unit_price"], currency)
    except money.NotMoney as error:
        faults.append(money_fault(f"lines[{n}].unit_price", error))
    if (amount := values.pop("amount", None)) is not None:
        values["amount_minor"] = _minor(amount, currency, f"lines[{n}].amount", faults)
    return values


def _never_negative(text: str, currency: str, field: str, faults: list[Fault]) -> int:
    amount = _minor(text, currency, field, faults)
    if amount < 0:
        faults.append(Fault(field, f"{text} is negative", "correct it; what comes back is sent as orders.record_return"))
    return max(amount, 0)


def _minor(text: str, currency: str, field: str, faults: list[Fault]) -> int:
    try:
        return money.parse(text, currency)
    except money.NotMoney as error:
        faults.append(money_fault(field, error))
        return 0


def money_fault(field: str, error: money.NotMoney) -> Fault:
    """The kit says what is wrong with an amount and, behind a semicolon, how to mend it."""
    problem, _, mend = str(error).partition("; ")
    return Fault(field, problem, mend)


def placed_faults(placed: orders.Placed) -> Iterator[Fault]:
    """What the types of an order cannot say: lines are quantity x price, and the total is their sum."""
    currency = placed.currency
    if currency not in money.EXPONENTS:
        yield Fault("currency", f"{currency!r} is no active ISO 4217 currency", "write three capitals, such as GBP")
        return
    for n, line in enumerate(placed.lines):
        yield from _line_faults(line, n, currency)
    summed = sum(line.amount_minor for line in placed.lines)
    if placed.lines and summed != placed.total_minor:
        total = money.as_text(placed.total_minor, currency)
        told = f"total {total} is not the sum of the lines, {money.as_text(summed, currency)}"
        yield Fault("total", told, "correct the total or the lines")


def _line_faults(line: orders.Line, n: int, currency: str) -> Iterator[Fault]:
    try:
        expected = money.extended(line.quantity, line.unit_price, currency)
    except money.NotMoney as error:
        yield money_fault(f"lines[{n}].unit_price", error)
        return
    if expected != line.amount_minor:
        amount = money.as_text(line.amount_minor, currency)
        told = f"amount {amount} is not quantity x unit price, {money.as_text(expected, currency)}"
        yield Fault(f"lines[{n}].amount", told, "correct it, or leave it out")


# --- CloudEvents ----------------------------------------------------------------------------------------------------


class Event(BaseModel):
    """A CloudEvent 1.0. `source` and `id` are its identity for ever; `data` the contract's message of `type`."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    source: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    type: Literal[tuple(SENDABLE_NAMES)]  # type: ignore[valid-type]
    time: InstantText = cast(dt.datetime, None)
    data: dict[str, Any]


FROM_CREDENTIAL = ("actorid", "actorrole", "teamid")
"""Attributes that nobody may say of themselves."""


def event_wish(body: object, now: dt.datetime) -> Wish:
    """The command in this CloudEvent. Raises `Faulty`."""
    event = filled(cast(type[Form], Event), body)
    if forged := [name for name in FROM_CREDENTIAL if name in event]:
        raise Faulty(*(Fault(name, "who sends is known from the credential", "remove it") for name in forged))
    message = cast(type[Command], MESSAGES[event["type"]])
    try:
        command = message_of(message, event["data"])
    except Faulty as error:
        raise Faulty(*(msgspec.structs.replace(fault, field=f"data.{fault.field}") for fault in error.faults)) from None
    _check_money(command)
    _check_ledger(command)
    return Wish(command, f"{event['source']}\0{event['id']}", event.get("time", now))


def _check_money(command: Command) -> None:
    match command:
        case orders.PlaceOrder() | orders.ChangeOrder():
            faults = [
                msgspec.structs.replace(fault, field=f"data.placed.{fault.field}") for fault in placed_faults(command.placed)
            ]
        case orders.RecordReturn():
            faults = list(_return_faults(command))
        case accounts.OpenAccount() | orders.RegisterDeal() if command.currency not in money.EXPONENTS:
            faults = [Fault("data.currency", f"{command.currency!r} is no active ISO 4217 currency", "write it as GBP")]
        case accounts.OpenAccount() if command.parent == command.account:
            faults = [Fault("data.parent", "an account cannot be its own parent", "leave it out for a root")]
        case accounts.OpenAccount() | accounts.ChangeTerms():
            faults = list(_terms_faults(command.terms))
        case _:
            faults = []
    if faults:
        raise Faulty(*faults)


def _terms_faults(terms: accounts.Terms) -> Iterator[Fault]:
    if terms.statement_cadence not in accounts.CADENCES:
        told = f"{terms.statement_cadence!r} is no cadence of statements"
        yield Fault("data.terms.statement_cadence", told, f"write one of: {', '.join(accounts.CADENCES)}")


def _return_faults(command: orders.RecordReturn) -> Iterator[Fault]:
    summed = -sum(line.amount_minor for line in command.lines)
    if command.currency not in money.EXPONENTS:
        yield Fault("data.currency", f"{command.currency!r} is no active ISO 4217 currency", "write it as GBP")
    elif command.lines and summed != command.total_minor:
        yield Fault("data.total_minor", f"{command.total_minor} is not what the lines return, {summed}", "correct it")


def _check_ledger(command: Command) -> None:
    """What the types of a wish to the ledger cannot say: real currencies, and nothing that the house says itself."""
    match command:
        case payments.PostItem() | payments.TakeAdvice():
            faults = list(_currency_faults("data", command.currency))
        case payments.TakeCardPayment():
            faults = [*_currency_faults("data", command.currency), *_number_faults(command)]
        case payments.TakePosting():
            faults = []
            currencies = [*(line.currency for line in command.opens), *(line.currency for line in command.clears)]
            for n, currency in enumerate(currencies):
                faults += _currency_faults(f"data.lines[{n}]", currency)
        case payments.TakeStatement():
            faults = list(_currency_faults("data", command.currency))
            for n, entry in enumerate(command.entries):
                faults += _currency_faults(f"data.entries[{n}]", entry.currency)
        case payments.RecogniseCash():
            faults = list(_recognising_faults(command))
        case payments.ClosePeriod():
            faults = list(_closing_faults(command))
        case _:
            faults = []
    if faults:
        raise Faulty(*faults)


def _currency_faults(place: str, currency: str) -> Iterator[Fault]:
    if currency not in money.EXPONENTS:
        yield Fault(f"{place}.currency", f"{currency!r} is no active ISO 4217 currency", "write three capitals, such as GBP")


def _number_faults(command: payments.TakeCardPayment) -> Iterator[Fault]:
    """Before anything is kept: the ledger refuses a card number too, but then it stands in our journal (P9). Never repeated."""
    for field in ("token", "payment"):
        if looks_like_card(getattr(command, field)):
            yield Fault(f"data.{field}", "looks like a card number", "send the token that the acquirer's own form gives for it")


def _recognising_faults(command: payments.RecogniseCash) -> Iterator[Fault]:
    """A person says whose money it is; where that account lives is known here, and guesses are the ledger's own."""
    if command.account is None:
        yield Fault("data.account", "is missing", "name the account that paid; what is nobody's is set aside")
    if command.account_home is not None:
        yield Fault("data.account_home", "where an account lives is known here", "remove it")
    if command.candidates:
        yield Fault("data.candidates", "who may have paid is found by the ledger", "remove it")
    if command.by != PERSON:
        yield Fault("data.by", "what comes from outside is said by a person", "remove it")


def _closing_faults(command: payments.ClosePeriod) -> Iterator[Fault]:
    if command.account != payments.LEDGER:
        yield Fault("data.account", "a month is closed for the whole ledger", f"write {payments.LEDGER!r}")
    if command.partition:
        yield Fault("data.partition", "every partition is told", "remove it")


def identity(body: object) -> str:
    """What a body that cannot be taken calls itself, if it does: its reference or id. Empty when it does not."""
    if not isinstance(body, dict):
        return ""
    found = body.get("reference") or body.get("id")
    return found[:200] if isinstance(found, str) else ""


@functools.cache
def event_schema() -> dict[str, Any]:
    return Event.model_json_schema()
