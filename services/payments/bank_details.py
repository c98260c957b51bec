"""Where an account wants to be paid, guarded against change fraud (P10). Pure.

New details pay nothing until somebody else has called the customer back on a number known before; every change begins anew.
"""

from __future__ import annotations

from collections.abc import Iterable

from stdnum import iban

from contracts.message import Fact
from contracts.payments import BankDetailsConfirmed, BankDetailsNoted, ConfirmBankDetails, NoteBankDetails
from services.payments.policies import in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import Account, BankDetails, State
from shared.service import Moment, people_in

KIND = "bank_details"


def note(state: State, wish: NoteBankDetails, moment: Moment) -> Iterable[Fact]:
    """Other details than those known pay nothing yet; the same ones again change nothing."""
    if refusal := not_reasoned(wish.reason) or _malformed(wish):
        return refusal.of(wish.account)
    account, number = state.accounts.get(wish.account), iban.compact(wish.iban)
    if account is not None and account.bank is not None and (account.bank.iban, account.bank.holder) == (number, wish.holder):
        return unneeded(wish.account)
    return [
        BankDetailsNoted(
            account=wish.account,
            iban=number,
            holder=wish.holder,
            reason=wish.reason,
            by=moment.actor,
            levels=in_force(moment.at.date()).levels(KIND, 0),
        )
    ]


def _malformed(wish: NoteBankDetails) -> Refusal | None:
    if not wish.holder.strip():
        return Refusal("no_holder", "banks compare the holder's name; write it as the customer's bank has it")
    if not iban.is_valid(wish.iban):
        return Refusal("no_iban", f"{wish.iban!r} is no IBAN: its length or check digits are wrong; read it again")
    return None


def confirm(state: State, wish: ConfirmBankDetails, moment: Moment) -> Iterable[Fact]:
    """The call-back: by somebody else, with authority, of exactly the details that are noted."""
    account = state.accounts.get(wish.account)
    if account is None or account.bank is None:
        return Refusal("no_details", f"{wish.account} has no bank details; note them first").of(wish.account)
    if account.bank.confirmed_by and account.bank.iban == iban.compact(wish.iban):
        return unneeded(wish.account)
    refusal = not_reasoned(wish.reason) or _not_to_confirm(account.bank, wish, moment)
    if refusal:
        return refusal.of(wish.account)
    return [BankDetailsConfirmed(account=wish.account, iban=account.bank.iban, called=wish.called, by=moment.actor)]


def _not_to_confirm(bank: BankDetails, wish: ConfirmBankDetails, moment: Moment) -> Refusal | None:
    if iban.compact(wish.iban) != bank.iban:
        return Refusal("other_details", "other details were noted meanwhile; call back again and confirm what is noted now")
    if not moment.actor or moment.people & people_in(bank.by):
        return Refusal("own_request", f"{bank.by or 'somebody'} noted these details; somebody else calls back and confirms them")
    if not wish.called.strip():
        return Refusal("nobody_called", "say who was called, on a number known before the change")
    policy = in_force(moment.at.date())
    if not policy.may(KIND, moment.role, 0):
        able = " or ".join(policy.levels(KIND, 0))
        return Refusal("beyond_authority", f"confirming bank details takes a {able} ({policy.version})")
    return None


def not_payable(account: Account | None) -> Refusal | None:
    """Why nothing is paid to this account's bank details now, and how to mend it."""
    if account is None or account.bank is None:
        return Refusal("no_details", "there are no bank details of this account; note them, and have somebody else call back")
    if not account.bank.confirmed_by:
        detail = (
            f"the bank details noted by {account.bank.by or 'somebody'} are not confirmed; somebody else calls the customer on "
            "a number known before and confirms them, then ask again"
        )
        return Refusal("unconfirmed_details", detail)
    return None
