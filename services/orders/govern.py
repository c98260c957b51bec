"""A credit policy is adopted (O2): broadcast to every partition, dated, refused whole when anything in it is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.message import Message
from contracts.orders import AdoptPolicy, PolicyAdopted, PolicyRefused
from services.orders.state import State
from shared.credit.rulebook import PolicyError, Rulebook
from shared.service import Moment

DETAIL_LENGTH_MAX = 500


def adopt(state: State, command: AdoptPolicy, moment: Moment) -> Iterable[Message]:
    """A policy that is adopted already changes nothing."""
    try:
        book = Rulebook(command.policy)
    except PolicyError as error:
        detail = f"{error}. Mend the policy there and adopt it again."
        return (PolicyRefused(version=command.version, reason="malformed", detail=detail[:DETAIL_LENGTH_MAX]),)
    if book.document.version != command.version:
        detail = f"The policy calls itself {book.document.version}, the command calls it {command.version}. Say the same in both."
        return (PolicyRefused(version=command.version, reason="wrong_version", detail=detail),)
    return _adopted(state, book, command, moment)


def _adopted(state: State, book: Rulebook, command: AdoptPolicy, moment: Moment) -> Iterable[Message]:
    known = [each for each in (state.policies.adopted if state.policies is not None else ()) if each.version == command.version]
    if any(each.digest != book.digest for each in known):
        detail = f"Version {command.version} was adopted with other content. Give the new content a version of its own."
        return (PolicyRefused(version=command.version, reason="conflicting_duplicate", detail=detail),)
    if known and known[-1].effective_from == command.effective_from:
        return ()
    return (
        PolicyAdopted(
            version=command.version,
            effective_from=command.effective_from,
            digest=book.digest,
            policy=command.policy,
            partition=moment.partition,
        ),
    )
