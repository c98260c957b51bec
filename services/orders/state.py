"""The rows the order desk keeps, and the view of them that one message needs.

A view is about one account, at most one order, and the totals of its group: it never grows with how many orders the
account has. Nothing here decides anything.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from contracts import orders
from contracts.accounts import Terms
from contracts.message import Message
from shared.credit.clocks import MARKS
from shared.credit.rulebook import Policies

UNKNOWN = "unknown"
"""Status of an account that others have spoken of before the credit master did."""
RANK_LAST = 10**9
"""Rank of an order that the desk has not ranked: after all that it has."""


class Deal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An announced large order that may still come (O8). `reserved_minor` counts in exposure: the value once it is
    approved, less what orders have taken over. `by` registered it."""

    deal: str
    value_minor: int
    from_on: dt.date
    until_on: dt.date
    by: str
    reserved_minor: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the desk knows of an account. `broken` holds the days of promises broken lately, oldest first.

    `deals` are the open ones. They stand here because this row is read for every order of the account and written for none.
    """

    account: str
    home: str = ""
    parent: str | None = None
    name: str = ""
    currency: str = ""
    status: str = UNKNOWN
    terms: Terms = Terms()
    limit_minor: int = 0
    limit_expires_on: dt.date | None = None
    insured_minor: int = 0
    insured_until: dt.date | None = None
    review_due_on: dt.date | None = None
    dunning_level: int = 0
    broken: tuple[dt.date, ...] = ()
    stock_shipped: int = 0
    stock_unconnected: int = 0
    deals: tuple[Deal, ...] = ()

    @property
    def known(self) -> bool:
        return self.status != UNKNOWN

    def deal(self, name: str) -> Deal | None:
        return next((deal for deal in self.deals if deal.deal == name), None)


class Blocker(msgspec.Struct, frozen=True, gc=False):
    """The waiting order that no later one of its group may pass: where it stands in the queue."""

    rank: int
    turn: int
    order: str


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The parts of exposure of one account, or of a whole group (owner `group/<home>`), and its queue of waiting orders.

    `turns` counts the orders that ever joined the group's queue. `recheck`: 0 none, 1 open, 2 open and another asked for.
    `turns`, `recheck` and `blocker` are kept on the owner of the queue only (see `queue_owner`).
    """

    owner: str
    open_minor: int = 0
    unbilled_minor: int = 0
    reserved_minor: int = 0
    deals_minor: int = 0
    soft_credits_minor: int = 0
    disputed_minor: int = 0
    waiting: int = 0
    waiting_minor: int = 0
    ranked: int = 0
    turns: int = 0
    recheck: int = 0
    blocker: Blocker | None = None


