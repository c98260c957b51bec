"""The people of finance on the demo day, played: what they do with cash, credits and cards of the debtors, and when. Pure.

They stop where somebody else's word is needed: what they leave waits for whoever signs in. Wishes go in under their own names,
as the console sends them; the ledger may refuse each.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from contracts.accounts import ChangeLimit, ChangeTerms, ScheduleStop, Terms
from contracts.message import Message
from contracts.payments import (
    ApprovePayout,
    CardOutcomeNoted,
    ConfirmBankDetails,
    KeepOnAccount,
    MakePaymentFile,
    NoteBankDetails,
    OffsetItems,
    ProposeRefund,
    ProposeWriteOff,
    RecogniseCash,
    RefundCardPayment,
    SetAsideEntry,
    Settle,
    TakeCardPayment,
    TakeEntry,
)
from quittance.bank import OUR_ACCOUNT
from quittance.clerks import Clerk
from quittance.day import CURRENCY, DATE
from quittance.debtors import (
    BRIGHTWATER,
    DAY,
    DEBTORS,
    DUNMORE,
    FORWARD,
    LARCH,
    LIGHTS,
    MARLOW,
    ORCHARD,
    QUAYSIDE,
    TALLIS,
    VEXLEY,
    WEDNESDAY,
    Papers,
)
from quittance.statements import OVER_MINOR, PAYING_ACCOUNT, REST_MINOR, entry_of
from quittance.trade import Act
from services.payments.state import REFUND, WRITE_OFF, payout_of, receipt_of

LEA = Clerk("lea.brandt", "controller", 1)
OMAR = Clerk("omar.haddad", "team_leader", 2)
RUTH = Clerk("ruth.ellis", "financial_controller", 3)
STAFF = (LEA, OMAR, RUTH)
"""Not those who sign in on the demo day: nobody may approve what was asked in their own name (A6)."""
TWICE, OVER, REST, OLD = "paid-twice", "paid-too-much", "slip", "dissolved"
"""Their own keys of what they propose."""
LARCH_CARD, VEXLEY_CARD, DECLINED_CARD = "CARD-LARCH-0302", "CARD-VEXLEY-0302", "CARD-VEXLEY-0302B"
DECLINED_PENCE = 1
"""The sandbox acquirer declines amounts that end so (`deploy.sandbox.acquirer`)."""
BROUGHT_BACK_AFTER = dt.timedelta(minutes=30)
MARLOW_IBAN, BRIGHTWATER_IBAN, QUAYSIDE_IBAN = "GB07LOYD30963412345678", "GB69BARC20325586420197", "GB90MIDL40051522334455"
"""Nobody's: right by their check digits only."""


def refund_of(known: Papers) -> tuple[str, int]:
    """The payment of ours that leaves on the day: its end-to-end id, and how much."""
    return payout_of(BRIGHTWATER, REFUND, TWICE), known[BRIGHTWATER, "phones"].amount_minor


def worked(known: Papers) -> Iterator[Act]:
    """All that they do, whatever comes of it."""
    for n, (at, who, account, message) in enumerate(
        (*_cash(), *_money_out(known), *_credits(known), *_cards(known), *_masters())
    ):
        yield Act(at, f"finance/{n}/{at:%Y%m%dT%H%M}", account, message, by=who.name)


def follows(fact: Message, at: dt.datetime, known: Papers) -> Iterator[Act]:
    """Larch Lane brings a tablet back once it has paid by card: its money goes back to the card, if somebody approves."""
    match fact:
        case CardOutcomeNoted(payment=payment, outcome="captured") if payment == LARCH_CARD:
            credit = known[LARCH, "returned"]
            back = RefundCardPayment(
                account=LARCH, payment=LARCH_CARD, key="returned", amount_minor=credit.amount_minor, credit=credit.number,
                reason="tablet returned in its box; paid by card",
            )  # fmt: skip
            yield Act(at + BROUGHT_BACK_AFTER, f"finance/{LARCH_CARD}/returned", LARCH, back, by=LEA.name)


Deed = tuple[dt.datetime, Clerk, str, Message]
"""When, who, of which account, and what they wish."""


def _at(hour: int, minute: int) -> dt.datetime:
    return dt.datetime.combine(DATE, dt.time(hour, minute), tzinfo=dt.UTC)


def receipt(what: str) -> str:
    """The receipt that an entry of the night becomes."""
    return receipt_of(OUR_ACCOUNT, entry_of(what))


def _cash() -> Iterator[Deed]:
    """What the night's statement left to people; two of its entries nobody finds out about today."""
    asks = "asked the bank for the sender's address"
    took = TakeEntry(bank_account=OUR_ACCOUNT, entry=entry_of("nobody"), owner=LEA.name, note=asks)
    yield _at(7, 20), LEA, LIGHTS, took
    ours = "our own money, from the reserve account"
    aside = SetAsideEntry(bank_account=OUR_ACCOUNT, entry=entry_of("ours"), ledger="bank", reason=ours)
    yield _at(7, 26), LEA, LIGHTS, aside
    told = "Old Mill Estates pays for Brightwater's tenants; their accounts payable said so on the telephone"
    known = RecogniseCash(bank_account=OUR_ACCOUNT, entry=entry_of("third"), account=BRIGHTWATER, learn=True, reason=told)
    yield _at(7, 32), OMAR, BRIGHTWATER, known
    keeps = "a deposit for the order of next week, by their buyer's mail"
    yield _at(7, 38), LEA, QUAYSIDE, KeepOnAccount(account=QUAYSIDE, receipt=receipt("on account"), reason=keeps)


