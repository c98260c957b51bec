"""What the credit master hears, and what it does about it."""

from __future__ import annotations

from contracts.accounts import (
    ChangeLimit,
    ChangeTerms,
    DueChangesReached,
    OpenAccount,
    PutOnStop,
    TakeOffStop,
    TerminateAccount,
)
from services.accounts import changes, opening, standing, store
from services.accounts.account import State, evolve
from shared.service import Service

SERVICE = Service(
    name="accounts",
    state=State,
    tables={"account": store.ACCOUNTS, "root": store.ACCOUNTS},
    rows=store.rows,
    hears={
        OpenAccount: opening.open_account,
        ChangeTerms: changes.change_terms,
        ChangeLimit: changes.change_limit,
        DueChangesReached: changes.reach_due_changes,
        PutOnStop: standing.put_on_stop,
        TakeOffStop: standing.take_off_stop,
        TerminateAccount: standing.terminate,
    },
    evolve=evolve,
    schema=store.SCHEMA,
    deadlines=store.deadlines,
    fires={store.DUE_CHANGES: store.due_changes},
)
