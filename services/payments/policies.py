"""The dated versions of the ledger's policy: tolerances, rates, reasons, authority. Files that are never edited, so that a replay
of an old day meets the policy of that day."""

from __future__ import annotations

import datetime as dt
import functools
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from shared.money import exponent, rounded
from shared.receivables import payment_file
from shared.working_time import DAY_MINUTES, Calendar, is_working_day

FOLDER = Path(__file__).parent / "policy"


class Tolerance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most this amount, and at most so many hundredths of a percent of the item."""

    amount_minor: int
    basis_points: int

    def of(self, open_minor: int) -> int:
        return min(self.amount_minor, abs(open_minor) * self.basis_points // 10_000)


class Grade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one role may approve of one kind; no maximum means no limit."""

    role: str
    level: int
    maximum_minor: int | None = None

    def covers(self, amount_minor: int) -> bool:
        return self.maximum_minor is None or amount_minor <= self.maximum_minor


class Sweep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is open so long and at most its currency's amount is proposed monthly; `automatic_minor` needs nobody (P11)."""

    days: int
    automatic_minor: int
    amounts: dict[str, int]


class Offsetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be set off (P8): whether an agreement must be named, and how many days before it is due a debt may be."""

    needs_agreement: bool
    days_ahead: int


class OurAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of ours, the bank account that pays refunds of one currency (P10); `bank_account` names its stream.

    `cut_off`: at this time (UTC) of each banking day of `region` what waits goes into a file; without one a person makes files.
    """

    bank_account: str
    iban: str
    name: str
    bic: str = ""
    cut_off: dt.time | None = None
    region: str = ""

    @property
    def named(self) -> payment_file.OurAccount:
        """As the file names it."""
        return payment_file.OurAccount(self.iban, self.name, self.bic)


def working_week(region: str) -> Calendar:
    """Monday to Friday without the holidays of the region, by UTC."""
    return Calendar(zone="UTC", hours=(WHOLE_DAY,) * 5 + ((),) * 2, region=region)


WHOLE_DAY = ((0, DAY_MINUTES),)


class Statements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Statements of account (P13): the cadence of accounts whose terms leave it to the policy, and when they leave: at this time
    (UTC) of the first working day of `region` behind the month or week."""

    cadence: Literal["monthly", "weekly", "none"] = "none"
    at: dt.time = dt.time(6)
    region: str = ""

    def leaves_at(self, as_of: dt.date) -> dt.datetime:
        week, day = working_week(self.region), as_of + ONE_DAY
        while not is_working_day(week, day):
            day += ONE_DAY
        return dt.datetime.combine(day, self.at, dt.UTC)


ONE_DAY = dt.timedelta(days=1)
RECORD, MIRROR = "record", "mirror"
"""Who keeps the book of a legal entity: this ledger, or its ERP (P1)."""


class Entity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A legal entity: `mirror` means that postings come from the ERP, under this company code, and requests are answered within
    `answer_days`."""

    book: Literal["record", "mirror"] = "record"
    company_code: str = ""
    answer_days: int = 3

    def __post_init__(self) -> None:
        if self.book == MIRROR and not self.company_code:
            raise ValueError("a legal entity whose book is a mirror needs its company_code in the ERP")


KEPT_HERE = Entity()


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`takes`: role -> largest difference. `refuses`: billing errors that keep an invoice out. `reasons`: claim type -> words.
    `entities`: legal entity -> who keeps its book; one that is not named keeps it here."""

    version: str
    effective_from: dt.date
    base_currency: str
    payment_days: int
    rates: dict[str, Decimal]
    tolerance: Tolerance
    takes: dict[str, int]
    oldest_first: frozenset[str]
    discount_grace_days: int
    reasons: dict[str, tuple[str, ...]]
    refuses: frozenset[str]
    four_eyes: frozenset[str]
    authority: dict[str, tuple[Grade, ...]]
    sweep: Sweep
    offset: Offsetting
    pays_from: dict[str, OurAccount]
    entities: dict[str, Entity] = {}
    statements: Statements = Statements()

    def base_of(self, amount_minor: int, currency: str) -> int:
        """In minor units of the base currency, by this version's rate. Raises `LookupError` for a currency without a rate."""
        if currency == self.base_currency:
            return amount_minor
        if currency not in self.rates:
            raise LookupError(f"no rate for {currency} in policy {self.version}")
        amount = Decimal(amount_minor).scaleb(-exponent(currency)) * self.rates[currency]
        return rounded(amount, self.base_currency)

    def entity(self, name: str) -> Entity:
        return self.entities.get(name, KEPT_HERE)

    def has_rate(self, currency: str) -> bool:
        return currency == self.base_currency or currency in self.rates

    def may(self, kind: str, role: str, amount_minor: int) -> bool:
        return any(grade.covers(amount_minor) for grade in self.authority[kind] if grade.role == role)

    def levels(self, kind: str, amount_minor: int) -> tuple[str, ...]:
        """Every role that covers this amount, lowest level first."""
        able = [grade for grade in self.authority[kind] if grade.covers(amount_minor)]
        return tuple(grade.role for grade in sorted(able, key=lambda grade: grade.level))


@functools.cache
def versions() -> tuple[Policy, ...]:
    """Every version, newest first. Raises when a file is not a policy: better at the start than at a receipt."""
    found = [msgspec.yaml.decode(path.read_bytes(), type=Policy) for path in FOLDER.glob("*.yaml")]
    return tuple(sorted(found, key=lambda policy: policy.effective_from, reverse=True))


def in_force(on: dt.date) -> Policy:
    """The version of that day; before the first one, the first."""
    return next((policy for policy in versions() if policy.effective_from <= on), versions()[-1])