def _money_out(known: Papers) -> Iterator[Deed]:
    """Paid back: what came twice, approved and in a file; what came too much waits for a second person."""
    yield from _bank_details()
    refund, minor = refund_of(known)
    twice = ProposeRefund(
        account=BRIGHTWATER, key=TWICE, item=receipt("twice"), amount_minor=minor, reason="the same invoice was paid on Wednesday"
    )
    yield _at(7, 44), LEA, BRIGHTWATER, twice
    over = "paid more than the invoice; they ask for it back"
    yield _at(7, 46), LEA, MARLOW, ProposeRefund(
        account=MARLOW, key=OVER, item=receipt("over"), amount_minor=OVER_MINOR, reason=over, evidence="their mail of today"
    )  # fmt: skip
    yield _at(7, 56), OMAR, BRIGHTWATER, ApprovePayout(account=BRIGHTWATER, request=refund, reason="both statements looked at")
    file = MakePaymentFile(bank_account=PAYING_ACCOUNT, file="PF-20260302-MORNING", on=DATE, refunds=(refund,))
    yield _at(8, 20), RUTH, BRIGHTWATER, file
    yield from _given_up(known)


def _bank_details() -> Iterator[Deed]:
    """Called back by another one, but for the last, which are new today."""
    for account, iban, called in (
        (MARLOW, MARLOW_IBAN, "P Finch, purchase ledger"),
        (BRIGHTWATER, BRIGHTWATER_IBAN, "D Osei, finance"),
    ):
        name = DEBTORS[account].name
        yield FORWARD, LEA, account, NoteBankDetails(account=account, iban=iban, holder=name, reason="bank letter on file")
        back = ConfirmBankDetails(account=account, iban=iban, called=called, reason="called on the number of the agreement")
        yield WEDNESDAY, OMAR, account, back
    new = NoteBankDetails(
        account=QUAYSIDE, iban=QUAYSIDE_IBAN, holder=DEBTORS[QUAYSIDE].name, reason="their mail says that they changed banks"
    )
    yield _at(7, 50), LEA, QUAYSIDE, new


def _given_up(known: Papers) -> Iterator[Deed]:
    slip, old, short = known[TALLIS, "cables"], known[TALLIS, "scanners"], known[DUNMORE, "phones"]
    rest = ProposeWriteOff(
        account=TALLIS, key=REST, item=slip.number, amount_minor=REST_MINOR,
        reason="a slip of theirs, smaller than asking for it costs", evidence="the statement's amount has two digits exchanged",
    )  # fmt: skip
    yield _at(7, 48), LEA, TALLIS, rest
    goodwill = ProposeWriteOff(
        account=DUNMORE, key="cable", item=short.number, amount_minor=CABLE_MINOR,
        reason="a cable that was missing in February; agreed by sales", evidence="mail of S Greene, 24 February",
    )  # fmt: skip
    yield _at(7, 52), LEA, DUNMORE, goodwill
    gone = ProposeWriteOff(
        account=TALLIS, key=OLD, item=old.number, amount_minor=old.amount_minor,
        reason="ordered by a branch that was closed; Tallis says it never was theirs", evidence="letter of their solicitor",
    )  # fmt: skip
    yield _at(8, 5), OMAR, TALLIS, gone
    for minute, account, key in ((10, TALLIS, REST), (14, DUNMORE, "cable")):
        yes = ApprovePayout(account=account, request=payout_of(account, WRITE_OFF, key), reason="small, and explained")
        yield _at(8, minute), OMAR, account, yes


CABLE_MINOR = 9_80


def _credits(known: Papers) -> Iterator[Deed]:
    """One credit note is set against the earliest debt, by agreement; the page offers what is to be done with the other."""
    credit, debt = known[ORCHARD, "returned"], known[ORCHARD, "phones"]
    line = Settle(item=debt.number, settled_minor=credit.amount_minor, paid_minor=credit.amount_minor)
    yield _at(8, 0), LEA, ORCHARD, OffsetItems(
        account=ORCHARD, credit=credit.number, lines=(line,), reason="returned phones against what is due", agreement="CONTRA-26"
    )  # fmt: skip


def _cards(known: Papers) -> Iterator[Deed]:
    """Three payments taken on the telephone: one stays, one is charged back later, one the card does not give."""
    for minute, account, payment, name, more in (
        (28, LARCH, LARCH_CARD, "tablets", 0),
        (30, VEXLEY, VEXLEY_CARD, "watches", 0),
        (34, VEXLEY, DECLINED_CARD, "phones", 1),
    ):
        paper = known[account, name]
        amount = paper.amount_minor // 100 * 100 + DECLINED_PENCE if more else paper.amount_minor
        took = TakeCardPayment(
            account=account, payment=payment, amount_minor=amount, currency=CURRENCY, token=f"tok_{payment.lower()}",
            items=(paper.number,),
        )  # fmt: skip
        yield _at(7, minute), LEA, account, took


def _masters() -> Iterator[Deed]:
    """What they ask the credit master for, beyond what they may say alone; and a stop that is announced (A3)."""
    limit = ChangeLimit(account=MARLOW, limit_minor=30_000_00, reason="pays early and buys more every month")
    yield _at(8, 24), LEA, MARLOW, limit
    terms = Terms(payment_days=60, portfolio=DEBTORS[DUNMORE].portfolio)
    yield _at(8, 28), LEA, DUNMORE, ChangeTerms(account=DUNMORE, terms=terms, reason="their trade association's terms")
    stop = ScheduleStop(account=TALLIS, on=DATE + 3 * DAY, reason="two invoices are two and three months late")
    yield _at(8, 32), OMAR, TALLIS, stop
