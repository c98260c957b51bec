"""Messages of the order desk: what is ordered, what was decided and why, and what became of it (O1-O10).

The first decision about an order carries the order as it was placed, so one fact says "received" and "decided" at once;
later facts name it only. A release is the warehouse's instruction: `instruction` is the receiver's idempotency key (O9).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contracts.accounts import Terms
from contracts.message import Command, Fact
from contracts.words import Amount, Count, Currency, Day, Instant, Minor, Reference, Text, Word

LINES_MAX = 5_000
"""Longest order taken in one message: about 500 kB, half of what the broker accepts."""
Stamp = Annotated[str, Meta(min_length=1, max_length=80)]
"""A reference with a number or hash of ours after it: `<order>/<n>`, `<policy version>:<hash>`."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`amount_minor` = quantity x unit price, rounded half even to the minor unit; unit prices may be finer than the currency."""

    sku: Reference
    quantity: Annotated[int, Meta(ge=-(10**9), le=10**9)]
    unit_price: Decimal
    amount_minor: Minor
    description: Text = ""


class Placed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as the customer placed it. `wanted_on` empty means: ship at once. `payment_days` empty: the account's terms."""

    currency: Currency
    total_minor: Amount
    received_at: Instant
    lines: Annotated[tuple[Line, ...], Meta(max_length=LINES_MAX)] = ()
    po_number: Reference | None = None
    wanted_on: Day | None = None
    ship_to: Text = ""
    payment_days: Count | None = None
    cash_on_delivery: bool = False
    prepaid_minor: Amount = 0
    deal: Reference | None = None


class Clock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By when a waiting order is to be finally decided (O6), in working time of the desk that decides it.

    It begins at `from_at`, its receipt or when it came back to the desk. `due_at` is the earlier of the time allowance after
    that and `cut_off_at`, the warehouse cut-off that makes its delivery date. `calendar` names the working time in the policy.
    """

    from_at: Instant
    warn_at: Instant
    escalate_at: Instant
    due_at: Instant
    cut_off_at: Instant | None = None
    calendar: Reference = "standard"


# --- commands -------------------------------------------------------------------------------------------------------


class PlaceOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """`order` is `<feed>/<reference>`: the same feed and reference is the same order, for ever (O1)."""

    order: Reference
    account: Reference
    placed: Placed


class ChangeOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The order as it now is. Stays released within the policy's deviation and dates (O4), else is decided again."""

    order: Reference
    account: Reference
    placed: Placed
    reason: Text = ""


class CancelOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    reason: Text


class ReleaseOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A person releases a held order, within their authority (A6, O5)."""

    order: Reference
    account: Reference
    reason: Text


class ReferOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Pass a held order up; `level` empty means the next one."""

    order: Reference
    account: Reference
    reason: Text
    level: Word | None = None


class RejectOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    reason: Text


