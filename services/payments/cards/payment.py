"""Card payments: what the acquirer is asked, and what its answers do to the account (P9). Pure.

The intent is journaled before anybody asks, and each answer counts once. Captured money is a receipt of its own, which settles
the items the payer named; refunds are proposed and approved like all money out; a chargeback opens what was settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from contracts.envelope import derived_id
from contracts.message import Fact, Message
from contracts.payments import (
    AllocateCash,
    CardChargedBack,
    CardIntended,
    CardOutcomeNoted,
    CarryOutCardRefund,
    CashReceived,
    ItemPosted,
    NoteCardOutcome,
    RefundCardPayment,
    RefundReturned,
    ReturnCardRefund,
    Settle,
    SettleByCard,
    TakeBackCard,
    TakeCardPayment,
    UndoMatch,
)
from services.payments import cash, ledger, payouts
from services.payments.cards.port import CAPTURE, CAPTURED, CHARGED_BACK, DECLINED, OUTCOMES, REFUND, REFUND_DECLINED, REFUNDED
from services.payments.items import open_day, settled
from services.payments.policies import Policy, in_force
from services.payments.refusal import Refusal, unneeded
from services.payments.state import (
    APPROVED,
    CARD_REFUND,
    CARRIED_OUT,
    DEBIT_NOTE,
    DEBTS,
    RECEIPT,
    TAKEN_BACK,
    Card,
    Intent,
    Item,
    State,
    debit_note_of,
    outcome_of,
    payout_of,
    receipt_of_card,
    short,
)
from shared.card_number import looks_like_card
from shared.service import Moment

INTENTS_MAX = 50
"""Questions about one payment, a capture and its refunds: a bound on the row."""


def key_of(account: str, payment: str, n: int) -> str:
    """The name of the n-th question about a payment, the same for ever."""
    return f"CK-{derived_id('card', account, payment, str(n))}"


# --- taken ----------------------------------------------------------------------------------------------------------


def take(state: State, wish: TakeCardPayment, moment: Moment) -> Iterable[Fact]:
    """The intent to ask; the same payment again is nothing new."""
    if refusal := _no_payment(wish, in_force(moment.at.date())):
        return refusal.of(wish.account, None if refusal.reason == "card_number" else wish.payment)
    if state.card is not None:
        return _again(state.card, wish)
    return [
        CardIntended(
            account=wish.account,
            payment=wish.payment,
            key=key_of(wish.account, wish.payment, 1),
            action=CAPTURE,
            amount_minor=wish.amount_minor,
            currency=wish.currency,
            token=wish.token,
            items=tuple(dict.fromkeys(wish.items)),
            by=moment.actor,
        )
    ]


def _no_payment(wish: TakeCardPayment, policy: Policy) -> Refusal | None:
    """The refusal never repeats what was sent: it might be a card number."""
    if looks_like_card(wish.token) or looks_like_card(wish.payment):
        detail = "this looks like a card number; send the token that the acquirer's own form gives for it, never the number"
        return Refusal("card_number", detail)
    if not wish.token.strip():
        return Refusal("no_token", "name the acquirer's token for the card")
    if not wish.amount_minor:
        return Refusal("no_amount", "a payment of nothing; leave it out")
    if not policy.has_rate(wish.currency):
        return Refusal("wrong_currency", f"there is no rate for {wish.currency} in {policy.version}; take it in another one")
    return None


def _again(card: Card, wish: TakeCardPayment) -> list[Fact]:
    if (card.amount_minor, card.currency, card.intents[0].token) == (wish.amount_minor, wish.currency, wish.token):
        return unneeded(wish.account, wish.payment)
    detail = f"payment {wish.payment!r} was another one, of {card.amount_minor} {card.currency}; give each a key of its own"
    return Refusal("other_content", detail).of(wish.account, wish.payment)


# --- what the acquirer says -----------------------------------------------------------------------------------------


def note(state: State, wish: NoteCardOutcome, moment: Moment) -> Iterable[Message]:
    """Each answer counts once, whether it came at once, late, or several times."""
    card = state.card
    intent = card.intent(wish.key) if card is not None else None
    if card is None or intent is None:
        return Refusal("unknown_payment", f"nothing was asked under {wish.key}").of(wish.account, wish.payment)
    if outcome_of(wish.key, wish.outcome) in card.outcomes:
        return unneeded(wish.account, wish.payment)
    if refusal := _not_an_answer(card, intent, wish):
        return refusal.of(wish.account, wish.payment)
    return list(_noted(state, card, intent, wish, moment))


def _not_an_answer(card: Card, intent: Intent, wish: NoteCardOutcome) -> Refusal | None:
    answers = {CAPTURE: (CAPTURED, DECLINED, CHARGED_BACK), REFUND: (REFUNDED, REFUND_DECLINED)}[intent.action]
    if wish.outcome not in OUTCOMES or wish.outcome not in answers:
        return Refusal("no_answer", f"{wish.outcome!r} answers no {intent.action}; it takes one of {', '.join(answers)}")
    if not 0 < wish.amount_minor <= intent.amount_minor or (intent.action == REFUND and wish.amount_minor != intent.amount_minor):
        detail = f"{wish.amount_minor} told, {intent.amount_minor} asked for (minor units); settle it with the acquirer"
        return Refusal("other_amount", detail)
    said = {each.split(":", 1)[1] for each in card.outcomes if each.startswith(f"{wish.key}:")}
    if wish.outcome == CHARGED_BACK:
        return None if CAPTURED in said else Refusal("not_captured", "nothing was captured that could be charged back")
    if said and (wish.outcome, said) != (CAPTURED, {DECLINED}):  # its later word: it has the money after all
        return Refusal("other_outcome", f"the acquirer said {', '.join(sorted(said))} of this before; ask it which one is so")
    return None


def _noted(state: State, card: Card, intent: Intent, wish: NoteCardOutcome, moment: Moment) -> Iterator[Message]:
    receipt = receipt_of_card(card.account, card.payment)
    yield CardOutcomeNoted(
        account=card.account,
        payment=card.payment,
        key=wish.key,
        outcome=wish.outcome,
        amount_minor=wish.amount_minor,
        currency=card.currency,
        detail=wish.detail,
        receipt=receipt if wish.outcome in (CAPTURED, CHARGED_BACK) else None,
    )
    if wish.outcome == CAPTURED:
        yield from _captured(state, card, wish, receipt, moment)
    elif wish.outcome == REFUND_DECLINED:
        where = {"account": card.account, "payment": card.payment, "request": intent.request, "item": intent.item}
        yield ReturnCardRefund(**where, reason=wish.detail or "the acquirer declined the refund")
    elif wish.outcome == CHARGED_BACK:
        yield TakeBackCard(
            account=card.account,
            payment=card.payment,
            receipt=receipt,
            key=wish.key,
            amount_minor=wish.amount_minor,
            reason=wish.detail or "charged back",
        )


def _captured(state: State, card: Card, wish: NoteCardOutcome, receipt: str, moment: Moment) -> Iterator[Message]:
    """The acquirer owes us the money: a receipt like any other, against `cards` until its payout is split (P15)."""
    on = wish.told_at.date()
    yield CashReceived(
        account=card.account,
        receipt=receipt,
        amount_minor=wish.amount_minor,
        currency=card.currency,
        received_on=on,
        bank_account=ledger.CARDS,
        bank_entry=short(card.payment),
        reference=card.payment,
        by="card",
    )
    base, name = in_force(moment.at.date()).base_of(wish.amount_minor, card.currency), short("E", receipt)
    yield ItemPosted(
        account=card.account,
        item=receipt,
        kind=RECEIPT,
        amount_minor=-wish.amount_minor,
        currency=card.currency,
        document_on=on,
        due_on=on,
        base_minor=-base,
        entry=name,
    )
    lines = ledger.pair(ledger.CARDS, ledger.RECEIVABLES, wish.amount_minor, card.currency, base, receipt)
    yield ledger.entry(card.account, name, "card", open_day(state, on), lines)
    if card.items:
        yield SettleByCard(account=card.account, receipt=receipt, items=card.items)


def settle(state: State, wish: SettleByCard, moment: Moment) -> Iterable[Fact]:
    """The named debts in their order, as far as the money goes; the rest of it is matched like any receipt."""
    receipt = state.receipt
    if receipt is None or receipt.standing:
        return unneeded(wish.account, wish.receipt)
    left, lines = receipt.unallocated_minor, []
    for name in wish.items:
        if (item := state.items.get(name)) is not None and left and _settles(item, wish.account, receipt.currency):
            part = min(left, item.open_minor)
            lines.append(Settle(item=name, settled_minor=part, paid_minor=part))
            left -= part
    if not lines:
        return unneeded(wish.account, wish.receipt)
    why = ("named by the payer",)
    named = AllocateCash(account=wish.account, receipt=wish.receipt, lines=tuple(lines), proof="card", evidence=why)
    return cash.allocate(state, named, moment)


def _settles(item: Item, account: str, currency: str) -> bool:
    return item.account == account and item.kind in DEBTS and item.currency == currency and item.open_minor > 0


# --- refunded -------------------------------------------------------------------------------------------------------


def propose_refund(state: State, wish: RefundCardPayment, moment: Moment) -> Iterable[Message]:
    """What is unallocated of its receipt, or another credit, goes back to the card it came from; somebody else approves (A6)."""
    refusal = _not_refundable(state.card, wish.amount_minor)
    item = wish.credit or receipt_of_card(wish.account, wish.payment)
    if refusal is not None and state.payout is None:
        return refusal.of(wish.account, wish.payment)
    return payouts.proposed(state, CARD_REFUND, wish, item, payout_of(wish.account, CARD_REFUND, wish.key), moment)


def _not_refundable(card: Card | None, amount_minor: int) -> Refusal | None:
    if card is None or not card.captured_minor:
        return Refusal("not_captured", "nothing was captured under this payment; there is nothing to pay back")
    if card.asking:
        return Refusal("still_asking", "the acquirer has not answered the last question about this payment; ask when it has")
    if len(card.intents) >= INTENTS_MAX:
        return Refusal("too_often", f"{INTENTS_MAX} questions about one payment; pay the rest back to the bank account")
    left = card.captured_minor - card.refunded_minor - card.charged_back_minor
    if amount_minor > left:
        return Refusal("more_than_captured", f"{amount_minor} to be paid back, {left} of this payment are with us (minor units)")
    return None


def carry_out_refund(state: State, wish: CarryOutCardRefund, moment: Moment) -> Iterable[Message]:
    """The money leaves the account as the acquirer is asked; where it says no, it comes back."""
    payout, card = state.payout, state.card
    if payout is None or payout.state != APPROVED or (payout.item, payout.payment) != (wish.item, wish.payment):
        return unneeded(wish.account, wish.request)
    item, policy = state.items.get(wish.item), in_force(moment.at.date())
    refusal = payouts.unfit(item, payout.account, payout.kind, payout.amount_minor, policy)
    refusal = refusal or _not_refundable(card, payout.amount_minor) or _other_currency(card, item)
    if refusal or card is None or item is None:
        return [payouts.declined(payout, f"approved, but: {refusal.detail if refusal else 'it is gone'}", moment)]
    intended = CardIntended(
        account=card.account,
        payment=card.payment,
        key=key_of(card.account, card.payment, len(card.intents) + 1),
        action=REFUND,
        amount_minor=payout.amount_minor,
        currency=card.currency,
        token=card.intents[0].token,
        request=payout.request,
        item=item.item,
        base_minor=payouts.base_of(payout, item),
        by=payout.approved_by,
    )
    return [intended, *payouts.taken(state, payout, item, ledger.CARDS, moment)]


def _other_currency(card: Card | None, item: Item | None) -> Refusal | None:
    if card is None or item is None or card.currency == item.currency:
        return None
    return Refusal("other_currency", f"{item.item} is in {item.currency}, the card paid in {card.currency}")


def return_refund(state: State, wish: ReturnCardRefund, moment: Moment) -> Iterable[Fact]:
    payout, item = state.payout, state.items.get(wish.item)
    if payout is None or (payout.kind, payout.state) != (CARD_REFUND, CARRIED_OUT) or item is None or item.item != payout.item:
        return unneeded(wish.account, wish.request)
    if not _was_declined(state.card, payout.request):
        return unneeded(wish.account, wish.request)
    said = RefundReturned(
        account=payout.account,
        request=payout.request,
        item=payout.item,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        reason=wish.reason,
        by=moment.actor,
    )
    return [said, *payouts.given_back(state, payout, item, ledger.CARDS, moment)]


def _was_declined(card: Card | None, request: str) -> bool:
    """Only the acquirer's own word brings a refund back."""
    intents = card.intents if card is not None else ()
    return any(each.request == request and outcome_of(each.key, REFUND_DECLINED) in card.outcomes for each in intents)  # type: ignore[union-attr]


