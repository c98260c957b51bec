"""A credential that speaks for people: the console's. Its requests say for whom, and only its may (G1).

Everybody else who sends these headers is refused, so that nobody believes they had counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from contracts.forms import Fault
from services.gateway.credentials import Credential
from services.gateway.problems import Problem
from shared.service import FOR

ACTOR, ROLE, TEAM, PORTFOLIOS = "quittance-actor", "quittance-role", "quittance-team", "quittance-portfolios"
COVERED = "quittance-for"
"""Whom the actor covers (A6): a deputy acts under both names, `dora for pia`."""
NEEDED = (ACTOR, ROLE, TEAM)
NAME_MAX = 64
"""The bound of `actorid`, `actorrole` and `teamid` on the log (contracts.words.Reference)."""


def speaking_for(who: Credential, headers: Mapping[str, str]) -> Credential:
    """The credential as the person it speaks for. Raises `Problem` 400 for a word too many or too few.

    Texts are percent-encoded UTF-8; portfolios are separated by commas, none or an empty text means all that the credential sees.
    """
    said = {name: headers[name] for name in (*NEEDED, COVERED, PORTFOLIOS) if name in headers}
    if not who.delegates:
        _refuse((name, "this credential speaks for itself only", "leave the header out") for name in said)
        return who
    named = {name: unquote(text).strip() for name, text in said.items()}
    _refuse((name, "a credential that speaks for people says for whom", "send it") for name in NEEDED if not named.get(name))
    _refuse(
        (name, f"at most {NAME_MAX} printable characters", "correct it")
        for name in NEEDED
        if len(named[name]) > NAME_MAX or not named[name].isprintable()
    )
    actor = FOR.join(name for name in (named[ACTOR], named.get(COVERED, "")) if name)
    if len(actor) > NAME_MAX or FOR in named[ACTOR] or FOR in named.get(COVERED, ""):
        _refuse([(COVERED, f"two names of people, together at most {NAME_MAX} characters", "correct it")])
    return msgspec.structs.replace(
        who, actor=actor, role=named[ROLE], team=named[TEAM], portfolios=_portfolios(who, said.get(PORTFOLIOS, ""))
    )


def _portfolios(who: Credential, text: str) -> tuple[str, ...]:
    """Those of the person that the credential sees as well; never more than either."""
    wanted = tuple(unquote(part).strip() for part in text.split(",") if part.strip())
    if not wanted:
        return who.portfolios
    seen = tuple(portfolio for portfolio in wanted if who.sees(portfolio))
    if not seen:
        _refuse([(PORTFOLIOS, "the credential sees none of these portfolios", "use another credential")])
    return seen


def _refuse(found: Iterable[tuple[str, str, str]]) -> None:
    faults = [Fault(*each) for each in found]
    if faults:
        raise Problem(HTTPStatus.BAD_REQUEST, "; ".join(f"{fault.field}: {fault.problem}" for fault in faults), faults)
