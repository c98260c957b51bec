"""Guards of the receivables ledger: entries, bills, statements, cash and what it was matched to (`services/payments`)."""

from tests.faults.sabotage.guard import Guard, out

ITEMS = "tests/models/test_payments_items.py::"
BANK = "tests/models/test_payments_bank.py::"
CASH = "tests/models/test_payments_cash.py::"
PAYOUTS = "tests/models/test_payments_payouts.py::"
SETTLING = "tests/models/test_payments_settling.py::"
CHANCE = "tests/models/test_payments_properties.py::"
TEXTS = "tests/models/test_payments_cut_texts.py::"
TIMERS = "tests/models/test_payments_timers.py::"
MIRROR = "tests/models/test_payments_mirror.py::"
STATED = "tests/models/test_payments_statements.py::"
STANDS = "tests/flows/test_ledger_stands.py::"

ENTRIES = (
    Guard(
        name="an entry sums to zero",
        promise="P1",
        file="services/payments/ledger.py",
        takes_out=out("if left := sum(line.base_minor for line in kept):", "if left := 0:"),
        tests=(ITEMS + "test_an_entry_that_does_not_sum_to_zero_is_never_posted",),
    ),
    Guard(
        name="the database takes no entry that does not sum to zero",
        promise="P1",
        file="services/payments/schema.sql",
        takes_out=out("raise exception 'entry % does not sum to zero', wrong using errcode = 'check_violation';", "return null;"),
        tests=(STANDS + "test_the_database_refuses_an_entry_that_does_not_sum_to_zero",),
    ),
    Guard(
        name="the database never changes a line of the ledger",
        promise="P1",
        file="services/payments/schema.sql",
        takes_out=out(
            "raise exception 'the ledger is never changed: post a new entry' using errcode = 'check_violation';", "return new;"
        ),
        tests=(STANDS + "test_the_database_refuses_to_change_a_line_of_the_ledger",),
    ),
    Guard(
        name="a match is taken back by entries of their own",
        promise="P7",
        file="services/payments/cash.py",
        takes_out=out("yield from _entries(receipt, match.match, match.lines, match.base_minor, on, -1)", "pass"),
        tests=(CASH + "test_a_match_taken_back_leaves_all_as_it_was_by_new_entries",),
    ),
    Guard(
        name="a match taken back opens its items",
        promise="P7",
        file="services/payments/cash.py",
        takes_out=out("yield from _settled(state, receipt, match.match, match.lines, match.base_minor, -1)", "pass"),
        tests=(CASH + "test_a_match_taken_back_leaves_all_as_it_was_by_new_entries",),
    ),
    Guard(
        name="what one account pays for another goes through the group account",
        promise="P1, P6",
        file="services/payments/cash.py",
        takes_out=out("mine = [*lines, _line(ledger.GROUP, -amount, receipt.currency, -base)]", "mine = [*lines]"),
        tests=(CASH + "test_a_group_pays_for_its_members_through_the_group_account",),
    ),
    Guard(
        name="a realised difference of exchange is posted",
        promise="P1",
        file="services/payments/cash.py",
        takes_out=out("mine.append(_line(ledger.EXCHANGE, 0, receipt.currency, -difference))", "pass"),
        tests=(CASH + "test_foreign_currency_settles_with_its_realised_difference",),
    ),
    Guard(
        name="the last part of an item takes all of its base amount",
        promise="P1",
        file="services/payments/cash.py",
        takes_out=out("ledger.share(item.open_base_minor, line.settled_minor, item.open_minor)", "line.settled_minor"),
        tests=(
            CHANCE + "test_the_books_balance_whatever_is_done_in_whatever_order",
            CASH + "test_foreign_currency_settles_with_its_realised_difference",
        ),
    ),
)

