"""What the credit master hears, and what it does about it."""

from __future__ import annotations

from contracts.accounts import (
    AddStopAction,
    AppointDeputy,
    ApproveRequest,
    AssignStop,
    CallOffStop,
    ChangeLimit,
    ChangeTerms,
    CloseStopAction,
    DeclineRequest,
    DueChangesReached,
    EndDeputy,
    NoteAccount,
    NoteStopProgress,
    OpenAccount,
    PutOnStop,
    ReachStop,
    ReachStopProgress,
    ScheduleStop,
    TakeOffStop,
    TerminateAccount,
    WithdrawRequest,
)
from services.accounts import approvals, changes, cover, opening, standing, stopwork, store, timeline
from services.accounts.account import State, evolve
from shared.service import Service

SERVICE = Service(
    name="accounts",
    state=State,
    tables={"account": store.ACCOUNTS, "root": store.ACCOUNTS, "person": store.PEOPLE},
    rows=store.rows,
    hears={
        OpenAccount: opening.open_account,
        ChangeTerms: changes.change_terms,
        ChangeLimit: changes.change_limit,
        DueChangesReached: changes.reach_due_changes,
        PutOnStop: standing.put_on_stop,
        TakeOffStop: standing.take_off_stop,
        TerminateAccount: standing.terminate,
        ScheduleStop: standing.schedule_stop,
        CallOffStop: standing.call_off_stop,
        ReachStop: standing.reach_stop,
        AssignStop: stopwork.assign,
        AddStopAction: stopwork.add_action,
        CloseStopAction: stopwork.close_action,
        NoteStopProgress: stopwork.note_progress,
        ReachStopProgress: stopwork.reach_progress,
        NoteAccount: timeline.note_account,
        ApproveRequest: approvals.approve,
        DeclineRequest: approvals.decline,
        WithdrawRequest: approvals.withdraw,
        AppointDeputy: cover.appoint,
        EndDeputy: cover.end,
    },
    evolve=evolve,
    schema=store.SCHEMA,
    deadlines=store.deadlines,
    fires={
        store.DUE_CHANGES: store.due_changes,
        store.STOP: store.reached_stop,
        store.STOP_PROGRESS: store.missed_progress,
    },
)
