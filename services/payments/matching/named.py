"""Proofs (a) and (c): the payment names items, by a verified reference or in words, and its cash must agree with them.

A name without agreement is not enough for several items, and for one item only where no other explains the cash better.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product

import msgspec

from services.payments.matching.agreeing import Agreed
from services.payments.matching.amounts import credits_of, debts_of, is_likely, likely_sum, oldest_first
from services.payments.matching.case import Case, ambiguous, match_of, names_of, proposal_of
from services.payments.matching.ledger_index import Positions
from services.payments.matching.lookup import is_full, joined
from services.payments.matching.naming import Names
from services.payments.matching.settling import full, part, reason_in, short
from services.payments.matching.structured import Structured, compact, quoted_in, verified
from services.payments.matching.subset import subsets
from services.payments.matching.values import Alternative, Ambiguous, Match, NoMatch, Outcome, Proposal
from shared.money import with_currency

COMBINATIONS_MAX = 2_000
"""Ways to read all damaged names of a text together; beyond it a person reads them."""
STRONG = ("RF", "OGM")
"""Schemes with two check digits: one damaged reference in a hundred passes, not one in ten."""
FEE_SHARE = 20
"""Where a fee is only suspected it is at most one part in so many of the item."""
OVERPAID_TIMES_MAX = 2
"""Who pays more than twice the one item named pays for something else as well, or the name is damaged.