BILLS = (
    Guard(
        name="a bill is entered once",
        promise="P3",
        file="services/payments/items.py",
        takes_out=out("if (known := state.items.get(wish.item)) is not None:", "if (known := None) is not None:"),
        tests=(ITEMS + "test_the_same_bill_again_changes_nothing",),
    ),
    Guard(
        name="another bill under a known number is refused",
        promise="P1",
        file="services/payments/items.py",
        takes_out=out("== (wish.account, wish.kind, signed, wish.currency):", "or signed:"),
        tests=(ITEMS + "test_another_bill_under_its_number_is_refused",),
    ),
    Guard(
        name="only bills are billed",
        promise="P2",
        file="services/payments/items.py",
        takes_out=out("if wish.kind not in DEBITS_AND_CREDITS:", "if False:"),
        tests=(ITEMS + "test_a_receipt_is_never_billed",),
    ),
    Guard(
        name="a bill that cannot be right is kept out",
        promise="P2",
        file="services/payments/items.py",
        takes_out=out("return facts if kept_out else [*facts,", "return [*facts,"),
        tests=(ITEMS + "test_a_bill_that_does_not_fit_is_counted_and_kept_out_where_it_must_be",),
    ),
    Guard(
        name="nothing is billed into a closed month",
        promise="P14",
        file="services/payments/items.py",
        takes_out=out("if refusal := closed(state, wish.document_on):", "if refusal := None:"),
        tests=(ITEMS + "test_a_bill_into_a_closed_month_is_refused",),
    ),
    Guard(
        name="what the bank did in a closed month is posted after it",
        promise="P14",
        file="services/payments/items.py",
        takes_out=out("return state.period.closed_until + dt.timedelta(days=1)", "return on"),
        tests=(BANK + "test_what_the_bank_booked_in_a_closed_month_is_posted_after_it",),
    ),
    Guard(
        name="a month is closed when it is over",
        promise="P14",
        file="services/payments/period.py",
        takes_out=out("if until_on >= moment.at.date():", "if False:"),
        tests=(ITEMS + "test_a_month_is_closed_by_whoever_may_once_it_is_over",),
    ),
    Guard(
        name="closing a month takes authority",
        promise="P14, A6",
        file="services/payments/period.py",
        takes_out=out('if not policy.may("period", moment.role, 0):', "if False:"),
        tests=(ITEMS + "test_a_month_is_closed_by_whoever_may_once_it_is_over",),
    ),
    Guard(
        name="a closed month is not opened by closing an earlier one",
        promise="P14",
        file="services/payments/period.py",
        takes_out=out("if state.period is not None and state.period.closed_until >= until_on:", "if False:"),
        tests=(ITEMS + "test_a_month_is_closed_by_whoever_may_once_it_is_over",),
    ),
    Guard(
        name="what is billed before its account is known belongs to its group",
        promise="3, Home",
        file="services/payments/items.py",
        takes_out=out("return None if account is not None and account.home else moment.home", "return None"),
        tests=(CASH + "test_what_is_billed_before_its_account_is_known_belongs_to_its_group_all_the_same",),
    ),
)

