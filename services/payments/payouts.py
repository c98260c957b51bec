"""Money paid back and given up: proposed with its reason, approved by somebody else, carried out, reversed (P10, P11, A6). Pure.

An approval names only the request; carrying out names the item, is checked against it as it is then, and is a step of its own.
What does not fit any more by then is declined in words, never bent to fit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from contracts.message import Fact, Message
from contracts.payments import (
    ApprovePayout,
    CarryOutCardRefund,
    CarryOutPayout,
    DeclinePayout,
    NoteRefundPaid,
    PayoutApproved,
    PayoutDeclined,
    PayoutProposed,
    ProposeRefund,
    ProposeWriteOff,
    QueueRefund,
    RefundOrdered,
    RefundPaid,
    RefundReturned,
    ReturnRefund,
    ReverseWriteOff,
    SweepBalance,
    TakeBackPayout,
    Transfer,
    WriteOffReversed,
    WrittenOff,
)
from services.payments import ledger
from services.payments.bank_details import not_payable
from services.payments.cash import stale
from services.payments.items import open_day, settled
from services.payments.policies import Policy, in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import (
    APPROVED,
    ASKED,
    CARD_REFUND,
    CARRIED_OUT,
    CREDITS,
    DEBTS,
    PAID,
    REFUND,
    REVERSED,
    WRITE_BACK,
    WRITE_OFF,
    Item,
    Payout,
    State,
    home_of_bank,
    payout_of,
    short,
)
from shared.service import Moment, To, people_in

AUTHORITY = {REFUND: "refund", CARD_REFUND: "refund", WRITE_OFF: "write_off", WRITE_BACK: "write_back"}
"""Kind of payout -> kind of authority (A6)."""


# --- proposed -------------------------------------------------------------------------------------------------------


def propose_refund(state: State, wish: ProposeRefund, moment: Moment) -> Iterable[Message]:
    """Pay a credit back to the account's bank: only to details that somebody else has confirmed (P10)."""
    if state.payout is None and state.receipt is not None and (late := stale(state.receipt, wish.version)):
        return late.of(wish.account, wish.item)
    refusal = _card_money(state) or not_payable(state.accounts.get(wish.account))
    return proposed(state, REFUND, wish, wish.item, payout_of(wish.account, REFUND, wish.key), moment, refusal)


def _card_money(state: State) -> Refusal | None:
    if state.receipt is None or state.receipt.bank_account != ledger.CARDS:
        return None
    return Refusal("card_money", "what came by card goes back to that card; refund the card payment instead")


def propose_write_off(state: State, wish: ProposeWriteOff, moment: Moment) -> Iterable[Message]:
    """A debt is written off, an unclaimed credit written back: the item says which."""
    item = state.items.get(wish.item)
    kind = WRITE_BACK if item is not None and item.kind in CREDITS else WRITE_OFF
    refusal = None if wish.evidence.strip() else Refusal("no_evidence", "say what shows that nobody will pay or claim it")
    return proposed(state, kind, wish, wish.item, payout_of(wish.account, WRITE_OFF, wish.key), moment, refusal)


def proposed(
    state: State, kind: str, wish: Any, item: str, request: str, moment: Moment, refusal: Refusal | None = None
) -> list[Message]:
    """The request waits for its approver; the same request again is nothing new."""
    if state.payout is not None:
        return list(_again(state.payout, wish, item))
    found = state.items.get(item)
    policy = in_force(moment.at.date())
    refusal = not_reasoned(wish.reason) or unfit(found, wish.account, kind, wish.amount_minor, policy) or refusal
    if refusal:
        return list(refusal.of(wish.account, item))
    assert found is not None, "what fits has its item"
    return [_asked(found, kind, wish, request, moment)]


def _again(known: Payout, wish: Any, item: str) -> list[Fact]:
    if (known.account, known.item, known.amount_minor) == (wish.account, item, wish.amount_minor):
        return unneeded(wish.account, known.request)
    detail = f"{wish.key!r} asked for {known.amount_minor} of {known.item} before; give another wish a key of its own"
    return Refusal("other_content", detail).of(wish.account, known.request)


def _asked(item: Item, kind: str, wish: Any, request: str, moment: Moment) -> Fact:
    policy = in_force(moment.at.date())
    base = policy.base_of(wish.amount_minor, item.currency)
    return PayoutProposed(
        account=item.account,
        request=request,
        kind=kind,
        item=item.item,
        amount_minor=wish.amount_minor,
        currency=item.currency,
        reason=wish.reason,
        levels=policy.levels(AUTHORITY[kind], base),
        evidence=getattr(wish, "evidence", ""),
        by=moment.actor,
        payment=getattr(wish, "payment", None),
    )


