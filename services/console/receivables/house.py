"""The house's own words and choices for receivables: who sends a statement, the base currency, how debts are aged. Read once.

They decide nothing about money: postings, rates and tolerances are the ledger's own policy.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from services.console.papers.statement import Ours
from shared.receivables.ageing import Basis, Policy

FILE = Path(__file__).with_name("house.yaml")


class House(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    address: tuple[str, ...]
    details: tuple[str, ...]
    pay: tuple[tuple[str, str], ...]
    footer: str
    base_currency: str
    basis: Basis
    bounds: tuple[int, ...]
    dso_months: int
    count_back_months: int
    reconciling_tolerance_minor: int
    offset_days_ahead: int
    law: str

    @property
    def policy(self) -> Policy:
        return Policy(basis=self.basis, bounds=self.bounds)

    @property
    def ours(self) -> Ours:
        return Ours(name=self.name, address=self.address, details=self.details, pay=self.pay, footer=self.footer)


@functools.cache
def house() -> House:
    """Raises msgspec's own error, with the field, when the file is none."""
    return msgspec.yaml.decode(FILE.read_bytes(), type=House)
