"""Guards of the order desk's decisions and of the totals that they are made on (`services/orders`)."""

from tests.faults.sabotage.guard import Guard, out

PLACE = "tests/models/test_orders_place.py::"
EXPOSURE = "tests/models/test_orders_exposure.py::"
DESK = "tests/models/test_orders_at_the_desk.py::"
CHANGE = "tests/models/test_orders_change.py::"
CHECKS = "tests/models/test_orders_checks.py::"
RECHECK = "tests/models/test_orders_recheck.py::"
STORE = "tests/flows/test_orders_store.py::"
WAREHOUSE = "tests/models/test_orders_warehouse.py::"
POLICY = "tests/models/test_orders_policy.py::"
DEALS = "tests/models/test_orders_deals.py::"
NOTES = "tests/models/test_orders_notes.py::"

GUARDS = (
    # limits and exposure
    Guard(
        name="no account passes its own limit",
        promise="O3",
        file="shared/credit/checks.py",
        takes_out=out(
            "if group_exposure is None or group_limit is None:\n        return own <= limit,",
            "if group_exposure is None or group_limit is None:\n        return True,",
        ),
        tests=(PLACE + "test_simultaneous_orders_never_take_exposure_above_the_limit",),
    ),
    Guard(
        name="no group passes its limit",
        promise="O2.3, O3",
        file="shared/credit/checks.py",
        takes_out=out("return group <= group_limit,", "return True,"),
        tests=(PLACE + "test_an_account_cannot_pass_its_groups_limit_though_it_has_room",),
    ),
    Guard(
        name="a member passes its own limit no more than its group's",
        promise="O2.3, O3",
        file="shared/credit/checks.py",
        takes_out=out("return own <= limit, own, limit\n\n\ndef order_value", "return True, own, limit\n\n\ndef order_value"),
        tests=(PLACE + "test_an_account_cannot_pass_its_own_limit_though_its_group_has_room",),
    ),
    Guard(
        name="what is reserved counts",
        promise="F1",
        file="services/orders/exposure.py",
        takes_out=out("        + position.reserved_minor\n", ""),
        tests=(PLACE + "test_simultaneous_orders_never_take_exposure_above_the_limit",),
    ),
    Guard(
        name="what has left and is not billed counts",
        promise="F1",
        file="services/orders/exposure.py",
        takes_out=out("        + position.unbilled_minor\n", ""),
        tests=(EXPOSURE + "test_what_is_reserved_despatched_or_billed_takes_up_the_limit",),
    ),
    Guard(
        name="an account counts in its group",
        promise="F1",
        file="services/orders/fold.py",
        takes_out=out("group = _queue_kept(_moved(group, before, after), before, after)", "pass"),
        tests=(PLACE + "test_simultaneous_orders_of_a_group_exceed_neither_its_limit_nor_an_accounts_own",),
    ),
    Guard(
        name="an account brings what it has into its group",
        promise="F1",
        file="services/orders/fold.py",
        takes_out=out(
            "return replace(state, group=_together(group, own))\n\n\n_NO_POSITION",
            "return replace(state, group=group)\n\n\n_NO_POSITION",
        ),
        tests=(EXPOSURE + "test_money_that_was_heard_of_before_the_account_joins_the_group_with_it",),
    ),
    Guard(
        name="goods are counted once, despatched or billed",
        promise="F1",
        file="services/orders/warehouse.py",
        takes_out=out("billed = min(command.amount_minor, ahead)", "billed = 0"),
        tests=("tests/models/test_orders_exposure.py",),
    ),
    Guard(
        name="insurance that is over covers nothing",
        promise="F1",
        file="services/orders/exposure.py",
        takes_out=out("if until is None or until >= on else 0", "if True else 0"),
        tests=(EXPOSURE + "test_the_insured_part_is_taken_off_while_cover_is_in_force",),
    ),
    Guard(
        name="insurance never makes exposure negative",
        promise="F1",
        file="services/orders/exposure.py",
        takes_out=out("min(_cover_minor(standing, on), max(gross, 0))", "_cover_minor(standing, on)"),
        tests=(EXPOSURE + "test_insurance_never_makes_exposure_negative",),
    ),
    # reservations
    Guard(
        name="a cancelled order frees its reservation",
        promise="O3",
        file="services/orders/fold.py",
        takes_out=out(
            "return replace(order, reserved_minor=0, lapses_on=None, recalled=False)", "return replace(order, recalled=False)"
        ),
        tests=(CHANGE + "test_cancelling_frees_the_reservation",),
    ),
    Guard(
        name="a lapsed order frees its reservation",
        promise="F2",
        file="services/orders/fold.py",
        takes_out=out('_taken_back(_known(state), "lapsed")', 'replace(_known(state), status="lapsed")'),
        tests=(WAREHOUSE + "test_a_reservation_lapses_after_its_last_day_and_not_before",),
    ),
    Guard(
        name="a reservation holds through its last day",
        promise="F2",
        file="services/orders/warehouse.py",
        takes_out=out("if order.lapses_on >= local_day(", "if order.lapses_on > local_day("),
        tests=(WAREHOUSE + "test_a_reservation_holds_through_its_last_day_whoever_asks",),
    ),
    Guard(
        name="a reservation has a timer",
        promise="6, F2",
        file="services/orders/deadlines.py",
        takes_out=out("yield _lapse_timer(", "_lapse_timer("),
        tests=(WAREHOUSE + "test_a_reservation_lapses_after_its_last_day_and_not_before",),
    ),
    Guard(
        name="a release grows by the agreed deviation and no more",
        promise="O4",
        file="services/orders/change.py",
        takes_out=out("grown = total_minor * 100 <= order.approved_minor * (100 + rule.deviation_percent)", "grown = True"),
        tests=(CHANGE + "test_a_penny_beyond_ten_per_cent_is_decided_again_before_it_ships",),
    ),
    Guard(
        name="the deviation is of what was released",
        promise="O4",
        file="services/orders/change.py",
        takes_out=out("<= order.approved_minor * (100", "<= order.total_minor * (100"),
        tests=(CHANGE + "test_the_deviation_is_of_what_was_released_not_of_the_last_change",),
    ),
    # the same again
    Guard(
        name="the same order again has no second effect",
        promise="1, O1",
        file="services/orders/place.py",
        takes_out=out("if order is not None and (order.placed or order.account != command.account):", "if False:"),
        tests=(PLACE + "test_the_same_order_again_changes_nothing_and_gives_its_first_answer",),
    ),
    Guard(
        name="a reference has one content",
        promise="1, O1",
        file="services/orders/place.py",
        takes_out=out("digest_of(command.placed) in (order.digest, order.latest)", "True"),
        tests=(PLACE + "test_the_same_reference_with_other_content_is_refused_visibly",),
    ),
    Guard(
        name="a despatch told twice counts once",
        promise="1, O9",
        file="services/orders/warehouse.py",
        takes_out=out("if order is not None and command.despatch in order.despatches:", "if False:"),
        tests=(WAREHOUSE + "test_the_same_despatch_again_counts_once",),
    ),
    Guard(
        name="a return told twice is recorded once",
        promise="1",
        file="services/orders/warehouse.py",
        takes_out=out("    if known is not None:\n        return (_returned", "    if False:\n        return (_returned"),
        tests=(WAREHOUSE + "test_a_return_told_twice_is_recorded_once",),
    ),
    Guard(
        name="lines add up to their total",
        promise="O1",
        file="services/orders/place.py",
        takes_out=out("if placed.lines and total != placed.total_minor:", "if False:"),
        tests=(PLACE + "test_an_order_whose_lines_do_not_add_up_is_refused_and_its_corrected_form_is_taken",),
    ),
    Guard(
        name="an order trades in its account's currency",
        promise="O1",
        file="services/orders/place.py",
        takes_out=out("if placed.currency != standing.currency:", "if False:"),
        tests=(PLACE + "test_an_order_in_a_currency_the_account_does_not_trade_in_is_refused",),
    ),
    Guard(
        name="an order is worked on for its own account",
        promise="3",
        file="services/orders/known.py",
        takes_out=out("return order if order.account == command.account else wrong_account(order, command)", "return order"),
        tests=(CHANGE + "test_an_order_changes_for_its_own_account_only",),
    ),
    # people
    Guard(
        name="nobody releases beyond their authority",
        promise="A6",
        file="services/orders/desk.py",
        takes_out=out("if not authority.covers(value_minor) or (", "if ("),
        tests=(DESK + "test_a_waiting_order_is_released_within_the_authority_of_that_day",),
    ),
    Guard(
        name="what was referred up is released up there",
        promise="A6, O5",
        file="services/orders/desk.py",
        takes_out=out("(asked is not None and authority.level < asked.level)", "False"),
        tests=(DESK + "test_an_order_referred_up_is_released_only_up_there",),
    ),
    Guard(
        name="a role without authority rejects nothing",
        promise="A6",
        file="services/orders/desk.py",
        takes_out=out("if authority_of(rules, moment.role) is None:", "if False:"),
        tests=(DESK + "test_a_role_without_authority_releases_and_rejects_nothing",),
    ),
    Guard(
        name="no one releases against a check that is final",
        promise="O2.2",
        file="services/orders/desk.py",
        takes_out=out("    if judged.final:", "    if False:"),
        tests=(DESK + "test_no_one_releases_an_order_of_an_account_on_stop",),
    ),
    Guard(
        name="an order beyond the desk's authority is referred",
        promise="A6",
        file="services/orders/place.py",
        takes_out=out("return None if needed.level == rules.authority[0].level else needed", "return None"),
        tests=(PLACE + "test_a_hold_above_the_desks_authority_is_referred_to_the_lowest_level_that_covers_it",),
    ),
    Guard(
        name="an order that does not wait is not released again",
        promise="O5, O9",
        file="services/orders/known.py",
        takes_out=out("if isinstance(order, CommandRefused) or order.waiting:", "if True:"),
        tests=(DESK + "test_any_order_may_be_noted_but_only_a_waiting_one_is_worked_on",),
    ),
    # stop
    Guard(
        name="an account on stop gets no release",
        promise="O2.2",
        file="shared/credit/checks.py",
        takes_out=out('return inputs.status != "on_stop",', "return True,"),
        tests=(CHECKS + "test_the_check_holds_beyond_its_threshold_and_says_what_it_measured",),
    ),
    Guard(
        name="a stop calls back what has not left",
        promise="O4",
        file="services/orders/deadlines.py",
        takes_out=out("yield Timer(RECALL,", "Timer(RECALL,"),
        tests=(WAREHOUSE + "test_going_on_stop_recalls_what_was_released_and_has_not_left",),
    ),
    Guard(
        name="a recall is said once, and only under a stop",
        promise="O4",
        file="services/orders/warehouse.py",
        takes_out=out('or standing.status != "on_stop" or order.recalled or not', "or not"),
        tests=(WAREHOUSE + "test_a_recall_is_not_said_twice_nor_after_the_stop_is_over",),
    ),
    # the queue
    Guard(
        name="a new order waits behind the queue",
        promise="O7",
        file="services/orders/judge.py",
        takes_out=out("return owner.recheck > 0 or owner.ranked > 0 or not rules.queue.passing", "return False"),
        tests=(RECHECK + "test_a_new_order_waits_behind_the_queue_where_the_policy_forbids_passing",),
    ),
    Guard(
        name="orders that come during a recheck join its tail",
        promise="Storms, O7",
        file="services/orders/judge.py",
        takes_out=out("return owner.recheck > 0 or owner.ranked", "return owner.ranked"),
        tests=(RECHECK + "test_orders_that_come_during_a_recheck_join_its_tail",),
    ),
    Guard(
        name="nobody passes the order that blocks the queue",
        promise="O7",
        file="services/orders/judge.py",
        takes_out=out("return (blocker.rank, blocker.turn) < (order.rank, order.turn)", "return False"),
        tests=(RECHECK + "test_a_ranked_order_that_does_not_fit_blocks_those_behind_it",),
    ),
    Guard(
        name="a waiting order keeps its place",
        promise="O7",
        file="services/orders/fold.py",
        takes_out=out(
            "turn = was.turn if was is not None and was.waiting else", "turn = 0 if was is not None and was.waiting else"
        ),
        tests=(CHANGE + "test_a_held_order_that_changes_keeps_its_place",),
    ),
    Guard(
        name="a cause that clears decides held orders again",
        promise="O7",
        file="services/orders/recheck.py",
        takes_out=out("(cleared or _queue_moved(state, after))", "False"),
        tests=(RECHECK + "test_a_held_order_is_released_without_anyone_asking_when",),
    ),
    Guard(
        name="a cause that clears during a recheck asks for another",
        promise="O7",
        file="services/orders/recheck.py",
        takes_out=out("if owner.recheck == AGAIN and owner.waiting:", "if False:"),
        tests=(RECHECK + "test_a_cause_that_clears_during_a_recheck_asks_for_another_one",),
    ),
    Guard(
        name="ten thousand causes open one recheck",
        promise="Storms",
        file="services/orders/state.py",
        takes_out=out("return owner.waiting > 0 and owner.recheck < AGAIN", "return owner.waiting > 0"),
        tests=(RECHECK + "test_ten_thousand_causes_open_one_recheck_and_ask_for_one_more",),
    ),
    Guard(
        name="a recheck takes a hundred orders a step",
        promise="Storms",
        file="services/orders/store.py",
        takes_out=out("limit = min(limit, STEP_MAX)", "pass"),
        tests=(STORE + "test_a_recheck_takes_a_hundred_orders_a_step_at_most",),
    ),
    Guard(
        name="a recheck goes by rank, then by turn",
        promise="O7",
        file="services/orders/store.py",
        takes_out=out("order by queue_rank, queue_turn limit $4", "order by key desc limit $4"),
        tests=(STORE + "test_a_recheck_takes_waiting_orders_by_rank_then_by_turn",),
    ),
    # announced deals
    Guard(
        name="an approved deal counts",
        promise="F1, O8",
        file="services/orders/exposure.py",
        takes_out=out("        + position.deals_minor\n", ""),
        tests=(DEALS + "test_an_approved_deal_counts_in_the_exposure_of_its_account_and_group",),
    ),
    Guard(
        name="a deal counts in its group",
        promise="F1, O8",
        file="services/orders/fold.py",
        takes_out=out(
            "group=replace(group, deals_minor=group.deals_minor + moved) if group is not None else None", "group=group"
        ),
        tests=(DEALS + "test_an_approved_deal_counts_in_the_exposure_of_its_account_and_group",),
    ),
    Guard(
        name="what an order takes over from its deal counts once",
        promise="F1, O8",
        file="services/orders/fold.py",
        takes_out=out("    if fact.deal is None:\n        return state\n    deal =", "    return state\n    deal ="),
        tests=(DEALS + "test_what_moves_from_deal_to_order_counts_once_at_every_single_fact",),
    ),
    Guard(
        name="a person's release uses the deal as well",
        promise="F1, O8",
        file="services/orders/judge.py",
        takes_out=out(
            "standing.deal(ask.deal) if standing.deals and ask.deal else", "standing.deal(ask.deal) if not by_person else"
        ),
        tests=(DEALS + "test_a_person_who_releases_the_order_uses_its_deal",),
    ),
    Guard(
        name="a deal covers its value and the deviation, no more",
        promise="O4, O8",
        file="shared/credit/rulebook.py",
        takes_out=out(
            "if inputs.value_minor * 100 > inputs.deal_minor * (100 + rules.reservation.deviation_percent):", "if False:"
        ),
        tests=(DEALS + "test_an_order_above_its_deal_is_covered_within_the_deviation_and_no_further",),
    ),
    Guard(
        name="a deal covers nothing but value",
        promise="O2, O8",
        file="services/orders/judge.py",
        takes_out=out("if finding.check not in by_deal]", "if False]"),
        tests=(DEALS + "test_a_deal_covers_how_much_is_asked_and_nothing_else",),
    ),
    Guard(
        name="a deal answers no check that nobody may override",
        promise="A6, O8",
        file="shared/credit/rulebook.py",
        takes_out=out("for name in BY_VALUE if getattr(rules.checks, name).override", "for name in BY_VALUE"),
        tests=(DEALS + "test_no_deal_answers_a_check_that_nobody_may_override",),
    ),
    Guard(
        name="a deal covers nothing before its window",
        promise="O8",
        file="shared/credit/rulebook.py",
        takes_out=out("if not inputs.deal_minor or inputs.deal_from_on is not None:", "if not inputs.deal_minor:"),
        tests=(DEALS + "test_an_order_before_the_window_is_judged_without_cover_and_goes_when_the_window_begins",),
    ),
    Guard(
        name="nobody approves the deal that they registered",
        promise="A6, O8",
        file="services/orders/deal.py",
        takes_out=out("if people_in(actor(moment)) & people_in(deal.by):", "if False:"),
        tests=(DEALS + "test_a_deal_is_approved_by_another_person_with_authority_for_its_value",),
    ),
    Guard(
        name="a deal is approved within authority",
        promise="A6, O8",
        file="services/orders/deal.py",
        takes_out=out("if not authority.covers(deal.value_minor):", "if False:"),
        tests=(DEALS + "test_a_deal_is_approved_by_another_person_with_authority_for_its_value",),
    ),
    Guard(
        name="open deals are bounded",
        promise="O8",
        file="services/orders/deal.py",
        takes_out=out("if len(standing.deals) >= OPEN_MAX:", "if False:"),
        tests=(DEALS + "test_open_deals_of_an_account_are_bounded",),
    ),
    Guard(
        name="a deal has a timer",
        promise="6, O8",
        file="services/orders/deadlines.py",
        takes_out=out(
            "        yield Timer(DEAL, deal_key(now.account, deal.deal), start",
            "        Timer(DEAL, deal_key(now.account, deal.deal), start",
        ),
        tests=(DEALS + "test_an_unmatched_deal_expires_after_its_last_day_and_gives_its_reservation_back",),
    ),
    Guard(
        name="an older deal's end does not end its namesake",
        promise="6, O8",
        file="services/orders/deal.py",
        takes_out=out("if deal is None or moment.at.date() < deal.until_on:", "if deal is None:"),
        tests=(DEALS + "test_the_end_of_an_older_deal_does_not_end_its_namesake",),
    ),
    Guard(
        name="a deal whose order came before its approval is over",
        promise="F1, O8",
        file="services/orders/deal.py",
        takes_out=out("if not used and (deal.reserved_minor or not whole):", "if not used:"),
        tests=(DEALS + "test_an_order_that_was_released_before_its_deal_was_approved_ends_it",),
    ),
    Guard(
        name="a deal that is named late is not counted beside its order",
        promise="F1, O8",
        file="services/orders/change.py",
        takes_out=out("yield from named_late(", "named_late("),
        tests=(DEALS + "test_a_released_order_that_names_its_deal_only_later_counts_once",),
    ),
    Guard(
        name="what a deal gives back decides held orders again",
        promise="O7, O8",
        file="services/orders/recheck.py",
        takes_out=out(
            "case orders.DealWithdrawn() | orders.DealExpired():\n            return fact.freed_minor > 0",
            "case orders.DealWithdrawn() | orders.DealExpired():\n            return False",
        ),
        tests=(DEALS + "test_what_a_deal_gives_back_releases_a_held_order",),
    ),
    Guard(
        name="what a match gives back decides held orders again",
        promise="O7, O8",
        file="services/orders/deal.py",
        takes_out=out("*(_reopened(state) if freed_minor else ())", ""),
        tests=(DEALS + "test_what_a_match_gives_back_releases_a_held_order",),
    ),
    # what is said
    Guard(
        name="each release has an instruction of its own",
        promise="O9, Effects outside",
        file="services/orders/place.py",
        takes_out=out("was.releases + 1 if was is not None else 1", "1"),
        tests=(DESK + "test_the_rest_of_a_split_order_is_released_under_an_instruction_of_its_own",),
    ),
    Guard(
        name="a decision stores what it was made on",
        promise="Versions, O10",
        file="services/orders/judge.py",
        takes_out=out("inputs=inputs, held_by", "inputs=msgspec.structs.replace(inputs, exposure_minor=0), held_by"),
        tests=(
            CHECKS + "test_the_explanation_agrees_with_the_decision_for_every_edge",
            PLACE + "test_an_order_is_never_refused_for_credit_it_is_held",
        ),
    ),
    Guard(
        name="all checks are evaluated",
        promise="O2",
        file="services/orders/judge.py",
        takes_out=out(
            "threshold=threshold))\n    if inputs.behind", "threshold=threshold))\n            break\n    if inputs.behind"
        ),
        tests=(CHECKS + "test_all_checks_are_evaluated_not_only_the_first_that_fails",),
    ),
    Guard(
        name="a policy version has one content",
        promise="Versions, O10",
        file="services/orders/govern.py",
        takes_out=out("if any(each.digest != book.digest for each in known):", "if False:"),
        tests=(POLICY + "test_a_version_never_has_two_contents",),
    ),
    Guard(
        name="a policy goes by one name",
        promise="Versions",
        file="services/orders/govern.py",
        takes_out=out("if book.document.version != command.version:", "if False:"),
        tests=(POLICY + "test_a_policy_goes_by_one_name",),
    ),
    Guard(
        name="a policy holds from its day on",
        promise="Versions, O2",
        file="services/orders/deadlines.py",
        takes_out=out("yield Timer(SWEEP,", "Timer(SWEEP,"),
        tests=(POLICY + "test_a_policy_that_frees_held_orders_frees_them_when_it_takes_effect",),
    ),
    Guard(
        name="broken promises are bounded",
        promise="O2.14",
        file="services/orders/fold.py",
        takes_out=out("tuple(sorted(days))[-BROKEN_MAX:]", "tuple(sorted(days))"),
        tests=(NOTES + "test_broken_promises_are_bounded",),
    ),
)
