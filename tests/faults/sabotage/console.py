"""Guards of the console's door: sessions, forms, roles, ways on (`services/console`)."""

from tests.faults.sabotage.guard import Guard, out

DOOR = "tests/console/test_door.py::"
ELSEWHERE = "tests/console/test_elsewhere.py::"
SIGN_IN = "tests/browser/test_signin.py::"
GUARDING = "services/console/guarding.py"

GUARDS = (
    Guard(
        name="a role that may not is refused",
        promise="A6",
        file=GUARDING,
        takes_out=out("if who.role not in roles:", "if False:"),
        tests=(SIGN_IN + "test_whoever_lacks_the_role_gets_403_and_an_audit_entry",),
    ),
    Guard(
        name="a form carries its session's token",
        promise="A7",
        file=GUARDING,
        takes_out=out("return hmac.compare_digest(mark, _mark(key, nonce))", "return True"),
        tests=(DOOR + "test_a_form_token_is_good_for_its_session_only_and_never_the_same",),
    ),
    Guard(
        name="a form comes from our own page",
        promise="A7",
        file=GUARDING,
        takes_out=out("    check_same_origin(request)\n", ""),
        tests=(SIGN_IN + "test_a_form_from_elsewhere_changes_nothing_even_with_the_right_token",),
    ),
    Guard(
        name="nobody is sent to another site",
        promise="A7",
        file=GUARDING,
        takes_out=out('text[1:2] in ("/", "\\\\")', "False"),
        tests=(DOOR + "test_a_way_on_is_always_a_path_of_this_console",),
    ),
    Guard(
        name="nothing is missed between a page and its stream",
        promise="V1",
        file=GUARDING,
        takes_out=out("request.state.heard = request.app.state.hub.id", 'request.state.heard = ""'),
        tests=(DOOR + "test_what_changes_between_a_page_and_its_stream_is_told_to_the_stream",),
    ),
    Guard(
        name="a session ends by idleness and by shift",
        promise="A7",
        file="services/console/sessions.py",
        takes_out=out(
            "left join session on id = $1 and seen_at > now() - $2::interval and made_at > now() - $3::interval",
            "left join session on id = $1 and $2::interval is not null and $3::interval is not null",
        ),
        tests=(DOOR + "test_a_session_ends_by_idleness_and_by_shift",),
    ),
    Guard(
        name="a new password ends the sessions of the old one",
        promise="A7",
        file="services/console/people.py",
        takes_out=out(
            '        kept,\n    )\n    await connection.execute("delete from session where person = $1", person.name)\n',
            "        kept,\n    )\n",
        ),
        tests=(DOOR + "test_a_new_password_signs_everybody_out_who_used_the_old_one",),
    ),
    Guard(
        name="who fails waits",
        promise="A7",
        file="services/console/slowing.py",
        takes_out=out("if times < patience.free or since > FORGOTTEN:", "if True:"),
        tests=(DOOR + "test_the_wait_doubles_up_to_its_longest",),
    ),
    Guard(
        name="a way back belongs to the browser it was made for",
        promise="A7",
        file="services/console/elsewhere.py",
        takes_out=out("where state = $1 and browser = $2 and", "where state = $1 and $2::bytea is not null and"),
        tests=(ELSEWHERE + "test_a_way_back_works_once_and_only_in_the_browser_it_was_made_for",),
    ),
    Guard(
        name="a token was made for this way",
        promise="A7",
        file="services/console/elsewhere.py",
        takes_out=out('        nonce={"essential": True, "value": nonce},\n', ""),
        tests=(ELSEWHERE + "test_a_token_of_another_issuer_application_way_or_time_lets_nobody_in",),
    ),
    Guard(
        name="a provider takes over no name that is kept here",
        promise="A7",
        file="services/console/people.py",
        takes_out=out("where known.issuer = excluded.issuer and known.subject = excluded.subject and", "where"),
        tests=(ELSEWHERE + "test_a_provider_does_not_take_over_a_name_that_is_kept_here",),
    ),
    Guard(
        name="passwords travel by TLS or not at all",
        promise="A7",
        file="services/console/door.py",
        takes_out=out('if asked.scheme != "https" and asked.hostname not in LOOPBACK:', "if False:"),
        tests=(DOOR + "test_a_console_that_would_take_passwords_in_the_clear_does_not_start",),
    ),
)