STATEMENTS = (
    Guard(
        name="a statement of the same name with other content is refused",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("if known is not None and known.digest != wish.digest:", "if False:"),
        tests=(BANK + "test_a_statement_of_the_same_name_with_other_content_is_refused",),
    ),
    Guard(
        name="a part of a statement counts once",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("if known is not None and wish.part in known.parts:", "if False:"),
        tests=(BANK + "test_a_statement_that_comes_again_changes_nothing",),
    ),
    Guard(
        name="an entry lands once",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out(" and state.landed.get(place(wish.bank_account, name)) is None:", ":"),
        tests=(BANK + "test_an_entry_that_landed_with_another_part_does_not_land_again",),
    ),
    Guard(
        name="two entries of a statement have two names",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("if len({entry.entry for entry in wish.entries}) < len(wish.entries):", "if False:"),
        tests=(BANK + "test_two_entries_of_one_name_are_refused_with_their_statement",),
    ),
    Guard(
        name="a statement has one currency",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("if others := {entry.currency for entry in wish.entries} - {wish.currency}:", "if others := set():"),
        tests=(BANK + "test_an_entry_in_another_currency_than_its_statement_is_refused",),
    ),
    Guard(
        name="foreign cash comes into suspense as it leaves it",
        promise="P1",
        file="services/payments/bank.py",
        takes_out=out(
            "base = sum(policy.base_of(amount, wish.currency) for amount in amounts)",
            "base = policy.base_of(total, wish.currency)",
        ),
        tests=(BANK + "test_foreign_cash_leaves_suspense_with_the_base_amount_that_it_came_in_with",),
    ),
    Guard(
        name="a text keeps where its lines ended",
        promise="P6",
        file="services/gateway/bank/decoding.py",
        takes_out=out('return "\\n".join(kept)', 'return " ".join(kept)'),
        tests=(TEXTS + "test_a_number_that_mt940_cut_between_two_lines_is_found",),
    ),
    Guard(
        name="an intraday entry is known wherever its lines end",
        promise="P3",
        file="services/payments/state.py",
        takes_out=out('" ".join(entry.text.split())', "entry.text"),
        tests=(TEXTS + "test_an_intraday_report_and_its_statement_name_an_entry_alike_wherever_its_lines_end",),
    ),
    Guard(
        name="what an intraday report repeats is not new",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("return not is_provisional or listed > twins.told(known)", "return True"),
        tests=(BANK + "test_what_a_later_report_of_the_day_repeats_is_not_new",),
    ),
    Guard(
        name="an intraday entry is known by what its report called it",
        promise="P3",
        file="services/payments/fold.py",
        takes_out=out("known[alike] = twins.brought(before, entry, fact.is_provisional)", "pass"),
        tests=(
            BANK + "test_what_a_later_report_of_the_day_repeats_is_not_new",
            CHANCE + "test_a_days_money_is_there_once_whatever_the_reports_of_the_day_said",
        ),
    ),
    Guard(
        name="a report repeats what its statement had",
        promise="P3",
        file="services/payments/twins.py",
        takes_out=out("return known.stated + sum(", "return sum("),
        tests=(BANK + "test_a_report_that_comes_after_its_statement_brings_only_what_is_more",),
    ),
    Guard(
        name="what was dropped may come again",
        promise="P3",
        file="services/payments/twins.py",
        takes_out=out("sum(not each.dropped for each in known.reported)", "len(known.reported)"),
        tests=(BANK + "test_what_was_dropped_and_is_reported_again_is_new",),
    ),
    Guard(
        name="each reported entry is confirmed by one of its statement",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("known[key] = twins.confirmed(row, at)", "pass"),
        tests=(CHANCE + "test_a_days_money_is_there_once_whatever_the_reports_of_the_day_said",),
    ),
    Guard(
        name="a statement confirms an intraday entry once",
        promise="P3",
        file="services/payments/fold.py",
        takes_out=out('known[row.key] = twins.confirmed(row, int(name.rpartition("/")[2]))', "pass"),
        tests=(BANK + "test_an_intraday_entry_is_confirmed_once_and_the_same_again_is_more_money",),
    ),
    Guard(
        name="what its statement confirmed is not dropped",
        promise="P3",
        file="services/payments/twins.py",
        takes_out=out("return any(each.is_open and each.entry == entry", "return any(each.entry == entry"),
        tests=(BANK + "test_what_its_statement_confirmed_is_not_dropped",),
    ),
    Guard(
        name="what its statement has is final in suspense",
        promise="P3",
        file="services/payments/fold.py",
        takes_out=out("_with_entry(state, fact.bank_account, name, is_provisional=False)", "state"),
        tests=(BANK + "test_what_its_statement_has_is_provisional_no_more_wherever_it_is",),
    ),
    Guard(
        name="what its statement has is final on its account",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("there = [row for row in found if row.state == RECOGNISED]", "there = []"),
        tests=(BANK + "test_a_receipt_on_its_way_is_confirmed_behind_it",),
    ),
    Guard(
        name="only the entry that a content stands for is dropped",
        promise="P3",
        file="services/payments/twins.py",
        takes_out=out("return any(each.is_open and each.entry == entry", "return any(each.is_open"),
        tests=(BANK + "test_only_the_entry_that_a_content_stands_for_is_dropped_by_it",),
    ),
    Guard(
        name="a statement closes its day when it is whole",
        promise="P3",
        file="services/payments/fold.py",
        takes_out=out("if fact.is_provisional or len(parts) < fact.parts else", "if fact.is_provisional else"),
        tests=(BANK + "test_a_statement_closes_its_day_when_it_is_whole",),
    ),
    Guard(
        name="a match taken back lets its advice wait again",
        promise="P4, P7",
        file="services/payments/fold.py",
        takes_out=out(
            'advice = replace(state.advice, receipt="") if state.advice is not None else None', "advice = state.advice"
        ),
        tests=(CASH + "test_a_match_taken_back_lets_its_advice_wait_again",),
    ),
    Guard(
        name="a dropped entry takes its receipt with it",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("if landed.state == RECOGNISED:\n        yield To(", "if False:\n        yield To("),
        tests=(BANK + "test_a_dropped_entry_opens_what_its_receipt_had_settled",),
    ),
    Guard(
        name="a dropped entry leaves the account that it was set aside to",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out(", SET_ASIDE: landed.aside}", "}"),
        tests=(BANK + "test_a_dropped_entry_leaves_the_bank_as_it_was_wherever_its_money_is",),
    ),
    Guard(
        name="an entry is recognised once",
        promise="P5",
        file="services/payments/bank.py",
        takes_out=out("if landed.state not in (NEW, UNRECOGNISED):\n        detail", "if False:\n        detail"),
        tests=(BANK + "test_an_entry_is_recognised_once",),
    ),
    Guard(
        name="money that went out is nobody's payment",
        promise="P5",
        file="services/payments/bank.py",
        takes_out=out("if landed.entry.amount_minor <= 0:", "if False:"),
        tests=(BANK + "test_money_that_went_out_is_nobodys_payment",),
    ),
    Guard(
        name="what has an account is not set aside",
        promise="P3",
        file="services/payments/bank.py",
        takes_out=out("if landed.state not in (NEW, UNRECOGNISED):\n        return", "if False:\n        return"),
        tests=(BANK + "test_what_has_an_account_is_not_set_aside",),
    ),
    Guard(
        name="an entry is set aside only where nobody's payments go",
        promise="P1",
        file="services/payments/bank.py",
        takes_out=out("if wish.ledger not in allowed:", "if False:"),
        tests=(BANK + "test_what_is_set_aside_goes_to_a_ledger_account_that_may_take_it_once_with_its_reason",),
    ),
    Guard(
        name="a receipt comes back to suspense once",
        promise="P7",
        file="services/payments/bank.py",
        takes_out=out("landed is None or landed.state != RECOGNISED or landed.receipt != wish.receipt:", "landed is None:"),
        tests=(BANK + "test_a_receipt_comes_back_once",),
    ),
    Guard(
        name="cash that came back is another receipt the next time",
        promise="P7, 1",
        file="services/payments/fold.py",
        takes_out=out('"rounds": landed.rounds + 1', '"rounds": landed.rounds'),
        tests=(BANK + "test_what_is_given_back_may_be_recognised_again_as_another_receipt",),
    ),
)

