"""What the order desk hears, and what it does about it: the only place that says so.

`clearing` marks what may free held orders of the group; they are then decided again (O7).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts import accounts, claims, collections, commissions, orders, payments
from contracts.message import Message
from services.orders import change, clock, deal, desk, govern, note, place, recheck, warehouse
from services.orders.deadlines import BECOMES, deadlines
from services.orders.fold import evolve
from services.orders.recheck import clearing
from services.orders.state import State, rows
from services.orders.store import FIRES, TABLES
from shared.service import Decide, Service

HEARS: Mapping[type[Message], Decide] = {
    orders.PlaceOrder: place.place,
    orders.ChangeOrder: clearing(change.change),
    orders.CancelOrder: clearing(change.cancel),
    # the desk
    orders.ReleaseOrder: clearing(desk.release),
    orders.ReferOrder: desk.refer,
    orders.RejectOrder: clearing(desk.reject),
    orders.AskCustomer: desk.ask,
    orders.AssignOrder: desk.assign,
    orders.NoteOrder: desk.note,
    orders.SplitOrder: desk.split,
    orders.RankOrder: clearing(desk.rank),
    # announced deals
    orders.RegisterDeal: deal.register,
    orders.ApproveDeal: clearing(deal.approve),
    orders.DeclineDeal: deal.decline,
    orders.WithdrawDeal: clearing(deal.withdraw),
    # the warehouse
    orders.RecordDespatch: clearing(warehouse.despatch),
    orders.RecordDelivery: warehouse.deliver,
    orders.RecordReturn: warehouse.record_return,
    orders.AnswerRecall: clearing(warehouse.answer_recall),
    # the desk's own
    orders.AdoptPolicy: govern.adopt,
    orders.BillOrder: clearing(warehouse.bill),
    orders.RecallOrder: warehouse.recall,
    orders.LapseReservation: clearing(warehouse.lapse),
    orders.ExpireDeal: clearing(deal.expire),
    orders.RedecideOrder: recheck.redecide,
    orders.ReachMark: clock.reach,
    orders.OpenRecheck: recheck.open_recheck,
    orders.EndRecheck: recheck.end_recheck,
    # other services
    accounts.AccountOpened: clearing(note.account_opened),
    accounts.TermsChanged: clearing(note.terms_changed),
    accounts.LimitChanged: clearing(note.limit_changed),
    accounts.CoverChanged: clearing(note.cover_changed),
    accounts.AccountRenamed: note.renamed,
    accounts.StatusChanged: clearing(note.status_changed),
    accounts.PlacedOnStop: note.placed_on_stop,
    accounts.TakenOffStop: clearing(note.taken_off_stop),
    accounts.AccountTerminated: note.account_terminated,
    accounts.ReviewDue: clearing(note.review_due),
    accounts.ReviewDone: clearing(note.review_done),
    payments.ItemPosted: clearing(note.item_posted),
    payments.ItemSettled: clearing(note.item_settled),
    payments.SoftCreditConfirmed: clearing(note.soft_credit_confirmed),
    payments.SoftCreditEnded: note.soft_credit_ended,
    claims.ClaimOpened: clearing(note.claim_opened),
    claims.ClaimSettled: clearing(note.claim_settled),
    collections.DunningLevelSet: clearing(note.dunning_level_set),
    collections.PromiseBroken: note.promise_broken,
    commissions.StockPosition: clearing(note.stock_position),
}

SERVICE = Service(
    name="orders",
    state=State,
    tables=TABLES,
    rows=rows,
    hears=HEARS,
    evolve=evolve,
    schema=Path(__file__).with_name("schema.sql"),
    deadlines=deadlines,
    fires=FIRES,
    becomes=BECOMES,
)
