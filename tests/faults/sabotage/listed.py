"""All guards, in the order of the guarantees."""

from tests.faults.sabotage import (
    accounts,
    clocks,
    console,
    effect_once,
    gateway,
    nothing_skipped,
    one_writer,
    orders,
    outbox,
    payments,
    recovery,
    timers,
    windows,
)
from tests.faults.sabotage.guard import Guard

LISTED: tuple[Guard, ...] = (
    *effect_once.GUARDS,
    *outbox.GUARDS,
    *recovery.GUARDS,
    *one_writer.GUARDS,
    *nothing_skipped.GUARDS,
    *timers.GUARDS,
    *gateway.GUARDS,
    *orders.GUARDS,
    *clocks.GUARDS,
    *accounts.GUARDS,
    *payments.GUARDS,
    *console.GUARDS,
    *windows.GUARDS,
)