CASH_OF_AN_ACCOUNT = (
    Guard(
        name="cash is received once",
        promise="1, P3",
        file="services/payments/cash.py",
        takes_out=out("if state.receipt is not None:\n        return unneeded", "if False:\n        return unneeded"),
        tests=(CASH + "test_the_same_receipt_again_changes_nothing",),
    ),
    Guard(
        name="cash goes to the group that its account is of",
        promise="3, Home",
        file="services/payments/cash.py",
        takes_out=out("if account.home != moment.home:", "if False:"),
        tests=(BANK + "test_cash_that_was_sent_to_a_group_of_others_comes_back_to_suspense",),
    ),
    Guard(
        name="cash goes to accounts that are known",
        promise="P5",
        file="services/payments/cash.py",
        takes_out=(
            ("if account is None or not account.home:", "if False:"),
            ("if account.home != moment.home:", "if account is not None and account.home != moment.home:"),
        ),
        tests=(BANK + "test_cash_for_an_account_that_nobody_knows_comes_back_to_suspense",),
    ),
    Guard(
        name="a receipt is worked on under its own account only",
        promise="3",
        file="services/payments/cash.py",
        takes_out=out("if state.receipt is not None and state.receipt.account == wish.account else None", ""),
        tests=(CASH + "test_nobody_works_on_a_receipt_by_naming_it_under_another_account",),
    ),
    Guard(
        name="of two clerks the second is told",
        promise="must show 6",
        file="services/payments/cash.py",
        takes_out=out("if version is None or version == receipt.version:", "if True:"),
        tests=(CASH + "test_of_two_clerks_the_second_is_told",),
    ),
    Guard(
        name="what is gone settles nothing",
        promise="P7",
        file="services/payments/cash.py",
        takes_out=out("if receipt.state == GONE:\n        return Refusal(", "if False:\n        return Refusal("),
        tests=(CASH + "test_a_gone_receipt_settles_nothing_and_is_not_kept",),
    ),
    Guard(
        name="no more is settled than is open",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if not _within(line.settled_minor, item.open_minor) or not line.settled_minor:", "if False:"),
        tests=(CASH + "test_a_match_that_does_not_fit_one_item_changes_nothing",),
    ),
    Guard(
        name="no more is allocated than is unallocated",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if paid > receipt.unallocated_minor:", "if False:"),
        tests=(CASH + "test_what_does_not_add_up_is_refused_by_name",),
    ),
    Guard(
        name="an item stands on one line",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if len({line.item for line in lines}) < len(lines):", "if False:"),
        tests=(CASH + "test_what_does_not_add_up_is_refused_by_name",),
    ),
    Guard(
        name="cash is not paid out by an allocation",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if paid < 0:", "if False:"),
        tests=(CASH + "test_more_credits_than_debts_are_no_allocation",),
    ),
    Guard(
        name="only items of the group are settled",
        promise="P6, 3",
        file="services/payments/cash.py",
        takes_out=out(" or item.home != receipt.home:", ":"),
        tests=(CASH + "test_no_item_of_another_group_is_settled",),
    ),
    Guard(
        name="an item of a member is named with its account",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if item.account != (line.account or receipt.account):", "if False:"),
        tests=(CASH + "test_an_item_of_a_member_is_named_with_its_account",),
    ),
    Guard(
        name="cash settles items of its own currency",
        promise="P1",
        file="services/payments/cash.py",
        takes_out=out("if item.currency != receipt.currency:", "if False:"),
        tests=(CASH + "test_an_item_in_another_currency_is_not_settled",),
    ),
    Guard(
        name="what is settled is the sum of its parts",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if line.settled_minor != line.paid_minor + line.discount_minor + line.difference_minor:", "if False:"),
        tests=(CASH + "test_what_is_settled_is_the_sum_of_its_parts",),
    ),
    Guard(
        name="a difference is within what its sender may take",
        promise="P6, A6",
        file="services/payments/cash.py",
        takes_out=out("if line.difference_minor and difference > may_take:", "if False:"),
        tests=(CASH + "test_what_does_not_add_up_is_refused_by_name",),
    ),
    Guard(
        name="a discount is one that the item's terms give",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out(
            "if line.discount_minor and not (_within(line.discount_minor, most) and _within(discount, most)):", "if False:"
        ),
        tests=(CASH + "test_what_does_not_add_up_is_refused_by_name",),
    ),
    Guard(
        name="a discount has its day",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out(" if receipt.received_on <= each.until_on + grace]", "]"),
        tests=(CASH + "test_a_discount_has_its_day_and_the_days_of_grace",),
    ),
    Guard(
        name="a discount is taken once in all",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("item.discounted_minor + line.discount_minor", "line.discount_minor"),
        tests=(CHANCE + "test_an_items_discount_and_tolerance_are_given_once_in_all",),
    ),
    Guard(
        name="a tolerance is taken once in all",
        promise="P6, A6",
        file="services/payments/cash.py",
        takes_out=out("item.tolerated_minor + abs(line.difference_minor)", "abs(line.difference_minor)"),
        tests=(CHANCE + "test_an_items_discount_and_tolerance_are_given_once_in_all",),
    ),
    Guard(
        name="the service adds to a difference within the tolerance only",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("again = moment.actor == OURSELVES and item.tolerated_minor", "again = 0"),
        tests=(CASH + "test_the_service_adds_to_a_difference_only_within_the_items_tolerance",),
    ),
    Guard(
        name="a match taken back gives its discount back",
        promise="P7",
        file="services/payments/fold.py",
        takes_out=out("replace(_given(state, fact.lines, -1), match=", "replace(state, match="),
        tests=(CASH + "test_a_match_taken_back_offers_its_discount_again",),
    ),
    Guard(
        name="an advice explains its own account's receipt",
        promise="P4",
        file="services/payments/cash.py",
        takes_out=out("_no_advice(state, wish) or ", ""),
        tests=(CASH + "test_an_advice_explains_only_its_own_accounts_receipt",),
    ),
    Guard(
        name="who gives back what somebody else worked on is told",
        promise="6",
        file="services/payments/cash.py",
        takes_out=out(
            "not_reasoned(wish.reason) or stale(receipt, wish.version) or _in_use", "not_reasoned(wish.reason) or _in_use"
        ),
        tests=(CASH + "test_who_looked_before_somebody_else_worked_on_it_is_told",),
    ),
    Guard(
        name="who takes back a match of what somebody else worked on is told",
        promise="6",
        file="services/payments/cash.py",
        takes_out=out("    if refusal := stale(receipt, wish.version):", "    if refusal := None:"),
        tests=(CASH + "test_who_looked_before_somebody_else_worked_on_it_is_told",),
    ),
    Guard(
        name="who pays back what somebody else worked on is told",
        promise="6",
        file="services/payments/payouts.py",
        takes_out=out("if state.payout is None and state.receipt is not None and (", "if False and ("),
        tests=(CASH + "test_who_looked_before_somebody_else_worked_on_it_is_told",),
    ),
    Guard(
        name="who recognises what came back meanwhile is told",
        promise="6",
        file="services/payments/bank.py",
        takes_out=out("if wish.version is not None and wish.version != landed.rounds:", "if False:"),
        tests=(BANK + "test_who_saw_an_entry_before_it_came_back_is_told",),
    ),
    Guard(
        name="what comes again is matched again",
        promise="7, Timers are state",
        file="services/payments/store.py",
        takes_out=out(
            "return before.receipt is None or before.receipt.version != receipt.version", "return before.receipt is None"
        ),
        tests=(TIMERS + "test_a_receipt_is_matched_when_it_comes_and_when_it_comes_again_and_at_no_other_change",),
    ),
    Guard(
        name="cash given back forgets the payer that it taught",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("    if receipt.taught:\n", "    if False:\n"),
        tests=(CASH + "test_cash_given_back_forgets_the_payer_that_it_taught",),
    ),
    Guard(
        name="cash given back leaves what other cash taught",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if wish.learned and state.alias is None:", "if wish.learned:"),
        tests=(CASH + "test_cash_given_back_leaves_what_other_cash_taught",),
    ),
    Guard(
        name="a match of our own that fits no more goes to a person",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out("if moment.actor == OURSELVES:", "if False:"),
        tests=(CASH + "test_a_match_found_by_the_service_that_fits_no_more_goes_to_a_person",),
    ),
    Guard(
        name="a match is taken back once",
        promise="P7",
        file="services/payments/cash.py",
        takes_out=(("if match.taken_back:", "if False:"), ("if state.match.taken_back:", "if False:")),
        tests=(CASH + "test_a_match_taken_back_leaves_all_as_it_was_by_new_entries",),
    ),
    Guard(
        name="what is withdrawn gives back first what it settled",
        promise="P3",
        file="services/payments/cash.py",
        takes_out=out("    if receipt.standing:\n        if state.match", "    if False:\n        if state.match"),
        tests=(CASH + "test_a_receipt_that_the_bank_takes_back_opens_all_that_it_settled",),
    ),
    Guard(
        name="a withdrawal goes on when somebody else took the match back",
        promise="P3, 4",
        file="services/payments/cash.py",
        takes_out=out("if wish.withdraw\n", "if False\n"),
        tests=(BANK + "test_a_withdrawal_goes_on_when_somebody_took_the_match_back_between_its_steps",),
    ),
    Guard(
        name="somebody else's money goes back whole",
        promise="P7",
        file="services/payments/cash.py",
        takes_out=out("if not receipt.standing and receipt.unallocated_minor == receipt.amount_minor:", "if True:"),
        tests=(
            CASH + "test_somebody_elses_money_goes_back_whole_or_not_at_all",
            CASH + "test_a_receipt_with_a_match_that_took_nothing_of_it_is_in_use_as_well",
            PAYOUTS + "test_a_receipt_that_was_refunded_in_part_is_not_given_back",
        ),
    ),
    Guard(
        name="what is changed at the cash desk has its reason",
        promise="P7",
        file="services/payments/refusal.py",
        takes_out=out("return None if reason.strip() else", "return None if True else"),
        tests=(CASH + "test_nothing_is_taken_back_kept_or_given_back_without_a_reason",),
    ),
    Guard(
        name="a short name is not learned as a payer",
        promise="P6",
        file="services/payments/cash.py",
        takes_out=out('(kind == "bank_account" or len(value) >= NAME_ALIAS_MIN)', "True"),
        tests=(CASH + "test_a_name_that_is_too_short_to_mean_one_payer_is_not_learned",),
    ),
)

