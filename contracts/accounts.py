"""Messages of the credit master: who the account is, what it may owe, and whether it may trade (A2, A3)."""

from __future__ import annotations

import msgspec

from contracts.message import Command, Fact
from contracts.words import Amount, Count, Currency, Day, Reference, Text, Word

PEOPLE = "people"
"""The home of what concerns people and no account: one partition, one serial log."""
CADENCES = ("standard", "monthly", "weekly", "none")
"""How often an account is sent its statement (P13); `standard`: as the ledger's policy says."""


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The agreed trading terms of one account; a change replaces them whole. `tier`: `top_15`, `key` or `standard` (A2).

    `legal_entity`: whose customer it is, and so whose ledger it stands in (P1). `statement_cadence`: one of `CADENCES`.
    """

    payment_days: Count = 30
    cash_on_delivery: bool = False
    po_required: bool = False
    standard_order_minor: Amount | None = None
    risk_class: Word = "standard"
    portfolio: Reference = "main"
    dunning_policy: Word = "standard"
    controller: Reference | None = None
    sales_manager: Reference | None = None
    region: Word = "GB"
    tier: Word = "standard"
    legal_entity: Reference = "main"
    statement_cadence: Word = "standard"


class OpenAccount(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Open an account, or bring an open one to this state (a file import repeats it daily).

    `parent` puts it into a credit group. `status` left out: open when it is new, as it stands when it is not, so that a
    file without statuses takes nobody off stop.
    """

    account: Reference
    name: Text
    currency: Currency
    limit_minor: Amount
    parent: Reference | None = None
    limit_expires_on: Day | None = None
    terms: Terms = Terms()
    status: Word | None = None
    insured_minor: Amount = 0
    insured_until: Day | None = None
    reason: Text = ""
    effective_from: Day | None = None


class ChangeTerms(Command, frozen=True, kw_only=True, omit_defaults=True):
    """New terms, whole; on a later day when `effective_from` says so."""

    account: Reference
    terms: Terms
    reason: Text
    effective_from: Day | None = None