class Debt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What falls due on one day. `open_minor` may be negative for the moment between a settlement and its invoice."""

    due_on: dt.date
    open_minor: int
    disputed_minor: int


class Ageing(msgspec.Struct, frozen=True, gc=False):
    """Debts of one account by due date, oldest first; days with nothing are left out. Credits do not age against debts."""

    account: str
    debts: tuple[Debt, ...] = ()


class Forward(msgspec.Struct, frozen=True, gc=False):
    """Reservations of orders that ship on a later day than they came, by that day (O2.4); past days are dropped."""

    owner: str
    days: tuple[tuple[dt.date, int], ...] = ()


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How one order stands. Its lines are in its facts only: this row is written for every order.

    `digest` is the content it was placed with, `latest` the content after a change (both empty for an order that only its
    despatch or invoice has told of). `approved_minor` is the value last released, the basis of O4. `billed_minor` is what
    an invoice billed before it was despatched. `releases` counts release instructions. `deal` is the announced deal it quotes.
    While it waits: its `clock`, how many of the clock's marks it has `reached`, which role was `told` last, and whether the
    customer was `asked` (O6).
    """

    order: str
    account: str
    home: str
    status: str
    received_at: dt.datetime | None = None
    digest: str = ""
    latest: str = ""
    first: str = ""
    total_minor: int = 0
    reserved_minor: int = 0
    unbilled_minor: int = 0
    billed_minor: int = 0
    despatched_minor: int = 0
    approved_minor: int = 0
    released_on: dt.date | None = None
    lapses_on: dt.date | None = None
    releases: int = 0
    recalled: bool = False
    waiting_minor: int = 0
    turn: int = 0
    rank: int = RANK_LAST
    level: str = ""
    owner: str = ""
    held_by: tuple[str, ...] = ()
    clock: orders.Clock | None = None
    reached: int = 0
    told: str = ""
    asked: bool = False
    wanted_on: dt.date | None = None
    payment_days: int | None = None
    po_number: bool = False
    cash_on_delivery: bool = False
    prepaid_minor: int = 0
    deal: str = ""
    despatches: tuple[str, ...] = ()

    @property
    def placed(self) -> bool:
        return bool(self.digest)

    @property
    def waiting(self) -> bool:
        return self.status in WAITING

    @property
    def outcome(self) -> str:
        """How it stands, in one word for others."""
        return "recalled" if self.recalled else self.status

    @property
    def remaining_minor(self) -> int:
        """What of it has neither left nor been billed."""
        return max(self.total_minor - self.despatched_minor - self.billed_minor, 0)

    @property
    def undecided_minor(self) -> int:
        """What of it is to be decided: it has neither left, nor been billed, nor is it reserved."""
        return max(self.remaining_minor - self.reserved_minor, 0)

    @property
    def next_mark(self) -> str | None:
        """The mark that its clock comes to next; None without a clock, and behind the last."""
        return MARKS[self.reached] if self.clock is not None and self.reached < len(MARKS) else None

    # Columns: the queue's are empty for an order that does not wait, and cost nothing there.

    @property
    def queue_home(self) -> str | None:
        return self.home if self.status in WAITING else None

    @property
    def queue_rank(self) -> int | None:
        return self.rank if self.status in WAITING else None

    @property
    def queue_turn(self) -> int | None:
        return self.turn if self.status in WAITING else None


WAITING = ("held", "referred")


class State(msgspec.Struct, frozen=True):
    """What one message needs. `root*` and `group*` are about the credit group; `root` and `root_position` are None when the
    account is itself the root, `group` is None until a second account has joined."""

    account: Standing | None = None
    root: Standing | None = None
    position: Position | None = None
    group: Position | None = None
    root_position: Position | None = None
    ageing: Ageing | None = None
    forward: Forward | None = None
    group_forward: Forward | None = None
    order: Order | None = None
    policies: Policies | None = None


Keys = tuple[str | None, ...]
_NOTHING: Keys = (None,) * 10


def group_of(home: str) -> str:
    return f"group/{home}"


def rows(message: Message, home: str, partition: int) -> Keys:
    """The key of every field of `State` for any message heard and any own fact. It depends on nothing else."""
    kind = type(message)
    if kind in _OF_PARTITION:
        return (*_NOTHING[:9], str(partition))
    if kind in _WITHOUT_STATE:
        return _NOTHING
    order = getattr(message, "order", None) or getattr(message, "document", None)
    account = getattr(message, "account", home)
    group = f"group/{home}"
    if account == home:
        return (home, None, home, group, None, home, home, group, order, str(partition))
    return (account, home, account, group, home, account, account, group, order, str(partition))


_OF_PARTITION = frozenset({orders.AdoptPolicy, orders.PolicyAdopted})
_WITHOUT_STATE = frozenset(
    {orders.CommandRefused, orders.PolicyRefused, orders.ItemNotCounted, orders.OrderRepeated, orders.DealRefused}
)


AGAIN = 2
"""`Position.recheck` when another recheck is already asked for."""


def worth_another(owner: Position) -> bool:
    """Is there anything for a recheck to look at that none asked for so far will (O7)?"""
    return owner.waiting > 0 and owner.recheck < AGAIN


def queue_owner(state: State) -> Position | None:
    """The row that keeps the queue: the group's, or the only account's own."""
    return state.group or state.position