MATCHING = (
    Guard(
        name="an amount proves nothing where not all was looked at",
        promise="P6",
        file="services/payments/settling.py",
        takes_out=out("case values.Match() if whole or outcome.proof in BY_NAME:", "case values.Match() if True:"),
        tests=(SETTLING + "test_an_amount_proves_nothing_where_not_all_that_is_open_was_looked_at",),
    ),
    Guard(
        name="one of two advices of an amount explains nothing",
        promise="P4",
        file="services/payments/settling.py",
        takes_out=out("return found[0] if len(found) == 1 else None", "return found[0] if found else None"),
        tests=(SETTLING + "test_an_advice_explains_its_amount_if_no_other_does_or_it_is_named",),
    ),
    Guard(
        name="what a parked group holds is not matched behind its back",
        promise="4",
        file="services/payments/store.py",
        takes_out=out("and not exists (select from parked_home where parked_home.home = pending_home)", ""),
        tests=(STANDS + "test_cash_of_a_parked_group_is_matched_when_the_group_is_replayed",),
    ),
    Guard(
        name="cash of a parked group comes again when it is replayed",
        promise="4",
        file="services/payments/store.py",
        takes_out=out("found += [(row", "found += [][:0] and [(row"),
        tests=(STANDS + "test_cash_of_a_parked_group_is_matched_when_the_group_is_replayed",),
    ),
    Guard(
        name="entries of a parked bank account come again when it is replayed",
        promise="4",
        file="services/payments/store.py",
        takes_out=out("for row in (*rows, *behind)]", "for row in rows]"),
        tests=(STANDS + "test_entries_of_a_parked_bank_account_are_recognised_when_it_is_replayed",),
    ),
)

