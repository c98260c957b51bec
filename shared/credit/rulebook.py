"""A credit policy as data: read, checked against its shape, hashed, and compiled to the rules that one order is judged by.

The most specific scope that sets a thing wins: order, account, portfolio, risk class, all. Compiled rules are remembered
by the policy's hash; they follow from it alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from contracts.orders import Inputs
from contracts.words import Amount, Count, Reference, Word
from shared.credit.checks import BEHIND_QUEUE, BY_VALUE, TESTS, Check, Checks, Exposure, Test
from shared.credit.clocks import Desk, Hours, hours_of
from shared.working_time import NoWorkingTime

SHIPPED_FOLDER = Path(__file__).with_name("policy")
DIGEST_LENGTH = 12
SECTIONS = ("exposure", "reservation", "queue", "desk", "checks")
SCOPES = ("risk_class", "portfolio", "account", "order")
"""From the widest to the most specific."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    effective_from: dt.date
    digest: str
    policy: dict[str, object]


class Policies(msgspec.Struct, frozen=True):
    """The policies adopted in one partition, by the day they take effect; of the same day the last one counts."""

    partition: str
    adopted: tuple[Adopted, ...] = ()


class Reservation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    validity_days: Annotated[int, Meta(ge=0, le=3650)] = 30
    deviation_percent: Annotated[int, Meta(ge=0, le=1000)] = 10
    ship_within_days: Annotated[int, Meta(ge=0, le=3650)] = 30


class Queue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    passing: bool = True


