"""Who speaks for whom: the headers that only a credential which delegates may send (G1, Who)."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from services.gateway.credentials import Credential, console, development
from services.gateway.delegation import speaking_for
from services.gateway.problems import Problem

ROSE = {"quittance-actor": "rose", "quittance-role": "controller", "quittance-team": "desk"}


def refused(who: Credential, headers: dict[str, str]) -> Problem:
    with pytest.raises(Problem) as found:
        speaking_for(who, headers)
    assert found.value.status is HTTPStatus.BAD_REQUEST
    return found.value


def test_a_credential_that_delegates_becomes_the_person_it_names() -> None:
    rose = speaking_for(console(), ROSE)
    assert (rose.actor, rose.role, rose.team, rose.portfolios) == ("rose", "controller", "desk", ())
    assert rose.types == console().types


def test_names_travel_percent_encoded() -> None:
    assert speaking_for(console(), ROSE | {"quittance-actor": "ren%C3%A9e"}).actor == "renée"


@pytest.mark.parametrize("header", ["quittance-actor", "quittance-role", "quittance-team", "quittance-portfolios"])
def test_nobody_else_says_for_whom_they_speak(header: str) -> None:
    assert refused(development(), {header: "director"}).errors[0].field == header


def test_a_credential_that_says_nothing_of_it_speaks_for_itself() -> None:
    assert speaking_for(development(), {"authorization": "Bearer x"}) == development()


@pytest.mark.parametrize("missing", sorted(ROSE))
def test_the_console_says_who_in_which_role_and_team(missing: str) -> None:
    assert refused(console(), {name: text for name, text in ROSE.items() if name != missing}).errors[0].field == missing
    assert refused(console(), ROSE | {missing: " "}).errors[0].field == missing


@pytest.mark.parametrize("text", ["x" * 65, "rose%0Aosei", "rose%00"])
def test_a_name_fits_the_log_and_has_no_hidden_signs(text: str) -> None:
    assert refused(console(), ROSE | {"quittance-actor": text}).errors[0].field == "quittance-actor"


def test_a_person_reaches_no_more_portfolios_than_the_credential() -> None:
    narrow = Credential("c", "home", "console", "console", "console", ("*",), ("north", "south"), delegates=True)
    assert speaking_for(narrow, ROSE).portfolios == ("north", "south")
    assert speaking_for(narrow, ROSE | {"quittance-portfolios": "south,west"}).portfolios == ("south",)
    assert refused(narrow, ROSE | {"quittance-portfolios": "west"}).errors[0].field == "quittance-portfolios"
    assert speaking_for(console(), ROSE | {"quittance-portfolios": "a%2Cb, west"}).portfolios == ("a,b", "west")


def test_a_deputy_acts_under_both_names() -> None:  # A6
    assert speaking_for(console(), ROSE | {"quittance-for": "pia"}).actor == "rose for pia"
    assert refused(development(), {"quittance-for": "pia"}).errors[0].field == "quittance-for"
    assert refused(console(), ROSE | {"quittance-for": "pia for ola"}).errors[0].field == "quittance-for"
    assert refused(console(), ROSE | {"quittance-for": "p" * 60}).errors[0].field == "quittance-for"
