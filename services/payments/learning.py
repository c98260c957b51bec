"""What is remembered of payers, and what customers say of their payments in advance (P4, P6). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.message import Fact
from contracts.payments import AdviceTaken, ForgetPayer, PayerForgotten, TakeAdvice
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import State
from shared.service import Moment


def forget(state: State, wish: ForgetPayer, moment: Moment) -> Iterable[Fact]:
    if state.alias is None or state.alias.account != wish.account:
        return Refusal("unknown_alias", f"{wish.account} has no such payer").of(wish.account, wish.alias)
    if refusal := not_reasoned(wish.reason):
        return refusal.of(wish.account, wish.alias)
    return [PayerForgotten(account=wish.account, alias=wish.alias, reason=wish.reason, by=moment.actor)]


def take_advice(state: State, wish: TakeAdvice, moment: Moment) -> Iterable[Fact]:
    """The same advice again is nothing new; another one under its name is refused visibly."""
    known = state.advice
    if known is not None:
        if (known.amount_minor, known.currency, known.lines) == (wish.amount_minor, wish.currency, wish.lines):
            return unneeded(wish.account, wish.advice)
        detail = f"advice {wish.advice!r} came before with other lines; give it a name of its own"
        return Refusal("other_content", detail).of(wish.account, wish.advice)
    return [
        AdviceTaken(
            account=wish.account,
            advice=wish.advice,
            amount_minor=wish.amount_minor,
            currency=wish.currency,
            lines=wish.lines,
            paid_on=wish.paid_on,
            payment_reference=wish.payment_reference,
            payer=wish.payer,
            format=wish.format,
        )
    ]
