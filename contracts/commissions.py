"""Messages of commissions that bear on credit: unconnected stock at a partner (O2.13, M11)."""

from __future__ import annotations

from contracts.message import Fact
from contracts.words import Amount, Count, Reference


class StockPosition(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Handsets shipped in the last 90 days, and how many of them are not connected yet."""

    account: Reference
    shipped_units: Count
    unconnected_units: Count
    unconnected_minor: Amount = 0
