"""Guards of the credit master: authority, days, groups, statuses (`services/accounts`)."""

from tests.faults.sabotage.guard import Guard, out

OPENING = "tests/models/test_accounts_opening.py::"
CHANGES = "tests/models/test_accounts_changes.py::"
STANDING = "tests/models/test_accounts_standing.py::"

GUARDS = (
    Guard(
        name="nobody raises a limit beyond their authority",
        promise="A6",
        file="services/accounts/changes.py",
        takes_out=out("return authority.beyond(authority.LIMIT, change.limit[0], moment) if eases else None", "return None"),
        tests=(CHANGES + "test_raising_a_limit_needs_authority",),
    ),
    Guard(
        name="a limit that holds longer needs authority",
        promise="A6",
        file="services/accounts/changes.py",
        takes_out=out(" or _holds_longer(before[1], change.limit[1])", ""),
        tests=(CHANGES + "test_a_limit_that_holds_longer_needs_authority_too",),
    ),
    Guard(
        name="easier terms need authority",
        promise="A6",
        file="services/accounts/changes.py",
        takes_out=out("if change.terms is None or not _eases(account.terms, change.terms):", "if True:"),
        tests=(CHANGES + "test_easier_terms_need_authority",),
    ),
    Guard(
        name="an opening needs authority for its limit",
        promise="A6",
        file="services/accounts/opening.py",
        takes_out=out(" or authority.beyond(authority.OPENING, wish.limit_minor, moment)", ""),
        tests=(OPENING + "test_an_opening_needs_authority_for_its_limit",),
    ),
    Guard(
        name="a later day is waited for",
        promise="6, A2",
        file="services/accounts/changes.py",
        takes_out=out("later = change.on > moment.at.date()", "later = False"),
        tests=(CHANGES + "test_a_later_day_is_scheduled_and_nothing_changes_yet",),
    ),
    Guard(
        name="nobody brings a day forward by naming it",
        promise="Clock, A2",
        file="services/accounts/changes.py",
        takes_out=out("today = min(wish.day, moment.at.date())", "today = wish.day"),
        tests=(CHANGES + "test_nobody_brings_a_day_forward_by_naming_it",),
    ),
    Guard(
        name="the timer moves on to the next change",
        promise="6",
        file="services/accounts/store.py",
        takes_out=out("on != _next_change_on(before)", "on and not _next_change_on(before)"),
        tests=(CHANGES + "test_the_timer_moves_on_to_the_next_day",),
    ),
    Guard(
        name="a later word about a day replaces the earlier one",
        promise="A2",
        file="services/accounts/account.py",
        takes_out=out("(*waiting, *more)}", "(*more, *waiting)}"),
        tests=(CHANGES + "test_a_later_word_about_a_day_replaces_the_earlier_one",),
    ),
    Guard(
        name="changes that wait are bounded",
        promise="A2",
        file="services/accounts/changes.py",
        takes_out=out("if len(taken | wanted) <= SCHEDULED_MAX:", "if True:"),
        tests=(CHANGES + "test_changes_that_wait_are_bounded",),
    ),
    Guard(
        name="every change has its reason",
        promise="A2",
        file="services/accounts/refusal.py",
        takes_out=out("return None if reason.strip() else", "return None if True else"),
        tests=(CHANGES + "test_a_change_without_reason_is_refused",),
    ),
    Guard(
        name="a terminated account never changes",
        promise="A3",
        file="services/accounts/standing.py",
        takes_out=out(
            "return ended(state.account) if state.account.status == TERMINATED else state.account", "return state.account"
        ),
        tests=(CHANGES + "test_a_terminated_account_refuses_changes",),
    ),
    Guard(
        name="a status follows only along its ways",
        promise="A3",
        file="services/accounts/opening.py",
        takes_out=out("if wished != was and wished not in WAYS[was]:", "if False:"),
        tests=(OPENING + "test_a_status_that_cannot_follow_is_refused",),
    ),
    Guard(
        name="an account keeps its currency",
        promise="A2",
        file="services/accounts/opening.py",
        takes_out=out("if wish.currency != account.currency:", "if False:"),
        tests=(OPENING + "test_an_account_keeps_its_currency",),
    ),
    Guard(
        name="one refused part refuses the whole wish",
        promise="A2",
        file="services/accounts/opening.py",
        takes_out=out(
            "    if refusal:\n        return [refusal.of(account.account)]\n    return [*at_once",
            "    if refusal:\n        return [*at_once, refusal.of(account.account)]\n    return [*at_once",
        ),
        tests=(OPENING + "test_one_refused_part_refuses_the_whole_wish",),
    ),
    Guard(
        name="a group has one home",
        promise="3, Home",
        file="services/accounts/group.py",
        takes_out=out("if account.home == home and account.parent == wish.parent:", "if True:"),
        tests=(STANDING + "test_an_account_cannot_change_its_group_by_being_sent_again",),
    ),
    Guard(
        name="a root is keyed by itself",
        promise="3, Home",
        file="services/accounts/group.py",
        takes_out=out("return None if home == wish.account else", "return None if True else"),
        tests=(STANDING + "test_an_account_keyed_by_another_home_is_refused",),
    ),
    Guard(
        name="a group is two levels deep",
        promise="Home",
        file="services/accounts/group.py",
        takes_out=out("if root.home != home or root.account != parent:", "if False:"),
        tests=(STANDING + "test_a_member_cannot_be_a_parent",),
    ),
    Guard(
        name="a group trades in one currency",
        promise="A2",
        file="services/accounts/group.py",
        takes_out=out("if root.currency != wish.currency:", "if False:"),
        tests=(STANDING + "test_a_member_trades_in_the_currency_of_its_group",),
    ),
    Guard(
        name="a root ends after its members",
        promise="A3",
        file="services/accounts/group.py",
        takes_out=out("if account.members == 0:", "if True:"),
        tests=(STANDING + "test_a_root_is_not_ended_before_its_members",),
    ),
    Guard(
        name="a terminated root takes no members",
        promise="A3",
        file="services/accounts/group.py",
        takes_out=out("if root.status == TERMINATED:", "if False:"),
        tests=(STANDING + "test_a_terminated_root_takes_no_members",),
    ),
    Guard(
        name="a reason for a stop is noted once",
        promise="1, A3",
        file="services/accounts/standing.py",
        takes_out=out("if wish.reason in account.stop_reasons:", "if False:"),
        tests=(STANDING + "test_the_same_reason_again_is_unneeded_and_another_is_kept",),
    ),
)