class ChangeLimit(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A new credit limit, or a new day on which it expires; raising it needs authority (A6)."""

    account: Reference
    limit_minor: Amount
    reason: Text
    limit_expires_on: Day | None = None
    effective_from: Day | None = None


class PutOnStop(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Hold every unreleased order of this account, whatever its limit; each reason is kept (A3)."""

    account: Reference
    reason: Text


class TakeOffStop(Command, frozen=True, kw_only=True, omit_defaults=True):
    """All reasons for the stop are cleared: decide its orders again."""

    account: Reference
    reason: Text


class ScheduleStop(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Put the account on stop on this day, unless it is called off; Finance is told now (A3)."""

    account: Reference
    on: Day
    reason: Text


class CallOffStop(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The scheduled stop is not needed any more."""

    account: Reference
    reason: Text


class ReachStop(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: the day of the scheduled stop has come."""

    account: Reference
    day: Day


class AssignStop(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Who works on getting this account off stop (A3)."""

    account: Reference
    owner: Reference


class AddStopAction(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Something to be done to get the account off stop, by a day."""

    account: Reference
    action: Reference
    text: Text
    due_on: Day
    owner: Reference


class CloseStopAction(Command, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    action: Reference
    outcome: Text


class NoteStopProgress(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The weekly progress note of an account on stop (A3)."""

    account: Reference
    text: Text


class ReachStopProgress(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: a week has passed without a progress note."""

    account: Reference
    due_on: Day


class NoteAccount(Command, frozen=True, kw_only=True, omit_defaults=True):
    """An entry for the account's timeline, which only grows (A7). `channel`: note, call, email, letter, meeting, visit."""

    account: Reference
    channel: Word
    text: Text


class ApproveRequest(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Let a requested change happen, within the approver's authority; nobody approves their own request (A6).

    `sales_view` and `finance_view` are kept with decisions about key accounts.
    """

    account: Reference
    request: Reference
    reason: Text
    sales_view: Text = ""
    finance_view: Text = ""


class DeclineRequest(Command, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    request: Reference
    reason: Text


class WithdrawRequest(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Whoever asked no longer wants it."""

    account: Reference
    request: Reference
    reason: Text


class AppointDeputy(Command, frozen=True, kw_only=True, omit_defaults=True):
    """While `person` is away, from one day to another and on both, `deputy` may act for them in this role (A6)."""

    person: Reference
    deputy: Reference
    role: Word
    from_on: Day
    until_on: Day
    reason: Text


class EndDeputy(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The person is back, or somebody else covers."""

    person: Reference
    deputy: Reference
    reason: Text


class TerminateAccount(Command, frozen=True, kw_only=True, omit_defaults=True):
    """End the account for good; a group's root goes last."""

    account: Reference
    reason: Text


class AccountOpened(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`home` is the root the account was opened under: the partition key of all that concerns it, for ever.

    `progress_due_on`: one that is opened on stop has its first progress note by then.
    """

    account: Reference
    home: Reference
    name: Text
    currency: Currency
    limit_minor: Amount
    parent: Reference | None = None
    limit_expires_on: Day | None = None
    terms: Terms = Terms()
    status: Word = "open"
    insured_minor: Amount = 0
    insured_until: Day | None = None
    reason: Text = ""
    effective_from: Day | None = None
    progress_due_on: Day | None = None


class TermsChanged(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The terms from this day on, whole. `by` asked for it."""

    account: Reference
    terms: Terms
    reason: Text
    effective_from: Day
    by: Reference | None = None


class LimitChanged(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The credit limit from this day on, and what it was. `by` asked for it."""

    account: Reference
    limit_minor: Amount
    was_minor: Amount
    reason: Text
    effective_from: Day
    limit_expires_on: Day | None = None
    by: Reference | None = None


class CoverChanged(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Credit insurance: how much of the debt is covered, until when (O2.15, F1)."""

    account: Reference
    insured_minor: Amount
    insured_until: Day | None = None
    reason: Text = ""


class ChangeScheduled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A change of terms or limit that takes effect on a later day; the change itself is a fact of that day.

    It replaces what was scheduled for the same day before. `limit_expires_on` belongs to `limit_minor`.
    """

    account: Reference
    effective_from: Day
    reason: Text
    limit_minor: Amount | None = None
    limit_expires_on: Day | None = None
    terms: Terms | None = None
    by: Reference | None = None


class AccountRenamed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The account trades under another name."""

    account: Reference
    name: Text
    reason: Text


class StatusChanged(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Between prospect, open and dormant; stops and terminations have facts of their own (A3)."""

    account: Reference
    status: Word
    was: Word
    reason: Text


class PlacedOnStop(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """No order of this account is released until it is taken off stop; the first progress note is due by `progress_due_on`."""

    account: Reference
    reason: Text
    progress_due_on: Day | None = None


class TakenOffStop(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Its orders may be released again."""

    account: Reference
    reason: Text


class AccountTerminated(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing may be changed or ordered on it any more."""

    account: Reference
    reason: Text


class StopScheduled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The account goes on stop on this day unless it is called off: Finance and sales are told before it does (A3)."""

    account: Reference
    on: Day
    reason: Text
    by: Reference | None = None


class StopCalledOff(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    on: Day
    reason: Text
    by: Reference | None = None


class StopAssigned(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    owner: Reference
    by: Reference | None = None


class StopActionAdded(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    action: Reference
    text: Text
    due_on: Day
    owner: Reference
    by: Reference | None = None


class StopActionClosed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    action: Reference
    outcome: Text
    by: Reference | None = None


class StopProgressNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What was done this week to get the account off stop; the next note is due by `next_due_on`."""

    account: Reference
    text: Text
    next_due_on: Day
    by: Reference | None = None


class StopProgressMissed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """No progress was noted by this day; its owner is reminded, the next note is due by `next_due_on`."""

    account: Reference
    due_on: Day
    next_due_on: Day
    owner: Reference | None = None


class AccountNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    channel: Word
    text: Text
    by: Reference


class ApprovalRequested(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A change that needs somebody else: more authority than its sender has, or a second pair of eyes (A6).

    `request` names it for the answer. `kind` is limit or terms, `amount_minor` what authority is measured by, `levels` the roles
    that may approve it, lowest first. `four_eyes`: its sender's authority would do, but nobody fixes this kind alone.
    What is asked for is in `limit_minor` with its expiry, or in `terms`.
    """

    account: Reference
    request: Reference
    kind: Word
    amount_minor: Amount
    currency: Currency
    levels: tuple[Word, ...]
    reason: Text
    by: Reference
    effective_from: Day
    four_eyes: bool = False
    limit_minor: Amount | None = None
    limit_expires_on: Day | None = None
    terms: Terms | None = None


class RequestApproved(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The change itself follows as its own fact."""

    account: Reference
    request: Reference
    by: Reference
    role: Word
    reason: Text
    sales_view: Text = ""
    finance_view: Text = ""


class RequestDeclined(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    request: Reference
    by: Reference
    reason: Text


class RequestWithdrawn(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    request: Reference
    by: Reference
    reason: Text


class DeputyAppointed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`deputy` may act for `person` in this role on these days; what they do carries both names (`dora for pia`)."""

    person: Reference
    deputy: Reference
    role: Word
    from_on: Day
    until_on: Day
    reason: Text
    by: Reference


class DeputyEnded(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """From now on `deputy` does not act for `person` any more."""

    person: Reference
    deputy: Reference
    reason: Text
    by: Reference


class DeputyRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A wish about a deputy that cannot be met: what, why and how to mend it."""

    person: Reference
    reason: Word
    detail: Text


class ReviewDue(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A review must be done by `due_on`; an overdue review of kind `limit` fails O2.9."""

    account: Reference
    kind: Word
    due_on: Day


class ReviewDone(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A review was done, and when the next one is due."""

    account: Reference
    kind: Word
    next_due_on: Day


class CommandRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A command that cannot be done: what, why and how to mend it."""

    account: Reference
    reason: Word
    detail: Text


class CommandUnneeded(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The account already is as the command wishes; nothing changed."""

    account: Reference


class DueChangesReached(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: scheduled changes of one account whose day has come."""

    account: Reference
    day: Day