Several names confirm each other, and of a text that is full the rest did not arrive: then the named are paid.
"""
REFERENCE, WORDS = "structured reference", "invoice numbers in text"


class Named(msgspec.Struct, frozen=True):
    """Open items that are named, how, and what speaks for it."""

    positions: Positions
    proof: str
    score: int
    evidence: tuple[str, ...]

    @property
    def is_verified(self) -> bool:
        return self.proof == REFERENCE


# ── (a) structured reference ──────────────────────────────────────────────────────────────────────────────────────────────


def references_of(case: Case) -> tuple[Structured, ...]:
    """Verified references of the payment: in their own field, and quoted in its text."""
    payment = case.payment
    return tuple(dict.fromkeys((*verified(payment.reference), *quoted_in(joined(payment.text)))))


def referred_to(case: Case, references: Sequence[Structured]) -> tuple[Positions, tuple[str, ...]]:
    """Items that carry one of these references, or whose number stands in it; and the evidence for people."""
    index = case.index
    for one in references:
        if carriers := index.by_reference.get(compact(one.reference)):
            return tuple(carriers), (
                f"{one.scheme} {one.reference}, check digits right, is the reference of {names_of(case, carriers)}",
            )
    for one in references:
        if hits := _inside(case, one):
            return hits, (f"{one.scheme} {one.reference}, check digits right, contains {names_of(case, hits)}",)
    return (), ()


def _inside(case: Case, one: Structured) -> Positions:
    """The item whose number is inside: alone for a strong check if it is all there is, else only if the cash agrees.

    Five digits stand in a long reference by accident often enough, and one check digit in ten is right by accident.
    """
    hits = case.in_currency(at for at in case.index.inside(one.number) if case.index.is_open(at))
    if len(hits) != 1 or len(case.index.inside(one.number)) != 1:
        return ()
    if one.scheme in STRONG and one.number.lstrip("0") in case.index.numbers[hits[0]].forms:
        return hits
    found = case.agreed(hits)
    return hits if found and found.firm else ()


def by_reference_alone(case: Case, positions: Positions, evidence: tuple[str, ...]) -> Match | None:
    """(a) where the items of the reference explain all of the cash: the words need not be read."""
    if not all(map(case.index.is_open, positions)) or len(case.in_currency(positions)) != len(positions):
        return None
    found = case.agreed(positions) if all(map(case.is_payers, case.items(positions))) else None
    return match_of(found, REFERENCE, 100, evidence) if found else None


def by_reference(case: Case, names: Names, positions: Positions, evidence: tuple[str, ...]) -> Outcome | None:
    """(a) for items that `referred_to` found; what the words name besides is taken in where the cash asks for it."""
    is_open = case.index.is_open
    named = Named(tuple(at for at in positions if is_open(at)), REFERENCE, 100, evidence)
    if not named.positions:
        return paid_before(case, positions, evidence)
    if refused := _refused(case, named):
        return refused
    wider = tuple(sorted({*named.positions, *case.in_currency(names.exact)}))
    if found := case.agreed(wider):
        return match_of(found, REFERENCE, 98, evidence)
    is_shared = len(named.positions) > 1 and bool(names.exact or names.choices)
    if case.payment.lines or is_shared:
        return None  # lines say more; and of a customer's standing reference, so do words
    return _settled_somehow(case, msgspec.structs.replace(named, positions=wider), names)


# ── (c) numbers in text ───────────────────────────────────────────────────────────────────────────────────────────────────


def by_words(case: Case, names: Names) -> Outcome | None:
    """(c): exact names first, then names with one character damaged, then orders; None when the words name nothing."""
    if names.exact:
        return _by_exact(case, names)
    if names.choices:
        return _by_choices(case, names)
    if names.ordered:
        return _by_orders(case, names)
    return paid_before(case, names.settled, ("the text names it",)) if names.settled else None


def _by_exact(case: Case, names: Names) -> Outcome:
    named = Named(names.exact, WORDS, 97, (f"text names {names_of(case, names.exact)}",))
    if refused := _refused(case, named):
        return refused
    if found := case.agreed(named.positions):
        return _agreed_by_words(case, named, found)
    if names.choices and isinstance(read := _by_choices(case, names), Match):
        return read
    return _settled_somehow(case, named, names)


def _agreed_by_words(case: Case, named: Named, found: Agreed) -> Outcome:
    """Agreement that is not exact gives way to a credit, or to a number at one edit, that makes it exact."""
    if found.is_tolerated or not found.firm:
        if exact := _with_credits(case, named):
            return match_of(exact, WORDS, 95, named.evidence)
        if rivals := [other for other in _rivals(case, named) if other in case.of_amount(case.payment.amount_minor)]:
            why = f"{names_of(case, rivals)} would explain the amount exactly"
            return ambiguous(why, [proposal_of(found, 60, named.evidence), *_rival_proposals(case, named)])
    return match_of(found, WORDS, 97, named.evidence, _also_of_amount(case, named))


def _refused(case: Case, named: Named) -> Ambiguous | None:
    """Items that cannot be paid with this money, or that are none of the payer's business."""
    items = case.items(named.positions)
    if foreign := [item for item in items if item.currency != case.payment.currency]:
        return ambiguous(f"{foreign[0].item} is in {foreign[0].currency}, the payment in {case.payment.currency}", ())
    others = sorted({item.account for item in items if not case.is_payers(item)}) if case.payer_is_known else []
    if others:
        found = case.agreed(named.positions)
        proposals = [proposal_of(found, 60, named.evidence)] if found else []
        return ambiguous(f"names items of {', '.join(others)}, for which this payer does not pay", proposals)
    return None


def _also_of_amount(case: Case, named: Named) -> list[Alternative]:
    others = [at for at in case.of_amount(case.payment.amount_minor) if at not in named.positions]
    return [Alternative((case.index.names[at],), "has the same amount and is not named") for at in others]


# ── damaged names ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_choices(case: Case, names: Names) -> Outcome:
    """Names with several meanings are read in the one way in which the cash agrees; with two such ways a person reads them."""
    evidence = (*(_read_as(case, raw, hits) for raw, hits in names.choices),)
    if math.prod(len(hits) for _, hits in names.choices) > COMBINATIONS_MAX:
        return ambiguous("too many damaged names to read them together", ())
    readings = dict(_readings(case, names))
    if len(readings) == 1:
        [(positions, found)] = readings.items()
        named = Named(positions, WORDS, 92, (f"text names {names_of(case, positions)}, damaged or shared", *evidence))
        if refused := _refused(case, named):
            return refused
        if not (rivals := _settled_rivals(case, names, positions)):
            return match_of(found, WORDS, 92, named.evidence, _also_of_amount(case, named))
        return ambiguous(f"may be a second payment of {', '.join(rivals)}", [proposal_of(found, 60, evidence)])
    proposals = [proposal_of(found, 60, evidence) for found in readings.values()] or _unagreed(case, names, evidence)
    return ambiguous(
        "damaged names can be read in several ways" if readings else "damaged names, and the amount agrees with none", proposals
    )


