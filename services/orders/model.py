"""The order desk's model, pure: how a decision is made, what facts change, and how it is explained.

Its parts are named after the business; this page only gathers what the command line, pages and tests call.
"""

from __future__ import annotations

from services.orders.fold import evolve
from services.orders.judge import DECIDER, recompute
from services.orders.state import State, rows
from shared.credit.describing import Line, describe
from shared.credit.rulebook import SHIPPED, Rulebook, book_at, find_book

__all__ = [
    "DECIDER",
    "SHIPPED",
    "Line",
    "Rulebook",
    "State",
    "book_at",
    "describe",
    "evolve",
    "find_book",
    "recompute",
    "rows",
]