def unfit(item: Item | None, account: str, kind: str, amount_minor: int, policy: Policy) -> Refusal | None:
    """Why this much of this item is no payout of that kind."""
    if item is None or item.account != account:
        return Refusal("unknown_item", f"{account} has no such item")
    kinds = DEBTS if kind == WRITE_OFF else CREDITS
    if item.kind not in kinds:
        return Refusal("wrong_kind", f"{item.item} is a {item.kind}; a {kind.replace('_', ' ')} takes a {' or '.join(kinds)}")
    if not 0 < amount_minor <= abs(item.open_minor) or (item.open_minor > 0) is not (kind == WRITE_OFF):
        detail = f"{item.item}: {amount_minor} asked for, {abs(item.open_minor)} {item.currency} open (minor units)"
        return Refusal("more_than_open", detail)
    if kind == REFUND and item.currency not in policy.pays_from:
        return Refusal("no_account", f"none of our bank accounts pays {item.currency}; add one to {policy.version} (pays_from)")
    return None


# --- small balances -------------------------------------------------------------------------------------------------


def sweep(state: State, wish: SweepBalance, moment: Moment) -> Iterable[Message]:
    """What is still small and old is proposed, and approved by the policy itself up to its automatic maximum (P11)."""
    item, policy = state.items.get(wish.item), in_force(moment.at.date())
    if state.payout is not None or item is None or item.account != wish.account or not is_small_and_old(item, policy, moment):
        return unneeded(wish.account, wish.item)
    return list(_swept(state, item, wish, policy, moment))


def is_small_and_old(item: Item, policy: Policy, moment: Moment) -> bool:
    """A disputed item waits for its claim, and one that is asked of the ERP for its answer, whatever is open of it."""
    old = item.due_on + dt.timedelta(days=policy.sweep.days) <= moment.at.date()
    is_small = 0 < abs(item.free_minor) <= policy.sweep.amounts.get(item.currency, 0)
    return old and is_small and item.free_minor == item.open_minor and not item.disputed_minor


def _swept(state: State, item: Item, wish: SweepBalance, policy: Policy, moment: Moment) -> Iterator[Message]:
    kind = WRITE_OFF if item.kind in DEBTS else WRITE_BACK
    asks = ProposeWriteOff(
        account=item.account,
        key=wish.key,
        item=item.item,
        amount_minor=abs(item.open_minor),
        reason=f"small balance, open since {item.due_on}",
        evidence=f"swept by {policy.version}",
    )
    request = payout_of(item.account, WRITE_OFF, wish.key)
    yield _asked(item, kind, asks, request, moment)
    if policy.base_of(asks.amount_minor, item.currency) <= policy.sweep.automatic_minor:
        yield PayoutApproved(account=item.account, request=request, by=policy.version, reason="within the automatic maximum")
        yield CarryOutPayout(account=item.account, request=request, item=item.item)


# --- answered -------------------------------------------------------------------------------------------------------


def approve(state: State, wish: ApprovePayout, moment: Moment) -> Iterable[Message]:
    """By somebody else, within the authority of the day of the answer; carried out in the next step, which names the item."""
    payout = state.payout
    if payout is None or payout.account != wish.account:
        return _unknown(wish.account, wish.request)
    if refusal := _not_open(payout) or _not_to_answer(payout, moment) or _not_payable(state, payout):
        return refusal.of(wish.account, wish.request)
    return [
        PayoutApproved(account=wish.account, request=wish.request, by=moment.actor, role=moment.role, reason=wish.reason),
        _next_step(payout),
    ]


def _next_step(payout: Payout) -> Message:
    if payout.payment:
        return CarryOutCardRefund(account=payout.account, request=payout.request, item=payout.item, payment=payout.payment)
    return CarryOutPayout(account=payout.account, request=payout.request, item=payout.item)


def _unknown(account: str, request: str) -> list[Fact]:
    return Refusal("unknown_request", f"{account} has no request {request!r}").of(account, request)


def _not_open(payout: Payout) -> Refusal | None:
    if payout.state == ASKED:
        return None
    return Refusal("answered", f"this request is {payout.state.replace('_', ' ')} already")