def _read_as(case: Case, raw: str, hits: Positions) -> str:
    return f"{raw} may be {names_of(case, hits)}"


def _readings(case: Case, names: Names) -> Iterator[tuple[Positions, Agreed]]:
    exact = case.in_currency(names.exact)
    open_hits = [case.in_currency(at for at in hits if case.index.is_open(at)) for _, hits in names.choices]
    for picked in product(*(hits for hits in open_hits if hits)):
        positions = tuple(sorted({*exact, *picked}))
        if (
            len(positions) == len(exact) + len(picked)
            and (found := case.agreed(positions))
            and found.firm
            and not found.is_tolerated
        ):
            yield positions, found


def _settled_rivals(case: Case, names: Names, positions: Positions) -> list[str]:
    """Settled items that a damaged name may mean just as well, with the amount of an item it was read as."""
    index = case.index
    amounts = {item.open_minor for item in case.items(positions)} | {case.payment.amount_minor}
    hits = {at for _, hits in names.choices for at in hits if not index.is_open(at)}
    return [index.names[at] for at in sorted(hits) if index.settled_at(at).amount_minor in amounts]


def _unagreed(case: Case, names: Names, evidence: tuple[str, ...]) -> list[Proposal]:
    """What a person may have in mind: each item that may be meant, paid as far as the cash goes."""
    meant = dict.fromkeys(at for _, hits in names.choices for at in hits if case.index.is_open(at))
    return [proposal_of(one, 40, evidence) for at in case.in_currency(meant) if (one := _one_item(case, at))]


# ── names that do not explain all of the cash ─────────────────────────────────────────────────────────────────────────────


def _settled_somehow(case: Case, named: Named, names: Names) -> Outcome:
    """Surely named items whose sum is not the cash: what else the cash may be made of, and short pay or overpayment last."""
    for way in (_some_of, _with_credits, _with_rest):
        if found := way(case, named):
            return match_of(found, named.proof, named.score - 5, named.evidence)
    found = _one_item(case, named.positions[0]) if len(named.positions) == 1 else _several(case, named)
    if found is None:
        return ambiguous("the named items and the amount disagree", _as_far_as_it_goes(case, named))
    if doubts := _doubts(case, named, names):
        return ambiguous(doubts[0], [proposal_of(found, 50, named.evidence), *_rival_proposals(case, named)])
    return match_of(found, named.proof, named.score - 10, named.evidence)


def _some_of(case: Case, named: Named) -> Agreed | None:
    """The only part of the named items that adds up: people list what they dispute, too."""
    if len(named.positions) < 2:
        return None
    chosen = likely_sum(case, named.positions, case.payment.amount_minor)
    return _in_full(case, chosen, "only these of the named items add up") if chosen else None


def _with_credits(case: Case, named: Named) -> Agreed | None:
    gap = sum(item.open_minor for item in case.items(named.positions)) - case.payment.amount_minor
    pool = tuple(at for at in credits_of(case) if at not in named.positions)
    chosen = likely_sum(case, pool, -gap) if gap > 0 and pool and case.payer_is_known else None
    return _in_full(case, (*named.positions, *chosen), f"less {names_of(case, chosen)}") if chosen else None


def _with_rest(case: Case, named: Named) -> Agreed | None:
    """Bank lines are cut: what the named items leave over is one other item, or the only set of others."""
    rest = case.payment.amount_minor - sum(item.open_minor for item in case.items(named.positions))
    if rest <= 0 or not case.payer_is_known:
        return None
    pool = [at for at in debts_of(case) if at not in named.positions]
    alone = [at for at in case.of_amount(rest) if at in pool]
    if len(alone) > 1 or not pool or _rivals(case, named):
        return None
    is_one = alone and is_likely(case, [item.open_minor for item in case.items(pool)], 1)
    chosen = tuple(alone) if is_one else likely_sum(case, pool, rest)
    return _in_full(case, (*named.positions, *chosen), f"the rest is {names_of(case, chosen)}") if chosen else None