class AskCustomer(Command, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    question: Text


class AssignOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    owner: Reference
    reason: Text = ""


class NoteOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    note: Text


class SplitOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Release a part of a held order now; the rest stays held under the same order."""

    order: Reference
    account: Reference
    release_minor: Amount
    reason: Text


class RankOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Put held orders in order of release: lower ranks are re-decided first, and block later ones that would pass them."""

    order: Reference
    account: Reference
    rank: Count


class RecordDespatch(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Goods left the warehouse. `last` frees what remains of the reservation."""

    order: Reference
    account: Reference
    despatch: Reference
    amount_minor: Amount
    last: bool = True


class RecordDelivery(Command, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    despatch: Reference
    pod: Reference | None = None


class RecordReturn(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Goods or an order sent back. Recorded, never decided; the credit itself is a credit note (payments)."""

    document: Reference
    account: Reference
    currency: Currency
    total_minor: Amount
    returned_at: Instant
    lines: Annotated[tuple[Line, ...], Meta(max_length=LINES_MAX)] = ()


class AnswerRecall(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The warehouse's answer to a recall: stopped in time, or already gone."""

    order: Reference
    account: Reference
    stopped: bool


class AdoptPolicy(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Broadcast to every partition: a dated version of the credit policy, whole (`shared/credit/policy`)."""

    version: Reference
    effective_from: Day
    policy: dict[str, Any]


class RedecideOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: a cause of holds in this group cleared; look at this held order again (O7)."""

    order: Reference
    account: Reference


class BillOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: this part of an invoice bills this order. One command per order, so that each moves in one step (F1).

    `payer` is set when the invoice is another account's of the group; its debt is counted already.
    """

    order: Reference
    account: Reference
    item: Reference
    amount_minor: Amount
    due_on: Day
    payer: Reference | None = None


class RecallOrder(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: the account of this released order went on stop; call it back from the warehouse (O4)."""

    order: Reference
    account: Reference


class LapseReservation(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: the validity of this order's reservation is over (F2)."""

    order: Reference
    account: Reference


class ReachMark(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: the clock of this waiting order has come to a mark: `warn`, `escalate` or `breach` (O6)."""

    order: Reference
    account: Reference
    mark: Word


class RegisterDeal(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Announce a large order before it comes (O8). `deal` is what the order will quote: in `Placed.deal`, or as its PO number."""

    deal: Reference
    account: Reference
    currency: Currency
    value_minor: Amount
    from_on: Day
    until_on: Day
    evidence: Text


class ApproveDeal(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A person approves it beforehand, within their authority; its value is reserved from then on (O8, F1)."""

    deal: Reference
    account: Reference
    reason: Text


class DeclineDeal(Command, frozen=True, kw_only=True, omit_defaults=True):
    deal: Reference
    account: Reference
    reason: Text


class WithdrawDeal(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The order will not come: an approved deal gives its reservation back."""

    deal: Reference
    account: Reference
    reason: Text


class ExpireDeal(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: the last day of this deal's window is over."""

    deal: Reference
    account: Reference


class OpenRecheck(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: something that is no message improved for this group (a day, a policy); look at its held orders."""

    home: Reference


class EndRecheck(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: every held order of the group has been looked at."""

    home: Reference


# --- what a decision is made of -------------------------------------------------------------------------------------


class Inputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything the sixteen checks looked at, as it was at that moment; amounts in minor units of the account's currency.

    `on` is the local day. `exposure_minor` and its parts are before this order (F1). Group figures are set only where the
    group has several accounts. `deal_minor` is what this order takes over from the deal that it quotes: it is in `exposure_minor`
    as well, and must not count twice (O8). `deal_from_on` is set while that deal's window has not begun.
    """

    on: Day
    value_minor: Amount
    status: Word
    currency: Currency
    portfolio: Reference = "main"
    risk_class: Word = "standard"
    limit_minor: Amount
    exposure_minor: Minor
    terms_days: Count = 0
    open_items_minor: Minor = 0
    unbilled_minor: Amount = 0
    reserved_minor: Amount = 0
    reserved_beyond_minor: Amount = 0
    deals_minor: Amount = 0
    soft_credits_minor: Amount = 0
    insured_minor: Amount = 0
    disputed_minor: Amount = 0
    group_limit_minor: Amount | None = None
    group_exposure_minor: Minor | None = None
    group_beyond_minor: Amount | None = None
    limit_expires_on: Day | None = None
    beyond_horizon: bool = False
    standard_order_minor: Amount | None = None
    oldest_overdue_days: Count = 0
    oldest_undisputed_days: Count = 0
    overdue_minor: Amount = 0
    overdue_undisputed_minor: Amount = 0
    dunning_level: Count = 0
    review_due_on: Day | None = None
    asked_days: Count | None = None
    po_required: bool = False
    po_number: bool = False
    cash_on_delivery: bool = False
    cod_shipment: bool = False
    prepaid_minor: Amount = 0
    stock_shipped: Count = 0
    stock_unconnected: Count = 0
    broken_promises: Count = 0
    insured_until: Day | None = None
    behind_queue: bool = False
    deal_minor: Amount = 0
    deal_from_on: Day | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A check that did not pass: what was measured against which threshold. Passed checks follow from inputs and policy."""

    check: Word
    measured: int | str | None = None
    threshold: int | str | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`policy` is the version and hash of the policy; `decider` the version of the code that judged."""

    policy: Stamp
    decider: Count
    inputs: Inputs
    held_by: tuple[Finding, ...] = ()
    warned_by: tuple[Finding, ...] = ()


# --- facts ----------------------------------------------------------------------------------------------------------


class OrderReleased(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The warehouse may ship: `instruction` exactly once per release. `by` is `policy`, or the person who released.

    `reserved_minor` is what this release reserves, of which `deal_minor` moves over from the pre-approved `deal` (O8).
    `placed` and `first` (the id of the command) come with a first decision.
    """

    order: Reference
    account: Reference
    reserved_minor: Amount
    lapses_on: Day
    instruction: Stamp
    decision: Decision
    placed: Placed | None = None
    first: Reference | None = None
    by: Reference = "policy"
    reason: Text = ""
    deal: Reference | None = None
    deal_minor: Amount = 0


class OrderHeld(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The order waits for a person at the desk, for the reasons in `decision.held_by`, and no longer than `clock` says."""

    order: Reference
    account: Reference
    decision: Decision
    placed: Placed | None = None
    first: Reference | None = None
    clock: Clock | None = None


class OrderReferred(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The order waits for someone with at least this authority (A6)."""

    order: Reference
    account: Reference
    level: Word
    decision: Decision | None = None
    placed: Placed | None = None
    first: Reference | None = None
    by: Reference = "policy"
    reason: Text = ""
    clock: Clock | None = None


class OrderRejected(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Finally decided: this order will not be released. By a person, or by a policy whose check says `reject`."""

    order: Reference
    account: Reference
    by: Reference
    reason: Text
    decision: Decision | None = None
    placed: Placed | None = None
    first: Reference | None = None


class OrderCancelled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The customer no longer wants it. `freed_minor` leaves the reservation."""

    order: Reference
    account: Reference
    reason: Text
    freed_minor: Amount = 0


class OrderChanged(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The order's content changed; `reserved_minor` is its reservation afterwards.

    None on a released order withdraws the instruction it had: the warehouse waits for the decision that follows (O4).
    """

    order: Reference
    account: Reference
    placed: Placed
    reserved_minor: Amount = 0
    reason: Text = ""


class ReservationLapsed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The released order did not ship in time: its reservation is free, and it must be decided again before it ships (O4, F2)."""

    order: Reference
    account: Reference
    freed_minor: Amount


class OrderRecalled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An instruction to the warehouse: do not ship. The reservation stays until the warehouse answers (O4)."""

    order: Reference
    account: Reference
    instruction: Stamp
    reason: Text


class RecallAnswered(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`stopped`: the goods stay, `freed_minor` leaves the reservation, and the order is decided again. Else they had gone."""

    order: Reference
    account: Reference
    stopped: bool
    freed_minor: Amount = 0


class OrderDespatched(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Goods worth `amount_minor` left. Unbilled deliveries grow by `amount - billed`; the reservation shrinks by
    `amount - billed - beyond + freed`.

    `billed_minor`: goods that an invoice had already billed. `beyond_minor`: goods that no reservation covered, because the
    order was not released, or not for so much. `freed_minor`: what else leaves the reservation, because nothing follows.
    """

    order: Reference
    account: Reference
    despatch: Reference
    amount_minor: Amount
    billed_minor: Amount = 0
    beyond_minor: Amount = 0
    freed_minor: Amount = 0
    last: bool = True


class OrderBilled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`amount_minor` of an invoice for this order enters open items, and what it bills leaves in the same step (F1):
    `unbilled_minor` leaves unbilled deliveries, `reserved_minor` the reservation (billed before it was despatched).
    With a `payer` the debt is that account's, and was counted there.
    """

    order: Reference
    account: Reference
    item: Reference
    amount_minor: Amount
    due_on: Day
    unbilled_minor: Amount = 0
    reserved_minor: Amount = 0
    payer: Reference | None = None


class OrderDelivered(Fact, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    despatch: Reference
    pod: Reference | None = None


class OrderAsked(Fact, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    question: Text
    by: Reference


class OrderAssigned(Fact, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    owner: Reference
    by: Reference
    reason: Text = ""


class OrderNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    note: Text
    by: Reference


class OrderSplit(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A part is released under an instruction of its own; `held_minor` still waits. `deal_minor` as in `OrderReleased`."""

    order: Reference
    account: Reference
    released_minor: Amount
    held_minor: Amount
    lapses_on: Day
    instruction: Stamp
    by: Reference
    reason: Text
    decision: Decision
    deal: Reference | None = None
    deal_minor: Amount = 0


class OrderRanked(Fact, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    rank: Count
    by: Reference


class OrderWarned(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Half of the time of this waiting order has passed (O6)."""

    order: Reference
    account: Reference
    due_at: Instant


class OrderEscalated(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The order waits too long, and this role is told: the next above the one told before (O6). `mark` is `escalate` or `breach`.

    Who may release it stays as it is; a person who asks for more authority refers it.
    """

    order: Reference
    account: Reference
    level: Word
    mark: Word
    due_at: Instant


class OrderBreached(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The order was not finally decided in time. `asked`: the customer had been asked, which does not stop the clock (O6)."""

    order: Reference
    account: Reference
    due_at: Instant
    asked: bool = False


class DealRegistered(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A large order is announced (O8); it waits for somebody of at least this `level`. Nothing is reserved yet."""

    deal: Reference
    account: Reference
    currency: Currency
    value_minor: Amount
    from_on: Day
    until_on: Day
    evidence: Text
    level: Word
    by: Reference


class DealApproved(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Its value counts in exposure from now on (F1), and the order that quotes it is released without delay.

    `held_by`: what would hold such an order today all the same, because no deal covers it; there is time to clear it.
    """

    deal: Reference
    account: Reference
    value_minor: Amount
    until_on: Day
    by: Reference
    reason: Text
    held_by: tuple[Finding, ...] = ()


class DealDeclined(Fact, frozen=True, kw_only=True, omit_defaults=True):
    deal: Reference
    account: Reference
    by: Reference
    reason: Text


class DealWithdrawn(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`freed_minor` was reserved for it and leaves exposure."""

    deal: Reference
    account: Reference
    freed_minor: Amount
    by: Reference
    reason: Text


class DealMatched(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The announced order came and was released: `used_minor` moved to its reservation, `freed_minor` was not needed, or is
    reserved by the order already, which named its deal only later.

    `left_minor` stays reserved for further orders that quote it: this one was a part. With nothing left the deal is over.
    """

    deal: Reference
    account: Reference
    order: Reference
    used_minor: Amount
    freed_minor: Amount = 0
    left_minor: Amount = 0


class DealExpired(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """No order came within its window: `freed_minor` leaves exposure."""

    deal: Reference
    account: Reference
    freed_minor: Amount


class DealRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A wish about a deal that cannot be met: `reason` is a word a program can test, `detail` says how to mend it."""

    deal: Reference
    account: Reference
    reason: Word
    detail: Text


class ReturnRecorded(Fact, frozen=True, kw_only=True, omit_defaults=True):
    document: Reference
    account: Reference
    currency: Currency
    total_minor: Amount
    returned_at: Instant
    lines: tuple[Line, ...] = ()


class OrderRepeated(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The same order came again; nothing changed. `outcome` is how it stands, `first` the id of the command that placed it."""

    order: Reference
    account: Reference
    outcome: Word
    first: Reference


class CommandRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A wish that cannot be met: `reason` is a word a program can test, `detail` says what, where and how to mend it."""

    order: Reference
    account: Reference
    reason: Word
    detail: Text


class PolicyAdopted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    version: Reference
    effective_from: Day
    digest: Reference
    policy: dict[str, Any]
    partition: Count = 0


class PolicyRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A policy that cannot be adopted: `detail` says where in it, and how to mend it."""

    version: Reference
    reason: Word
    detail: Text


class StandingNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The desk's own note of what other services said about an account; only what changed is set.

    A day goes with its amount: a note with `limit_minor` says whether the limit expires, one with `insured_minor` whether
    the cover does. `home` is set when the account opens.
    """

    account: Reference
    home: Reference | None = None
    opened: bool = False
    parent: Reference | None = None
    name: Text | None = None
    currency: Currency | None = None
    status: Word | None = None
    terms: Terms | None = None
    limit_minor: Amount | None = None
    limit_expires_on: Day | None = None
    insured_minor: Amount | None = None
    insured_until: Day | None = None
    review_due_on: Day | None = None
    dunning_level: Count | None = None
    broken_on: Day | None = None
    stock_shipped: Count | None = None
    stock_unconnected: Count | None = None


class PositionMoved(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The desk's own note of money that moved: signed changes of the parts of exposure (F1).

    `due_on` dates a debt; credits and receipts have none, they do not age against debts.
    """

    account: Reference
    open_minor: Minor = 0
    disputed_minor: Minor = 0
    soft_credits_minor: Minor = 0
    due_on: Day | None = None
    item: Reference | None = None


class ItemNotCounted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An open item that does not enter exposure, and why: it is in a currency that the account does not trade in."""

    account: Reference
    item: Reference
    reason: Word
    detail: Text


class QueueBlocked(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """This order cannot be released yet, and by the desk's order or the policy no later one of its group may pass it (O7)."""

    order: Reference
    account: Reference


class RecheckOpened(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A cause of holds in this group cleared: its held orders are looked at again, in order of receipt (O7).

    Said while a recheck is open, it asks for another one after it: orders already passed may fit now.
    """

    home: Reference


class RecheckClosed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    home: Reference