def _not_to_answer(payout: Payout, moment: Moment) -> Refusal | None:
    """Four eyes: nobody answers their own request, nor one of whom they cover or are covered by here (A6)."""
    if not moment.actor:
        return Refusal("not_signed", "an approval is kept with its person; sign in")
    policy = in_force(moment.at.date())
    kind = AUTHORITY[payout.kind]
    if kind in policy.four_eyes and moment.people & people_in(payout.by):
        return Refusal("own_request", "nobody approves or declines their own request; have somebody else answer")
    return beyond(payout, policy, moment)


def beyond(payout: Payout, policy: Policy, moment: Moment) -> Refusal | None:
    """The amount in base currency, against what the role may approve."""
    kind, base = AUTHORITY[payout.kind], policy.base_of(payout.amount_minor, payout.currency)
    if policy.may(kind, moment.role, base):
        return None
    role, able = moment.role or "somebody without a role", " or ".join(policy.levels(kind, base))
    return Refusal("beyond_authority", f"{kind} of {base} is beyond {role} ({policy.version}); it takes a {able}")


def _not_payable(state: State, payout: Payout) -> Refusal | None:
    return not_payable(state.accounts.get(payout.account)) if payout.kind == REFUND else None


def decline(state: State, wish: DeclinePayout, moment: Moment) -> Iterable[Fact]:
    """Who asked may take it back; others decline it within their authority."""
    payout = state.payout
    if payout is None or payout.account != wish.account:
        return _unknown(wish.account, wish.request)
    own = bool(moment.actor) and bool(moment.people & people_in(payout.by))
    refusal = not_reasoned(wish.reason) or _not_open(payout) or (None if own else _not_to_answer(payout, moment))
    return refusal.of(wish.account, wish.request) if refusal else [declined(payout, wish.reason, moment)]


def declined(payout: Payout, reason: str, moment: Moment) -> Fact:
    return PayoutDeclined(
        account=payout.account,
        request=payout.request,
        kind=payout.kind,
        item=payout.item,
        reason=reason[:500],
        by=moment.actor,
    )


# --- carried out ----------------------------------------------------------------------------------------------------


def carry_out(state: State, wish: CarryOutPayout, moment: Moment) -> Iterable[Message | To]:
    """Once, whatever is asked how often; what fits no more is declined and says why."""
    payout = state.payout
    if payout is None or payout.state != APPROVED or payout.item != wish.item or payout.payment:
        return unneeded(wish.account, wish.request)
    item = state.items.get(payout.item)
    policy = in_force(moment.at.date())
    refusal = unfit(item, payout.account, payout.kind, payout.amount_minor, policy) or _not_payable(state, payout)
    if refusal:
        return [declined(payout, f"approved, but: {refusal.detail}", moment)]
    assert item is not None, "what fits has its item"
    return list(_refunded(state, payout, item, moment) if payout.kind == REFUND else _given_up(state, payout, item, moment))


def _refunded(state: State, payout: Payout, item: Item, moment: Moment) -> Iterator[Message | To]:
    account, ours = state.accounts[payout.account], in_force(moment.at.date()).pays_from[payout.currency]
    assert account is not None and account.bank is not None, "paid only to details that are confirmed"
    transfer = Transfer(
        request=payout.request,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        iban=account.bank.iban,
        holder=account.bank.holder,
    )
    yield RefundOrdered(
        account=payout.account,
        request=payout.request,
        item=item.item,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        iban=transfer.iban,
        holder=transfer.holder,
        bank_account=ours.bank_account,
        base_minor=base_of(payout, item),
        by=moment.actor,
    )
    yield from taken(state, payout, item, ledger.REFUNDS, moment)
    home = account.home or payout.account
    queued = QueueRefund(
        bank_account=ours.bank_account, transfer=transfer, of_account=payout.account, of_home=home, of_item=payout.item
    )
    yield To(home_of_bank(ours.bank_account), queued)


def _given_up(state: State, payout: Payout, item: Item, moment: Moment) -> Iterator[Fact]:
    yield WrittenOff(
        account=payout.account,
        request=payout.request,
        kind=payout.kind,
        item=item.item,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        reason=payout.reason,
        run=run_of(open_day(state, moment.at.date())),
        base_minor=base_of(payout, item),
        by=payout.approved_by,
    )
    against = ledger.BAD_DEBT if payout.kind == WRITE_OFF else ledger.WRITE_BACKS
    yield from taken(state, payout, item, against, moment)


def run_of(on: dt.date) -> str:
    """The monthly run that lists what is given up on this day (P11)."""
    return f"{on:%Y-%m}"


