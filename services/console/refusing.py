"""A refusal as the person reads it who pressed the button: no codes, money as money, roles by their names. Pure.

What other systems test is the `reason` of a refusal, and its `detail` stands in the journal and comes out of a replay to the
byte; so both stay as the services say them, and are put into words here. A shape that is not known loses its codes alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from services.console.clearing import article
from services.console.people import ROLES
from services.console.receivables.house import house
from services.console.wishes import Outcome
from shared.credit.reasons import amount

Shape = tuple[re.Pattern[str], Callable[[re.Match[str], str], str]]


def told(outcome: Outcome, currency: str) -> str:
    """What became of a wish, in words; amounts of a refusal are in this currency."""
    detail = outcome.fact.get("detail") if outcome.how == "refused" else None
    return in_words(str(detail), currency) if detail else outcome.said


def in_words(detail: str, currency: str) -> str:
    for shape, say in _SHAPES:
        if found := shape.fullmatch(detail):
            return say(found, currency)
    return _sentence(_without_codes(detail, currency))


APPROVED_BUT = "approved, but: "
"""How the ledger begins the reason of a payout that was approved and could not be carried out; its refusal follows."""


def why_declined(reason: str, currency: str) -> str:
    """Of a payout: what a person wrote as it was written, what the ledger said in words."""
    if not reason.startswith(APPROVED_BUT):
        return reason
    return APPROVED_BUT + in_words(reason.removeprefix(APPROVED_BUT), currency).removesuffix(".")


def nobody(checks: Iterable[str]) -> str:
    """Against these checks nobody releases: `nobody releases while the account is on stop`."""
    return f"nobody releases while {' and '.join(STANDS.get(check, check.replace('_', ' ')) for check in checks)}"


STANDS: Mapping[str, str] = {
    "account_open": "the account is not open",
    "not_on_stop": "the account is on stop",
    "static_limit": "the order is over the limit",
    "dynamic_limit": "the order is over the limit within the horizon",
    "order_value": "the order is above the standard order",
    "oldest_overdue": "an item is too long overdue",
    "overdue_share": "too much of the balance is overdue",
    "dunning_level": "the dunning level is too high",
    "review_overdue": "the limit review is overdue",
    "terms": "the order asks for longer terms than agreed",
    "po_number": "the PO number is missing",
    "cash_on_delivery": "the cash on delivery is not paid",
    "unconnected_stock": "too much stock is unconnected",
    "broken_promises": "too many promises were broken lately",
    "insurance": "the credit insurance is not in force",
    "limit_expired": "the limit has expired",
}
"""Check → how things stand while it fails."""


def spoken(role: str) -> str:
    """`credit controller`"""
    return ROLES.get(role, role.replace("_", " ")).lower()


def a_role(role: str) -> str:
    return article(spoken(role))


# --- shapes ---------------------------------------------------------------------------------------------------------


def _money(minor: str, currency: str) -> str:
    return f"{amount(int(minor), currency)} {currency}".rstrip() if currency else minor


def _beyond(found: re.Match[str], currency: str) -> str:
    return f"{_money(found['minor'], currency)} is beyond {a_role(found['role'])}; it takes {a_role(found['needed'])} or above."


def _final(found: re.Match[str], currency: str) -> str:
    return _sentence(nobody(found["checks"].split(", ")))


def _no_authority(found: re.Match[str], currency: str) -> str:
    lowest, role = found["roles"].split(", ")[0], found["role"]
    own = "somebody without a role" if role == "none" else spoken(role)
    return f"It takes {a_role(lowest)} or above to decide {found['over']}; {own} does not."


def _no_part(found: re.Match[str], currency: str) -> str:
    return (
        f"A part is more than nothing and less than the {_money(found['minor'], currency)} that wait; release it to release all."
    )


def _not_above(found: re.Match[str], currency: str) -> str:
    levels = ", ".join(spoken(level) for level in found["levels"].split(" < "))
    named = "There is no level" if found["level"] == "The next level" else f"{_sentence(a_role(found['level']))[:-1]} is not"
    return f"{named} above where the order is. The levels, lowest first: {levels}."


def _no_more(found: re.Match[str], currency: str) -> str:
    return f"It is {found['outcome'].replace('_', ' ')}: only an order that waits can be worked on."


_OF_KIND = {
    "limit": "A limit of {}",
    "terms": "New terms on a limit of {}",
    "opening": "Opening an account with a limit of {}",
    "cover": "Insurance of {}",
    "refund": "A refund of {}",
    "write_off": "A write-off of {}",
    "write_back": "A write-back of {}",
}
_PAYOUTS = ("refund", "write_off", "write_back")
"""Their authority is counted in base currency, whatever the account trades in."""


def _account_beyond(found: re.Match[str], currency: str) -> str:
    code = house().base_currency if found["kind"] in _PAYOUTS else currency
    what = _OF_KIND.get(found["kind"], f"{found['kind'].capitalize()} of {{}}").format(_money(found["minor"], code))
    sender = found["role"] if " " in found["role"] else a_role(found["role"])
    roles = [a_role(role) for role in found["roles"].split(" or ") if role]
    return f"{what} is beyond {sender}; {'it takes ' + ' or '.join(roles) if roles else 'nobody has that authority'}."


def _four_eyes(found: re.Match[str], currency: str) -> str:
    return f"{found['kind'].capitalize()} is never changed by one person alone: ask for it, and somebody else approves it."


def _too_much(found: re.Match[str], currency: str) -> str:
    return f"The lines take {_money(found['minor'], currency)}, and {_money(found['left'], currency)} of the receipt is left."


def _too_much_set_off(found: re.Match[str], currency: str) -> str:
    return (
        f"The lines take {_money(found['minor'], currency)}, and {_money(found['left'], currency)} of {found['credit']} is open."
    )


_WISHED = {
    "to be settled": "would be settled",
    "to be set off": "would be set off",
    "to be cleared": "would be cleared",
    "asked for": "is asked for",
}


def _not_open(found: re.Match[str], currency: str) -> str:
    code = found["code"]
    whole = f"its {_money(found['whole'], code)}" if found["whole"] else "it"
    wished = f"{_money(found['minor'], code)} {_WISHED[found['wished']]}"
    return f"{found['item']}: {wished}, and {_money(found['open'], code)} of {whole} is open."


def _difference(found: re.Match[str], currency: str) -> str:
    sender = a_role(found["role"]) if " " not in found["role"] else found["role"]
    most, minor = _money(found["most"], currency), _money(found["minor"], currency)
    return f"{found['item']}: a difference of {minor} in all is beyond {sender}, who may take {most} at most."


def _discount(found: re.Match[str], currency: str) -> str:
    minor, most = _money(found["minor"], currency), _money(found["most"], currency)
    given = f"a discount of {most} in all, not of {minor}" if int(found["most"]) else f"this payment no discount, and not {minor}"
    return f"{found['item']}: its terms give {given}; take the rest as a difference."


def _known_as(found: re.Match[str], currency: str) -> str:
    return _sentence(f"it is {found['state']} already{found['of'] or ''}; give it back from there first")


def _wrong_kind(found: re.Match[str], currency: str) -> str:
    kinds = " or ".join(article(_spaced(kind)) for kind in found["kinds"].split(" or "))
    return f"{found['item']} is {article(_spaced(found['kind']))}; {found['rule']} {kinds}{found['end']}."


def _wrong_sign(found: re.Match[str], currency: str) -> str:
    minor = _money(found["minor"], currency)
    return f"{found['item']}: {article(_spaced(found['kind']))} of {minor}; debts are positive, credits negative."


def _known_item(found: re.Match[str], currency: str) -> str:
    kind, minor = article(_spaced(found["kind"])), _money(found["minor"], found["code"] or currency)
    return f"{found['item']} is known as {kind} of {found['account']} over {minor}{found['mend'] or ''}."


def _wish_before(found: re.Match[str], currency: str) -> str:
    minor = _money(found["minor"], currency)
    return f"The same wish asked for {minor} of {found['item']} before; give another wish a key of its own."


def _card_before(found: re.Match[str], currency: str) -> str:
    minor = _money(found["minor"], found["code"])
    return f"Payment {found['payment']} was another one, of {minor}; give each a key of its own."


def _card_told(found: re.Match[str], currency: str) -> str:
    minor, asked = _money(found["minor"], currency), _money(found["asked"], currency)
    return f"The acquirer says {minor}, and {asked} was asked for; settle it with the acquirer."


def _not_captured(found: re.Match[str], currency: str) -> str:
    minor, left = _money(found["minor"], currency), _money(found["left"], currency)
    return f"{minor} would be paid back, and {left} of this payment is with us."


def _total(found: re.Match[str], currency: str) -> str:
    minor, total = _money(found["minor"], currency), _money(found["total"], currency)
    return f"The lines add up to {minor}, the total says {total}. {_sentence(found['mend'])}"


def _takes_a(found: re.Match[str], currency: str) -> str:
    roles = " or ".join(a_role(role) for role in found["roles"].split(" or "))
    return _sentence(f"{found['what']} takes {roles}")


def _spaced(kind: str) -> str:
    return kind.replace("_", " ")


_SHAPES: tuple[Shape, ...] = tuple(
    (re.compile(shape), say)
    for shape, say in (
        (r"(?P<role>\w+) may not \w+ (?P<minor>\d+) minor units(?: of .+)?: it needs (?P<needed>\w+) or above\..*", _beyond),
        (r"No one releases against: (?P<checks>[a-z_, ]+)\. .*", _final),
        (r"The role '(?P<role>[^']*)' of .+ has no authority over (?P<over>\w+); these have: (?P<roles>.+)\.", _no_authority),
        (r"A part is more than 0 and less than the (?P<minor>\d+) minor units that wait; .*", _no_part),
        (r"(?P<level>The next level|\w+) is not above where .+ is\. Levels: (?P<levels>.+)\.", _not_above),
        (r".+ is (?P<outcome>\w+): only an order that is held or referred can be worked on\.", _no_more),
        (
            r"(?P<kind>\w+) (?:at|of) (?P<minor>-?\d+) is beyond (?P<role>.+) \(.*\); (?:ask|it takes) a (?P<roles>.*)",
            _account_beyond,
        ),
        (r"(?P<kind>\w+) is never fixed by one person alone \(.*", _four_eyes),
        (r"the lines take (?P<minor>-?\d+), of the receipt (?P<left>-?\d+) are unallocated \(minor units\)", _too_much),
        (r"the lines take (?P<minor>-?\d+), of (?P<credit>.+) (?P<left>-?\d+) are open \(minor units\)", _too_much_set_off),
        (
            r"(?P<item>.+): (?P<minor>-?\d+) (?P<wished>to be settled|to be set off|to be cleared|asked for), "
            r"(?P<open>-?\d+)(?: of (?P<whole>-?\d+))? (?P<code>[A-Z]{3}) open \(minor units\)",
            _not_open,
        ),
        (
            r"(?P<item>.+): a difference of (?P<minor>\d+) in all is beyond (?P<role>.+); (?P<most>\d+) at most \(.*\)",
            _difference,
        ),
        (r"(?P<item>.+): a discount of (?P<minor>-?\d+) in all, its terms give (?P<most>-?\d+) \(minor units\); .*", _discount),
        (r"it is (?P<state>[a-z ]+) already(?P<of>, of .+)?; give it back from there first", _known_as),
        (
            r"(?P<item>.+) is a (?P<kind>[a-z_]+); (?P<rule>a [a-z ]+ takes|a credit is set against|only) "
            r"a (?P<kinds>[a-z_ ]+?)(?P<end>| is set off)",
            _wrong_kind,
        ),
        (r"(?P<item>.+): a (?P<kind>[a-z_]+) of (?P<minor>-?\d+); debts are positive, credits negative", _wrong_sign),
        (
            r"(?P<item>.+) is known as a (?P<kind>[a-z_]+) of (?P<account>.+) over (?P<minor>-?\d+)"
            r"(?: (?P<code>[A-Z]{3}) \(minor units\)(?P<mend>; .+))?",
            _known_item,
        ),
        (r"'.*' asked for (?P<minor>-?\d+) of (?P<item>.+) before; give another wish a key of its own", _wish_before),
        (r"payment '(?P<payment>.+)' was another one, of (?P<minor>-?\d+) (?P<code>[A-Z]{3}); give .+", _card_before),
        (r"(?P<minor>-?\d+) told, (?P<asked>-?\d+) asked for \(minor units\); settle it with the acquirer", _card_told),
        (r"(?P<minor>-?\d+) to be paid back, (?P<left>-?\d+) of this payment are with us \(minor units\)", _not_captured),
        (r"The lines add up to (?P<minor>-?\d+) minor units, the total says (?P<total>-?\d+)\. (?P<mend>.+)", _total),
        (r"(?P<what>.+) takes a (?P<roles>[a-z_]+(?: or [a-z_]+)*) \([^\s()]+\)", _takes_a),
    )
)

# --- what has no shape here -----------------------------------------------------------------------------------------

_MINOR = re.compile(r"\b(\d+) minor units\b")
_VERSION = re.compile(r" \([^\s()]+\)")
"""A policy's name, behind what it decided."""
_COMMAND = re.compile(r"\b(?:accounts|orders|payments)\.([a-z_]+)")
_CODE = re.compile(r"(?<![\w/'-])[a-z]+(?:_[a-z0-9]+)+(?![\w/'-])")


def _without_codes(detail: str, currency: str) -> str:
    text = _MINOR.sub(lambda found: _money(found[1], currency), detail)
    text = _COMMAND.sub(lambda found: found[1].replace("_", " "), _VERSION.sub("", text))
    return _CODE.sub(lambda found: spoken(found[0]), text)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