# --- charged back ---------------------------------------------------------------------------------------------------


def take_back(state: State, wish: TakeBackCard, moment: Moment) -> Iterable[Message]:
    """What the money settled is opened first, match by match; then it leaves the account."""
    receipt, card = state.receipt, state.card
    if receipt is None or card is None or outcome_of(wish.key, CHARGED_BACK) not in card.outcomes:
        return unneeded(wish.account, wish.payment)
    if outcome_of(wish.key, TAKEN_BACK) in card.outcomes:
        return unneeded(wish.account, wish.payment)
    if receipt.standing:
        return _opened_first(state, wish, receipt.standing[0])
    own = state.items[receipt.receipt]
    assert own is not None, "a receipt stands on its account as an item"
    return list(_charged_back(state, own, card, wish, moment))


def _opened_first(state: State, wish: TakeBackCard, match: str) -> list[Message]:
    found = state.match
    if found is None or found.match != match:
        return [replace(wish, match=match)]
    undo = UndoMatch(account=found.account, receipt=found.receipt, match=found.match, lines=found.lines, reason=wish.reason)
    return [undo, replace(wish, match=None)]


def _charged_back(state: State, own: Item, card: Card, wish: TakeBackCard, moment: Moment) -> Iterator[Fact]:
    taken = min(wish.amount_minor, -own.open_minor)
    owed = wish.amount_minor - taken
    yield CardChargedBack(
        account=card.account,
        payment=card.payment,
        receipt=own.item,
        key=wish.key,
        amount_minor=wish.amount_minor,
        taken_minor=taken,
        currency=card.currency,
        reason=wish.reason,
        debit_note=debit_note_of(wish.key) if owed else None,
    )
    if taken:
        yield from _out(state, own, taken, wish, moment)
    if owed:
        yield from _owed(state, own, owed, wish, moment)