def _in_full(case: Case, positions: Sequence[int], how: str) -> Agreed:
    return Agreed(tuple(full(item) for item in case.items(sorted(positions))), how)


def _one_item(case: Case, at: int) -> Agreed | None:
    """Part payment, short pay with the reason the text gives, or overpayment whose rest stays unallocated."""
    item, cash = case.index.items[at], case.payment.amount_minor
    if item.open_minor <= 0:
        return None
    if cash > item.open_minor:
        return Agreed((full(item),), "overpaid", cash - item.open_minor, firm=False)
    return Agreed((short(item, cash, reason_in(case.payment, case.rules), case.rules),), "paid in part", firm=False)


def _several(case: Case, named: Named) -> Agreed | None:
    """Overpaid: all of them, the rest unallocated. Short by what banks may keep: all of them, the rest open on the largest."""
    items = case.items(named.positions)
    gap = sum(item.open_minor for item in items) - case.payment.amount_minor
    if gap < 0:
        return Agreed(tuple(full(item) for item in items), "overpaid", -gap, firm=False)
    largest = max(items, key=lambda item: item.open_minor)
    if gap > case.rules.fee_minor or gap >= largest.open_minor:
        return None
    lines = (
        part(item, item.open_minor - gap, residual_minor=gap, reason="charges on the way") if item is largest else full(item)
        for item in items
    )
    return Agreed(tuple(lines), f"short by {with_currency(gap, case.payment.currency)}, as banks on the way keep", firm=False)


def _doubts(case: Case, named: Named, names: Names) -> list[str]:
    """Why a named item that does not explain the cash may be the wrong one."""
    doubts = []
    if not case.payer_is_known and not named.is_verified:
        doubts.append("neither payer nor amount confirm the name")
    named_minor = sum(item.open_minor for item in case.items(named.positions))
    is_one_of_many = len(named.positions) > 1 or is_full(case.payment.text)
    if case.payment.amount_minor > OVERPAID_TIMES_MAX * named_minor and not is_one_of_many:
        doubts.append("far more is paid than what is named")
    if names.choices and sum(item.open_minor for item in case.items(named.positions)) > case.payment.amount_minor:
        doubts.append("other names in the text are damaged, and the amount agrees with none")
    if rivals := _rivals(case, named):
        doubts.append(f"{names_of(case, rivals)} would explain the amount exactly")
    if taken := _credits_taken(case, named):
        doubts.append(f"{names_of(case, taken)} may have been taken off")
    if names.ordered and not set(names.ordered) & set(named.positions):
        doubts.append(f"the order in the text was invoiced by {names_of(case, names.ordered)}")
    if twins := _settled_twins(case, named):
        doubts.append(f"may be a second payment of {names_of(case, twins)}")
    if not case.rules.parts_among_neighbours and _is_part_of_neighbour(case, named):
        doubts.append("a number at one edit is open too, and may be the one paid in part")
    if names.settled and not named.is_verified:
        doubts.append(f"the text also names {names_of(case, names.settled)}, which is settled")
    return doubts


def _rivals(case: Case, named: Named) -> Positions:
    """Items that fit the cash in place of a named one: at one edit from it, or, of a single name, the only one of the amount."""
    total = sum(item.open_minor for item in case.items(named.positions))
    is_single = len(named.positions) == 1
    found: dict[int, None] = {}
    for at in named.positions:
        wanted = case.payment.amount_minor - total + case.index.items[at].open_minor
        same = case.of_amount(wanted) if is_single else ()
        found.update(dict.fromkeys(same if len(same) == 1 else ()))
        found.update(dict.fromkeys(other for other in _near(case, at) if _could_be(case, other, wanted, is_single)))
    return tuple(at for at in sorted(found) if at not in named.positions)


