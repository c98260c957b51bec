"""What the ledger hears, and what it does about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts import accounts
from contracts import payments as said
from contracts.message import Message
from services.payments import (
    bank,
    bank_details,
    cash,
    items,
    known,
    learning,
    mirror,
    offsets,
    paid_out,
    payouts,
    period,
    posted,
    statements,
    store,
)
from services.payments.cards import payment as cards
from services.payments.fold import evolve
from services.payments.state import State, rows
from shared.service import Decide, Service

HEARS: Mapping[type[Message], Decide] = {
    accounts.AccountOpened: known.account_opened,
    accounts.TermsChanged: known.terms_changed,
    accounts.AccountRenamed: known.renamed,
    accounts.StatusChanged: known.status_changed,
    accounts.PlacedOnStop: known.placed_on_stop,
    accounts.TakenOffStop: known.taken_off_stop,
    accounts.AccountTerminated: known.terminated,
    said.PostItem: items.post_item,
    said.ClosePeriod: period.close,
    said.IssueStatement: statements.issue,
    said.TakeStatement: bank.take_statement,
    said.ConfirmEntries: bank.confirm,
    said.RecogniseCash: bank.recognise,
    said.SetAsideEntry: bank.set_aside,
    said.TakeEntry: bank.take,
    said.DropEntry: bank.drop,
    said.TakeBackCash: bank.take_back,
    said.ReceiveCash: mirror.lands(cash.receive),
    said.ConfirmCash: cash.confirm,
    said.AllocateCash: mirror.asks(cash.allocate),
    said.ReferCash: cash.refer,
    said.RetryCash: cash.retry,
    said.UnallocateCash: mirror.unallocate,
    said.UndoMatch: mirror.asks(cash.undo),
    said.WithdrawCash: mirror.lands(mirror.withdraw),
    said.KeepOnAccount: cash.keep,
    said.TakeCash: cash.take,
    said.GiveBackCash: mirror.lands(mirror.give_back),
    said.TakeAdvice: learning.take_advice,
    said.ForgetPayer: learning.forget,
    said.NoteBankDetails: bank_details.note,
    said.ConfirmBankDetails: bank_details.confirm,
    said.ProposeRefund: payouts.propose_refund,
    said.ProposeWriteOff: payouts.propose_write_off,
    said.SweepBalance: payouts.sweep,
    said.ApprovePayout: payouts.approve,
    said.DeclinePayout: payouts.decline,
    said.CarryOutPayout: mirror.asks(payouts.carry_out),
    said.ReverseWriteOff: payouts.reverse,
    said.TakeBackPayout: mirror.asks(payouts.take_back),
    said.NoteRefundPaid: payouts.note_paid,
    said.ReturnRefund: payouts.return_refund,
    said.QueueRefund: paid_out.queue,
    said.MakePaymentFile: paid_out.make_file,
    said.GatherRefunds: paid_out.gather,
    said.ConfirmPaidOut: paid_out.confirm,
    said.ReopenPaidOut: paid_out.reopen,
    said.StopRefund: paid_out.stop,
    said.OffsetItems: mirror.asks(offsets.offset),
    said.UndoOffset: offsets.undo,
    said.TakeBackOffset: mirror.asks(offsets.take_back),
    said.TakeCardPayment: mirror.no_cards(cards.take),
    said.SettleByCard: mirror.asks(cards.settle),
    said.RefundCardPayment: mirror.no_cards(cards.propose_refund),
    said.CarryOutCardRefund: cards.carry_out_refund,
    said.ReturnCardRefund: cards.return_refund,
    said.TakeBackCard: cards.take_back,
    said.TakePosting: posted.take,
    said.TakeBackPosting: posted.take_back,
    said.DeclinePosting: mirror.decline,
    said.CloseRequest: mirror.close,
}

MAIL: Mapping[type[Message], Decide] = {said.NoteCardOutcome: cards.note}
"""Only the acquirer's executor and its callback post these, inside this database: no topic brings them (P9)."""

SERVICE = Service(
    name="payments",
    state=State,
    tables=store.TABLES,
    rows=rows,
    hears=HEARS,
    mail=MAIL,
    evolve=evolve,
    schema=Path(__file__).with_name("schema.sql"),
    deadlines=store.deadlines,
    fires=store.FIRES,
)