class Authority(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a role may release (A6); without a maximum, any amount."""

    role: Word
    level: Count
    maximum_minor: Amount | None = None

    def covers(self, value_minor: int) -> bool:
        return self.maximum_minor is None or value_minor <= self.maximum_minor


class Sections(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is compiled for one scope."""

    exposure: Exposure
    reservation: Reservation
    queue: Queue
    desk: Desk
    checks: Checks


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the four names, and what is different for it."""

    order: Reference | None = None
    account: Reference | None = None
    portfolio: Reference | None = None
    risk_class: Word | None = None
    exposure: dict[str, Any] = {}
    reservation: dict[str, Any] = {}
    queue: dict[str, Any] = {}
    desk: dict[str, Any] = {}
    checks: dict[str, dict[str, Any]] = {}


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy, as it stands in its file. `desk` came later: without it the standard hours count."""

    version: Annotated[str, Meta(min_length=1, max_length=40)]
    effective_from: dt.date
    time_zone: str
    authority: Annotated[tuple[Authority, ...], Meta(min_length=1)]
    exposure: dict[str, Any]
    reservation: dict[str, Any]
    queue: dict[str, Any]
    checks: dict[str, dict[str, Any]]
    desk: dict[str, Any] = {}
    scopes: tuple[Scope, ...] = ()


class PolicyError(ValueError):
    """This is no credit policy: what is wrong, and where."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What one order is judged by. `active` leaves out the checks that are off."""

    policy: str
    zone: ZoneInfo
    authority: tuple[Authority, ...]
    exposure: Exposure
    reservation: Reservation
    queue: Queue
    hours: Hours
    checks: Checks
    active: tuple[tuple[str, Test, Check, bool], ...]
    """(name, test, rule, whether a failure only warns)"""


class Rulebook:
    """One version of the policy, with the rules it gives in each scope."""

    def __init__(self, policy: dict[str, Any]) -> None:
        self.document = _document(policy)
        self.digest = digest_of(policy)
        self.stamp = f"{self.document.version}:{self.digest}"
        self.zone = _zone(self.document.time_zone)
        self._scopes = {(name, value): scope for scope in self.document.scopes for name, value in _names(scope)}
        self._named = {scope: frozenset(value for name, value in self._scopes if name == scope) for scope in SCOPES}
        self._orders, self._accounts = self._named["order"], self._named["account"]
        self._portfolios, self._risk_classes = self._named["portfolio"], self._named["risk_class"]
        self._compiled: dict[tuple[str, str, str, str], Rules] = {}
        for name, value in [*self._scopes, ("", "")]:
            self._rules(**{**dict.fromkeys(SCOPES, ""), **({name: value} if name else {})})  # a mistake shows at adoption

    @property
    def portfolios(self) -> frozenset[str]:
        """Those with rules of their own."""
        return self._portfolios

    def rules(self, order: str, account: str, portfolio: str, risk_class: str) -> Rules:
        # Whatever has no rules of its own shares an entry, so the memory is bounded by the policy.
        key = (
            risk_class if risk_class in self._risk_classes else "",
            portfolio if portfolio in self._portfolios else "",
            account if account in self._accounts else "",
            order if order in self._orders else "",
        )
        return self._compiled.get(key) or self._rules(*key)

    def _rules(self, risk_class: str, portfolio: str, account: str, order: str) -> Rules:
        key = (risk_class, portfolio, account, order)
        layers: list[Any] = [self.document]
        layers += [self._scopes[scope] for scope in zip(SCOPES, key, strict=True) if scope in self._scopes]
        rules = self._compiled[key] = self._compile(_merged(layers))
        return rules

    def _compile(self, sections: Sections) -> Rules:
        found = [(name, test, getattr(sections.checks, name)) for name, test in TESTS]
        return Rules(
            policy=self.stamp,
            zone=self.zone,
            authority=tuple(sorted(self.document.authority, key=lambda each: each.level)),
            exposure=sections.exposure,
            reservation=sections.reservation,
            queue=sections.queue,
            hours=_hours(sections.desk, self.zone),
            checks=sections.checks,
            active=tuple((name, test, rule, rule.mode == "warn") for name, test, rule in found if rule.mode != "off"),
        )


def _document(policy: dict[str, Any]) -> Document:
    try:
        document = msgspec.convert(policy, Document)
    except msgspec.ValidationError as error:
        raise PolicyError(str(error)) from error
    if len({each.role for each in document.authority}) < len(document.authority):
        raise PolicyError("a role stands twice - at `$.authority`")
    return document


def _names(scope: Scope) -> list[tuple[str, str]]:
    names = [(name, value) for name in SCOPES if (value := getattr(scope, name)) is not None]
    if len(names) != 1:
        raise PolicyError(f"a scope names exactly one of {', '.join(SCOPES)}, not {len(names)} - at `$.scopes`")
    return names


def _merged(layers: list[Any]) -> Sections:
    """Later layers are more specific; they replace single settings, not whole sections."""
    merged: dict[str, Any] = {section: {} for section in SECTIONS}
    for layer in layers:
        for section in SECTIONS[:-1]:
            merged[section] |= getattr(layer, section)
        for name, settings in layer.checks.items():
            merged["checks"][name] = merged["checks"].get(name, {}) | settings
    try:
        return msgspec.convert(merged, Sections)
    except msgspec.ValidationError as error:
        raise PolicyError(str(error)) from error


def _hours(desk: Desk, zone: ZoneInfo) -> Hours:
    try:
        return hours_of(desk, zone)
    except NoWorkingTime as error:
        raise PolicyError(f"{error} - at `$.desk`") from error


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise PolicyError(f"{name!r} is no time zone of the IANA database, such as Europe/London - at `$.time_zone`") from error


def digest_of(policy: dict[str, Any]) -> str:
    """A hash of what the policy says, not of how its file is written."""
    canonical = msgspec.json.encode(policy, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:DIGEST_LENGTH]


# --- which policy, which rules --------------------------------------------------------------------------------------


def read_policy(path: Path) -> dict[str, Any]:
    """The policy in this YAML file, as plain JSON values. Raises `PolicyError`."""
    try:
        read = msgspec.yaml.decode(path.read_bytes())
        return msgspec.json.decode(msgspec.json.encode(read), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise PolicyError(f"{path.name}: {error}") from error


def adopted_from(policy: dict[str, Any], effective_from: dt.date | None = None) -> Adopted:
    book = Rulebook(policy)
    day = effective_from or book.document.effective_from
    return Adopted(version=book.document.version, effective_from=day, digest=book.digest, policy=policy)


SHIPPED = tuple(
    sorted(
        (adopted_from(read_policy(path)) for path in SHIPPED_FOLDER.glob("*.yaml")),
        key=lambda each: each.effective_from,
    )
)
"""The policies of this release, in force where and while nothing else was adopted."""

_BOOKS: dict[str, Rulebook] = {}


def book_of(adopted: Adopted) -> Rulebook:
    book = _BOOKS.get(adopted.digest)
    if book is None:
        book = _BOOKS[adopted.digest] = Rulebook(adopted.policy)
    return book


def book_at(policies: Policies | None, at: dt.datetime) -> Rulebook:
    """The policy in force: the last one whose day has come, in UTC, so that the policy's own zone does not choose itself."""
    day = at.date()
    for adopted in reversed(policies.adopted if policies is not None else ()):
        if adopted.effective_from <= day:
            return book_of(adopted)
    for adopted in reversed(SHIPPED):
        if adopted.effective_from <= day:
            return book_of(adopted)
    return book_of(SHIPPED[0])


def find_book(policies: Policies | None, stamp: str) -> Rulebook | None:
    """The policy that a decision names (`Decision.policy`)."""
    adopted = policies.adopted if policies is not None else ()
    return next((book_of(each) for each in (*SHIPPED, *adopted) if f"{each.version}:{each.digest}" == stamp), None)


# --- authority ------------------------------------------------------------------------------------------------------


def authority_of(rules: Rules, role: str) -> Authority | None:
    return next((each for each in rules.authority if each.role == role), None)


def level_needed(rules: Rules, value_minor: int) -> Authority:
    """The lowest role whose maximum covers the value; where none does, the highest there is."""
    return next((each for each in rules.authority if each.covers(value_minor)), rules.authority[-1])


# --- pre-approved deals ---------------------------------------------------------------------------------------------

NOTHING: frozenset[str] = frozenset()


def covered(rules: Rules, inputs: Inputs) -> frozenset[str]:
    """The checks that the order's deal answers (O8): it is within the deal, or above it by no more than a release may grow
    (O4), and in its window. What it takes was reserved before, so it need not wait behind others. What no person may
    override, no deal does.
    """
    if not inputs.deal_minor or inputs.deal_from_on is not None:
        return NOTHING
    if inputs.value_minor * 100 > inputs.deal_minor * (100 + rules.reservation.deviation_percent):
        return NOTHING
    return frozenset([BEHIND_QUEUE, *(name for name in BY_VALUE if getattr(rules.checks, name).override)])