def base_of(payout: Payout, item: Item) -> int:
    """What of the item's base amount goes with this part of it, with the item's sign."""
    return ledger.share(item.open_base_minor, _signed(payout, item), item.open_minor)


def _signed(payout: Payout, item: Item) -> int:
    return payout.amount_minor if payout.kind == WRITE_OFF else -payout.amount_minor


def taken(state: State, payout: Payout, item: Item, against: str, moment: Moment) -> Iterator[Fact]:
    """The item's own fact, and the entry: receivables against the ledger account that this goes to."""
    amount, base = _signed(payout, item), base_of(payout, item)
    yield settled(item, amount, base, payout.request)
    lines = ledger.pair(against, ledger.RECEIVABLES, amount, item.currency, base, item.item)
    on = open_day(state, moment.at.date())
    yield ledger.entry(payout.account, short("P", payout.request), payout.kind, on, lines, text=payout.reason)


def given_back(state: State, payout: Payout, item: Item, against: str, moment: Moment) -> Iterator[Fact]:
    """The same by new entries, the other way round: exactly what was taken is open again."""
    amount = _signed(payout, item)
    yield settled(item, -amount, -payout.base_minor, payout.request)
    lines = ledger.pair(ledger.RECEIVABLES, against, amount, item.currency, payout.base_minor, item.item)
    on, name = open_day(state, moment.at.date()), short("P", payout.request)
    yield ledger.entry(payout.account, short("V", payout.request), f"{payout.kind}_back", on, lines, reverses=name)


# --- reversed -------------------------------------------------------------------------------------------------------


def reverse(state: State, wish: ReverseWriteOff, moment: Moment) -> Iterable[Message]:
    """Two steps, because the second must name the item."""
    payout = state.payout
    if payout is None or payout.account != wish.account or payout.kind not in (WRITE_OFF, WRITE_BACK):
        return _unknown(wish.account, wish.request)
    if payout.state == REVERSED:
        return unneeded(wish.account, wish.request)
    if payout.state != CARRIED_OUT:
        return Refusal("not_done", f"it is {payout.state}; there is nothing to reverse").of(wish.account, wish.request)
    if refusal := not_reasoned(wish.reason) or beyond(payout, in_force(moment.at.date()), moment):
        return refusal.of(wish.account, wish.request)
    return [TakeBackPayout(account=payout.account, request=payout.request, item=payout.item, reason=wish.reason)]


def take_back(state: State, wish: TakeBackPayout, moment: Moment) -> Iterable[Fact]:
    """What was written off is open again; refunds come back only by the word of our bank account's own stream."""
    payout, item = state.payout, state.items.get(wish.item)
    done = payout is not None and payout.kind in (WRITE_OFF, WRITE_BACK) and payout.state == CARRIED_OUT
    if payout is None or not done or item is None or item.item != payout.item:
        return unneeded(wish.account, wish.request)
    against = ledger.BAD_DEBT if payout.kind == WRITE_OFF else ledger.WRITE_BACKS
    said = WriteOffReversed(**_back(payout, wish.reason, moment))
    return [said, *given_back(state, payout, item, against, moment)]


def _back(payout: Payout, reason: str, moment: Moment) -> dict[str, Any]:
    return {
        "account": payout.account,
        "request": payout.request,
        "item": payout.item,
        "amount_minor": payout.amount_minor,
        "currency": payout.currency,
        "reason": reason,
        "by": moment.actor,
    }


# --- what our bank account tells of refunds -------------------------------------------------------------------------


def note_paid(state: State, wish: NoteRefundPaid, moment: Moment) -> Iterable[Fact]:
    if state.payout is None or state.payout.kind != REFUND or state.payout.state != CARRIED_OUT:
        return unneeded(wish.account, wish.request)
    return [RefundPaid(account=wish.account, request=wish.request, paid_on=wish.paid_on)]


def return_refund(state: State, wish: ReturnRefund, moment: Moment) -> Iterable[Fact]:
    """Stopped, rejected or sent back: the credit is open again, to be paid anew or used."""
    payout, item = state.payout, state.items.get(wish.item)
    standing = payout is not None and payout.kind == REFUND and payout.state in (CARRIED_OUT, PAID)
    if payout is None or not standing or item is None or item.item != payout.item:
        return unneeded(wish.account, wish.request)
    said = RefundReturned(**_back(payout, wish.reason, moment))
    return [said, *given_back(state, payout, item, ledger.REFUNDS, moment)]