MONEY_OUT = (
    Guard(
        name="a file that comes out otherwise than it was journaled is not sent",
        promise="P10",
        file="shared/receivables/payment_file.py",
        takes_out=out("if digest(content) != fact.digest:", "if False:"),
        tests=(PAYOUTS + "test_a_file_that_comes_out_otherwise_than_it_was_journaled_is_not_sent",),
    ),
    Guard(
        name="two currencies are no payment file",
        promise="P10",
        file="services/payments/paid_out.py",
        takes_out=out("if len(currencies) > 1:", "if False:"),
        tests=(PAYOUTS + "test_two_currencies_are_no_file",),
    ),
    Guard(
        name="a refund stopped at the cut-off holds up no other",
        promise="P10",
        file="services/payments/paid_out.py",
        takes_out=out(
            "for each in wish.refunds if _waits(state.outgoing.get(each), wish.bank_account))", "for each in wish.refunds)"
        ),
        tests=(PAYOUTS + "test_a_refund_stopped_at_the_cut_off_holds_up_no_other",),
    ),
    Guard(
        name="a refund that is in a file sets no clock",
        promise="P10",
        file="services/payments/paid_out.py",
        takes_out=out("row.state == QUEUED and row is not before", "row is not before"),
        tests=(PAYOUTS + "test_a_refund_that_waits_sets_the_clock_and_one_in_a_file_does_not",),
    ),
    Guard(
        name="a card number is not taken in by the gateway",
        promise="P9",
        file="services/gateway/bodies.py",
        takes_out=out("if looks_like_card(getattr(command, field)):", "if False:"),
        tests=("tests/gateway/test_bodies.py::test_a_card_number_is_sent_back_and_not_repeated",),
    ),
    Guard(
        name="a card number does not leave the console's page",
        promise="P9",
        file="services/console/receivables/card_desk.py",
        takes_out=out("if any(looks_like_card(text) for name, text", "if any(False for name, text"),
        tests=("tests/console/test_receivables_cards.py::test_a_card_number_is_sent_back_before_anything_leaves_the_page",),
    ),
)