def _out(state: State, own: Item, taken_minor: int, wish: TakeBackCard, moment: Moment) -> Iterator[Fact]:
    base, name = _base_of(own, taken_minor), short("K", wish.key)
    yield settled(own, -taken_minor, base, name)
    lines = ledger.pair(ledger.RECEIVABLES, ledger.CARDS, taken_minor, own.currency, -base, own.item)
    yield ledger.entry(own.account, name, "charged_back", open_day(state, moment.at.date()), lines)


def _base_of(own: Item, taken_minor: int) -> int:
    """What of the receipt's base amount goes with so much of it, with its own sign."""
    return ledger.share(own.open_base_minor, -taken_minor, own.open_minor) if taken_minor else 0


def _owed(state: State, own: Item, owed_minor: int, wish: TakeBackCard, moment: Moment) -> Iterator[Fact]:
    """Money that its receipt no longer has, because it was paid back already: the account owes it again."""
    on, name, item = open_day(state, moment.at.date()), short("KD", wish.key), debit_note_of(wish.key)
    base = ledger.share(-own.base_minor, wish.amount_minor, -own.amount_minor) + _base_of(own, wish.amount_minor - owed_minor)
    posted: dict[str, Any] = {"document_on": on, "due_on": on, "base_minor": base, "entry": name}
    yield ItemPosted(account=own.account, item=item, kind=DEBIT_NOTE, amount_minor=owed_minor, currency=own.currency, **posted)
    lines = ledger.pair(ledger.RECEIVABLES, ledger.CARDS, owed_minor, own.currency, base, item)
    yield ledger.entry(own.account, name, "charged_back", on, lines, text=wish.reason)
