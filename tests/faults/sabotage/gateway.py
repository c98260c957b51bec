"""Guards of the door: identities, credentials, quarantine, bounds (`services/gateway`)."""

from tests.faults.sabotage.guard import Guard, out

DOOR = "tests/flows/test_gateway.py::"
BODIES = "tests/gateway/test_bodies.py::"
DELEGATION = "tests/gateway/test_delegation.py::"

GUARDS = (
    Guard(
        name="a cadence of statements is one that the ledger knows",
        promise="P13, G1",
        file="services/gateway/bodies.py",
        takes_out=out("if terms.statement_cadence not in accounts.CADENCES:", "if False:"),
        tests=(BODIES + "test_a_cadence_that_the_ledger_does_not_know_is_sent_back",),
    ),
    Guard(
        name="one identity has one content",
        promise="1, Gateway",
        file="services/gateway/intake.py",
        takes_out=out(
            "        if before.digest != entrant.digest:\n            raise conflict",
            "        if False:\n            raise conflict",
        ),
        tests=(
            DOOR + "test_the_same_reference_with_other_content_is_a_visible_conflict",
            DOOR + "test_the_same_key_with_other_content_is_a_conflict",
        ),
    ),
    Guard(
        name="an identity that was taken is not taken again",
        promise="1, Gateway",
        file="services/gateway/intake.py",
        takes_out=out("    for before in met.values():\n        raise _MetBefore(before.flow)\n", ""),
        tests=(
            DOOR + "test_the_same_order_again_is_answered_as_the_first_time",
            DOOR + "test_of_many_simultaneous_copies_one_is_let_in",
        ),
    ),
    Guard(
        name="an identity is claimed in the transaction that lets in",
        promise="1, Gateway",
        file="services/gateway/intake.py",
        takes_out=out(
            "async with connection.transaction():\n                await _let_in", "if True:\n                await _let_in"
        ),
        tests=(DOOR + "test_an_identity_is_not_used_up_by_a_request_that_failed_half_way",),
    ),
    Guard(
        name="nobody says of themselves who they are",
        promise="Who",
        file="services/gateway/bodies.py",
        takes_out=out("if forged := [name for name in FROM_CREDENTIAL if name in event]:", "if forged := []:"),
        tests=(BODIES + "test_nobody_says_of_themselves_who_they_are",),
    ),
    Guard(
        name="actor and team come from the credential",
        promise="Who",
        file="services/gateway/admission.py",
        takes_out=out("actor=who.actor, role=who.role, team=who.team)", 'actor="nobody", role=who.role, team="nobody")'),
        tests=(DOOR + "test_a_command_carries_who_sent_it_from_the_credential",),
    ),
    Guard(
        name="who only reads sends nothing",
        promise="Who, V8",
        file="services/gateway/intake.py",
        takes_out=out("if who.only_reads:", "if False:"),
        tests=(DOOR + "test_who_only_reads_sends_nothing_and_sees_what_there_is",),
    ),
    Guard(
        name="what waits of all teams is told to the console only",
        promise="Who, G1",
        file="services/gateway/api.py",
        takes_out=out("if not who.delegates:", "if False:"),
        tests=(DOOR + "test_what_waits_is_told_in_whole_to_the_consoles_credential_only",),
    ),
    Guard(
        name="only the console speaks for people",
        promise="Who, G1",
        file="services/gateway/delegation.py",
        takes_out=out("if not who.delegates:", "if False:"),
        tests=(DELEGATION + "test_nobody_else_says_for_whom_they_speak",),
    ),
    Guard(
        name="the console says for whom",
        promise="Who",
        file="services/gateway/delegation.py",
        takes_out=out("for name in NEEDED if not named.get(name))", "for name in () if not named.get(name))"),
        tests=(DELEGATION + "test_the_console_says_who_in_which_role_and_team",),
    ),
    Guard(
        name="a person reaches no more than the console may",
        promise="Who, G1",
        file="services/gateway/delegation.py",
        takes_out=out(" if who.sees(portfolio))", ")"),
        tests=(DELEGATION + "test_a_person_reaches_no_more_portfolios_than_the_credential",),
    ),
    Guard(
        name="a request is read as the person it names",
        promise="Who",
        file="services/gateway/answering.py",
        takes_out=out("return speaking_for(who, request.headers)", "return who"),
        tests=(DOOR + "test_a_command_of_the_console_carries_the_person_it_is_for",),
    ),
    Guard(
        name="a credential sends only what it may",
        promise="Who, G1",
        file="services/gateway/intake.py",
        takes_out=out("if not who.may_send(type(command)):", "if False:"),
        tests=(DOOR + "test_a_credential_sends_only_what_it_may_and_sees_only_its_own",),
    ),
    Guard(
        name="a credential reaches only its portfolios",
        promise="Who, G1",
        file="services/gateway/intake.py",
        takes_out=out(
            "if fault := directory.account_fault(entry, account, admission.currency_of(command), who):",
            "if entry is None and (fault := directory.account_fault(entry, account, admission.currency_of(command), who)):",
        ),
        tests=(DOOR + "test_a_credential_reaches_only_accounts_of_its_portfolios",),
    ),
    Guard(
        name="what is refused as unprocessable is kept",
        promise="4, G2",
        file="services/gateway/answering.py",
        takes_out=out("    if reference:\n        more", "    if False:\n        more"),
        tests=(DOOR + "test_an_order_that_cannot_go_on_says_why_and_is_kept",),
    ),
    Guard(
        name="a body is bounded",
        promise="G1",
        file="services/gateway/answering.py",
        takes_out=out("    if size > BODY_BYTES_MAX:\n", "    if False:\n"),
        tests=(DOOR + "test_a_body_of_ten_megabytes_is_refused_and_the_limit_named",),
    ),
    Guard(
        name="only commands from outside are taken",
        promise="Gateway",
        file="services/gateway/bodies.py",
        takes_out=out("type: Literal[tuple(SENDABLE_NAMES)]", "type: Literal[tuple(MESSAGES)]"),
        tests=(BODIES + "test_only_commands_from_outside_are_taken",),
    ),
)
