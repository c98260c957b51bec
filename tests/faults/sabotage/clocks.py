"""Guards of the two hours in which a waiting order is to be decided (`services/orders/clock.py`, `shared/credit/clocks.py`)."""

from tests.faults.sabotage.guard import Guard, out

CLOCK = "tests/models/test_orders_clock.py::"

GUARDS = (
    Guard(
        name="a clock ends at the cut-off that makes the delivery date",
        promise="O6",
        file="shared/credit/clocks.py",
        takes_out=out("due if cut_off is None else min(due, cut_off)", "due"),
        tests=(CLOCK + "test_the_cut_off_that_makes_the_delivery_date_may_come_before_the_two_hours",),
    ),
    Guard(
        name="a cut-off without notice is not promised",
        promise="O6",
        file="shared/credit/clocks.py",
        takes_out=out(" or between(calendar, begins, cut_off) < dt.timedelta(minutes=desk.notice_minutes)", ""),
        tests=(CLOCK + "test_an_order_that_comes_too_late_for_a_cut_off_is_promised_for_the_next",),
    ),
    Guard(
        name="a date that no calendar reaches parks nobody",
        promise="O6, 4",
        file="shared/credit/clocks.py",
        takes_out=out("if not EARLIEST <= begins <= LATEST:", "if False:"),
        tests=(CLOCK + "test_a_receipt_beyond_all_calendars_has_no_clock",),
    ),
    Guard(
        name="hours that cannot be are refused with the policy",
        promise="O2, O6",
        file="shared/credit/clocks.py",
        takes_out=out("if add(calendar, EARLIEST, dt.timedelta(minutes=minutes)) > EARLIEST + FAR:", "if False:"),
        tests=(CLOCK + "test_hours_that_cannot_be_are_refused_with_the_policy",),
    ),
    Guard(
        name="a new decision leaves the clock alone",
        promise="O6",
        file="services/orders/clock.py",
        takes_out=out("if order is not None and order.waiting and order.clock is not None:", "if False:"),
        tests=(CLOCK + "test_another_policy_counts_for_orders_that_come_and_not_for_those_that_wait",),
    ),
    Guard(
        name="a receipt in the future gives no more time",
        promise="O6",
        file="services/orders/clock.py",
        takes_out=out("EARLIEST <= received <= at else at", "EARLIEST <= received else at"),
        tests=(CLOCK + "test_a_receipt_in_the_future_gives_no_more_time",),
    ),
    Guard(
        name="another delivery date moves the clock",
        promise="O6",
        file="services/orders/change.py",
        takes_out=out("set_anew(order, known, judged)", "known"),
        tests=(CLOCK + "test_another_delivery_date_moves_the_clock_and_its_receipt_does_not",),
    ),
    Guard(
        name="marks already told are not told again",
        promise="O6",
        file="shared/credit/clocks.py",
        takes_out=out("return min(behind, max(told, behind - 1))", "return 0"),
        tests=(CLOCK + "test_of_a_new_clock_only_the_last_mark_behind_is_told_and_none_again",),
    ),
    Guard(
        name="a mark is told once",
        promise="O6, 6",
        file="services/orders/clock.py",
        takes_out=out("order.next_mark != command.mark or ", ""),
        tests=(CLOCK + "test_a_mark_that_comes_twice_or_too_early_says_nothing",),
    ),
    Guard(
        name="a mark that was moved is not told early",
        promise="O6, 6",
        file="services/orders/clock.py",
        takes_out=out(" or mark_at(order.clock, command.mark) > moment.at", ""),
        tests=(CLOCK + "test_a_mark_that_comes_twice_or_too_early_says_nothing",),
    ),
    Guard(
        name="the next mark of a clock is a timer",
        promise="O6, 6",
        file="services/orders/deadlines.py",
        takes_out=out("    if now is not None:\n        yield now", "    return"),
        tests=(CLOCK + "test_a_waiting_order_is_warned_escalated_and_breached_each_at_its_time",),
    ),
    Guard(
        name="the timer of a clock goes when the order waits no more",
        promise="O6, 6",
        file="services/orders/deadlines.py",
        takes_out=out("yield Timer(was.kind, was.key, None)", "pass"),
        tests=(CLOCK + "test_nothing_is_told_of_an_order_that_waits_no_more",),
    ),
    Guard(
        name="an escalation goes up from whoever was told last",
        promise="O6",
        file="services/orders/clock.py",
        takes_out=out("for role in (order.level, order.told)", "for role in (order.level,)"),
        tests=(CLOCK + "test_a_waiting_order_is_warned_escalated_and_breached_each_at_its_time",),
    ),
    Guard(
        name="an order that comes back has a clock of its own",
        promise="O4, O6",
        file="services/orders/clock.py",
        takes_out=out("and order is not None and order.waiting:  #", "and order is not None:  #"),
        tests=(CLOCK + "test_an_order_that_a_recall_brings_back_has_two_hours_from_then",),
    ),
)