BOOK_ELSEWHERE = (
    Guard(
        name="a wish is asked where the ERP keeps the book",
        promise="P1",
        file="services/payments/mirror.py",
        takes_out=out("return [_request(state, wish, said, moment), *told]", "return list(said)"),
        tests=(MIRROR + "test_an_allocation_is_asked_and_changes_no_item_until_it_is_posted",),
    ),
    Guard(
        name="what is asked is not asked twice",
        promise="P1",
        file="services/payments/mirror.py",
        takes_out=out("list(decide(free_of(state), wish, moment))", "list(decide(state, wish, moment))"),
        tests=(MIRROR + "test_what_is_asked_already_is_not_asked_twice",),
    ),
    Guard(
        name="accounts of two legal entities are not settled together",
        promise="P1",
        file="services/payments/mirror.py",
        takes_out=out("if len({_name_of(state, account) for account in state.accounts}) > 1:", "if False:"),
        tests=(MIRROR + "test_accounts_of_different_entities_are_not_settled_together",),
    ),
    Guard(
        name="a clearing is asked back once",
        promise="P1",
        file="services/payments/mirror.py",
        takes_out=out("if posted.reversed_by or posted.asked_back:", "if False:"),
        tests=(MIRROR + "test_a_clearing_is_asked_back_and_comes_back_when_the_erp_reverses_it",),
    ),
    Guard(
        name="cash that the ERP has in use is not given back",
        promise="P7",
        file="services/payments/mirror.py",
        takes_out=out("if mirrored and receipt is not None and receipt.requested_minor:", "if False:"),
        tests=(MIRROR + "test_cash_in_use_is_not_given_back",),
    ),
    Guard(
        name="what a receipt has no more is owed at once where the ERP keeps the book",
        promise="P3",
        file="services/payments/mirror.py",
        takes_out=out("state = replace(state, receipt=replace(receipt, standing=()))", "return []"),
        tests=(MIRROR + "test_cash_that_the_bank_takes_back_is_owed_at_once_and_the_erps_reset_opens_the_bill_instead",),
    ),
    Guard(
        name="an answer that came first stands",
        promise="P1",
        file="services/payments/mirror.py",
        takes_out=out("if asked is None or asked.state != ends or asked.lines != wish.lines:", "if asked is None:"),
        tests=(MIRROR + "test_an_answer_that_comes_before_the_no_stands",),
    ),
    Guard(
        name="a document of the ERP counts once",
        promise="1, P1",
        file="services/payments/posted.py",
        takes_out=out("if (known := state.postings.get(posting)) is not None:", "if (known := None) is not None:"),
        tests=(MIRROR + "test_the_same_document_again_changes_nothing_and_another_under_its_number_is_refused",),
    ),
    Guard(
        name="a request is answered once",
        promise="P1",
        file="services/payments/posted.py",
        takes_out=out("state.request.state == OPEN and ", ""),
        tests=(MIRROR + "test_a_request_is_answered_once_and_a_second_document_is_taken_as_it_is",),
    ),
    Guard(
        name="only the ERP that keeps a book posts to it",
        promise="P1",
        file="services/payments/posted.py",
        takes_out=out("refusal = _not_theirs(state, wish, moment) or _shapeless(wish)", "refusal = _shapeless(wish)"),
        tests=(MIRROR + "test_an_account_of_an_entity_that_is_not_named_keeps_its_book_here",),
    ),
    Guard(
        name="the ERP clears no more than is open",
        promise="P1",
        file="services/payments/posted.py",
        takes_out=out("if settled_minor and 0 <= sign", "if True or 0 <= sign"),
        tests=(MIRROR + "test_a_document_that_does_not_fit_is_refused_whole",),
    ),
    Guard(
        name="cash that the ERP posts too is there once",
        promise="P1, F1",
        file="services/payments/posted.py",
        takes_out=out("for line in wish.opens if _found(state, wish, line) is None)", "for line in wish.opens)"),
        tests=(MIRROR + "test_cash_that_the_erp_posts_too_is_there_once",),
    ),
    Guard(
        name="a document is reversed once",
        promise="P1",
        file="services/payments/posted.py",
        takes_out=out("if before.reversed_by:", "if False:"),
        tests=(MIRROR + "test_a_clearing_is_asked_back_and_comes_back_when_the_erp_reverses_it",),
    ),
    Guard(
        name="an item in use does not go with its document",
        promise="P1",
        file="services/payments/posted.py",
        takes_out=out("if item is None or item.open_minor != item.amount_minor:", "if False:"),
        tests=(MIRROR + "test_an_opened_item_goes_with_its_document_while_nothing_of_it_is_cleared",),
    ),
)

