"""Who covers whom while they are away, from one day to another, in which role (A6). Pure.

People appoint their own deputy for their own role; for somebody who cannot, a higher level does. Which role a person has, the
credit master does not know: so nobody can hand out more than they have themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.accounts import AppointDeputy, DeputyAppointed, DeputyEnded, DeputyRefused, EndDeputy
from contracts.message import Fact
from services.accounts.account import Cover, State
from services.accounts.policies import Policy, in_force
from services.accounts.refusal import Refusal, not_reasoned, not_signed
from shared.service import FOR, Moment

COVERS_MAX = 20
"""Deputies of one person, now and to come: a bound on the row."""


def appoint(state: State, wish: AppointDeputy, moment: Moment) -> Iterable[Fact]:
    covers = _standing(state, moment)
    refusal = not_signed(moment) or not_reasoned(wish.reason) or _no_cover(wish, covers, moment)
    refusal = refusal or _not_theirs(wish.person, wish.role, moment)
    if refusal:
        return [_refused(wish.person, refusal)]
    return [
        DeputyAppointed(
            person=wish.person,
            deputy=wish.deputy,
            role=wish.role,
            from_on=wish.from_on,
            until_on=wish.until_on,
            reason=wish.reason,
            by=moment.actor,
        )
    ]


def end(state: State, wish: EndDeputy, moment: Moment) -> Iterable[Fact]:
    """By the person, by the deputy, or by a higher level; all days of this deputy that are left."""
    ended = [each for each in _standing(state, moment) if each.deputy == wish.deputy]
    if not ended:
        refusal: Refusal | None = Refusal("no_cover", f"{wish.deputy} does not cover {wish.person}, now or later")
    else:
        refusal = not_signed(moment) or not_reasoned(wish.reason)
        if moment.actor != wish.deputy:
            refusal = refusal or _not_theirs(wish.person, ended[0].role, moment)
    if refusal:
        return [_refused(wish.person, refusal)]
    return [DeputyEnded(person=wish.person, deputy=wish.deputy, reason=wish.reason, by=moment.actor)]


def _standing(state: State, moment: Moment) -> tuple[Cover, ...]:
    """What is not over yet."""
    covers = state.person.covers if state.person else ()
    return tuple(each for each in covers if each.until_on >= moment.at.date())


def _refused(person: str, refusal: Refusal) -> DeputyRefused:
    return DeputyRefused(person=person, reason=refusal.reason, detail=refusal.detail)


def _no_cover(wish: AppointDeputy, covers: tuple[Cover, ...], moment: Moment) -> Refusal | None:
    if FOR in wish.person or FOR in wish.deputy:
        return Refusal("not_a_person", "name one person to be covered and one who covers")
    if wish.person == wish.deputy:
        return Refusal("own_deputy", "nobody covers themselves; name somebody else")
    if wish.until_on < wish.from_on or wish.until_on < moment.at.date():
        return Refusal("not_ahead", f"it ends on {wish.until_on}, before it begins or in the past; correct the days")
    if any(each.deputy == wish.deputy and _meet(each, wish) for each in covers):
        return Refusal("covered_already", f"{wish.deputy} covers {wish.person} on some of these days; end that first")
    if len(covers) >= COVERS_MAX:
        return Refusal("too_many_deputies", f"{wish.person} has {COVERS_MAX} deputies, now and to come; end some first")
    return None


def _meet(cover: Cover, wish: AppointDeputy) -> bool:
    return cover.from_on <= wish.until_on and wish.from_on <= cover.until_on


def _not_theirs(person: str, role: str, moment: Moment) -> Refusal | None:
    levels = _levels(in_force(moment.at.date()))
    if role not in levels:
        return Refusal("unknown_role", f"{role!r} has no authority to be covered; it is one of {', '.join(levels)}")
    own = moment.actor == person and moment.role == role
    if own or levels.get(moment.role, 0) > levels[role]:
        return None
    return Refusal("beyond_authority", f"{person} in their own role, or a level above {role}, appoints and ends their deputies")


def _levels(policy: Policy) -> dict[str, int]:
    """Role of people → its level, over all kinds."""
    grades = [grade for kind in policy.authority.values() for grade in kind if not grade.system]
    return {grade.role: grade.level for grade in grades}