def _credits_taken(case: Case, named: Named) -> Positions:
    """Credit notes that make up what is missing, though others do as well or it may be an accident."""
    gap = sum(item.open_minor for item in case.items(named.positions)) - case.payment.amount_minor
    pool = [at for at in credits_of(case) if at not in named.positions]
    if gap <= 0 or not pool:
        return ()
    found = subsets([item.open_minor for item in case.items(pool)], -gap, case.rules.effort)
    return tuple(pool[at] for at in found.solutions[0]) if found.solutions else ()


def _is_part_of_neighbour(case: Case, named: Named) -> bool:
    """One damaged number in twelve hits another one of a dense ledger; with a part payment no amount says so."""
    if len(named.positions) > 1 or named.is_verified:
        return False
    return any(item.open_minor >= case.payment.amount_minor for item in case.items(_near(case, named.positions[0])))


def _settled_twins(case: Case, named: Named) -> Positions:
    """Settled items of just this amount, at one edit from a named one."""
    near = {other for at in named.positions for other in case.index.near(case.index.numbers[at]) if not case.index.is_open(other)}
    return tuple(at for at in sorted(near) if case.index.settled_at(at).amount_minor == case.payment.amount_minor)


def _near(case: Case, at: int) -> Positions:
    return case.in_currency(other for other in case.index.near(case.index.numbers[at]) if case.index.is_open(other))


def _could_be(case: Case, at: int, wanted: int, is_single: bool) -> bool:
    """The amount, or what banks on the way leave of it; for a single name also what discount leaves."""
    kept = case.index.items[at].open_minor - wanted
    is_fee = 0 <= kept <= min(case.rules.fee_minor, case.index.items[at].open_minor // FEE_SHARE)
    return is_fee or (is_single and case.agreed((at,)) is not None)


def _rival_proposals(case: Case, named: Named) -> list[Proposal]:
    if len(named.positions) > 1:
        return []
    found = [(at, case.agreed((at,))) for at in _rivals(case, named)]
    return [proposal_of(one, 55, (f"{case.index.names[at]} has the amount",)) for at, one in found if one]


def _as_far_as_it_goes(case: Case, named: Named) -> list[Proposal]:
    """The named debts in due order until the cash is used up: a start for the person who decides."""
    return [proposal_of(found, 40, named.evidence)] if (found := oldest_first(case, named.positions)) else []


# ── orders, and what was paid before ──────────────────────────────────────────────────────────────────────────────────────


def _by_orders(case: Case, names: Names) -> Outcome:
    """An order names its invoices only as a group: the cash must be one of them, all of them, or the only set that adds up."""
    positions = case.in_currency(names.ordered)
    evidence = (f"text names the order of {names_of(case, positions)}",)
    named = Named(positions, WORDS, 90, evidence)
    if not positions or (refused := _refused(case, named)):
        return refused if positions and refused else ambiguous("the named order is invoiced in another currency", ())
    if (found := case.agreed(positions)) and found.firm:
        return match_of(found, WORDS, 90, evidence)
    if found := _some_of(case, named):
        return match_of(found, WORDS, 85, evidence)
    return ambiguous("the invoices of the named order and the amount disagree", _as_far_as_it_goes(case, named))


def paid_before(case: Case, positions: Positions, evidence: tuple[str, ...]) -> Outcome:
    """What is named is settled: the same amount again is a duplicate, another amount is a question."""
    settled = [case.index.settled_at(at) for at in positions]
    names = names_of(case, positions)
    same = [one for one in settled if one.amount_minor == case.payment.amount_minor and one.currency == case.payment.currency]
    if same or sum(one.amount_minor for one in settled) == case.payment.amount_minor:
        return NoMatch(f"duplicate: {names} is settled already, with this amount")
    fits = [proposal_of(found, 40, evidence) for at in case.of_amount(case.payment.amount_minor) if (found := case.agreed((at,)))]
    return NoMatch(f"{names} is settled already, with another amount", tuple(fits))