STATED_ACCOUNTS = (
    Guard(
        name="no period has two statements",
        promise="P13",
        file="services/payments/statements.py",
        takes_out=out("begins = fact.as_of + ONE_DAY if more else None", "begins = account.statement_from"),
        tests=(STATED + "test_a_second_wish_for_the_same_period_says_nothing",),
    ),
    Guard(
        name="no day is stated before it is over",
        promise="P13",
        file="services/payments/statements.py",
        takes_out=out("due is None or due.as_of >= moment.at.date()", "due is None"),
        tests=(
            STATED + "test_a_statement_is_not_issued_before_its_day_is_over",
            STATED + "test_no_period_ever_has_two_whatever_comes_in_whatever_order",
        ),
    ),
    Guard(
        name="an account with nothing to tell is sent no statement",
        promise="P13",
        file="services/payments/statements.py",
        takes_out=out(
            "more = account.open_items > 0 or (account.moved_on is not None and account.moved_on > fact.as_of)", "more = True"
        ),
        tests=(STATED + "test_what_is_open_is_told_every_month_until_it_is_paid_and_that_it_was_paid_once_more",),
    ),
    Guard(
        name="a statement tells what was known on its day",
        promise="P13, P12",
        file="services/payments/fold.py",
        takes_out=out("moved(before, max(fact.effective_on, at.date()))", "moved(before, fact.effective_on)"),
        tests=(STATED + "test_what_moves_only_after_the_day_is_no_part_of_that_statement",),
    ),
    Guard(
        name="a terminated account is sent no statement",
        promise="P13",
        file="services/payments/statements.py",
        takes_out=out("return bool(account.home) and account.status != TERMINATED", "return bool(account.home)"),
        tests=(STATED + "test_a_terminated_account_gets_none",),
    ),
    Guard(
        name="another cadence makes up for nothing",
        promise="P13",
        file="services/payments/statements.py",
        takes_out=out("return replace(after, statement_from=max(after.statement_from, today))", "return after"),
        tests=(STATED + "test_another_cadence_begins_on_its_day_and_makes_up_for_nothing",),
    ),
    Guard(
        name="a statement's timer follows its account",
        promise="6, P13",
        file="services/payments/store.py",
        takes_out=out("yield from statements.timers(before, after, moment)", "yield from ()"),
        tests=(STATED + "test_a_statement_leaves_on_the_first_working_day_of_the_next_month_by_the_policy",),
    ),
)

GUARDS = (*ENTRIES, *BILLS, *STATEMENTS, *CASH_OF_AN_ACCOUNT, *MATCHING, *MONEY_OUT, *BOOK_ELSEWHERE, *STATED_ACCOUNTS)
