"""Who paid (P5): by bank account, mandate, references, remembered aliases, and last by a name that is clearly nearest.

A tie is nobody. Evidence that contradicts itself goes to a person, unless one account pays for another of its own group.
"""

from __future__ import annotations

import copy
import functools
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

import msgspec
from rapidfuzz import fuzz, process

from services.payments.matching.structured import compact
from services.payments.matching.values import Payment, Rules

CANDIDATES_MAX = 5
"""So many are offered to a person; whom a number names is always among them."""
LIKE_MIN = 65
"""Candidates less like the payer's name are none: of 5,000 names the nearest to a stranger's has 45 to 65 of 100, and of the ways
in which banks write a name 19 in 20 have more than 78. Who bears all words of the other's name is like it anyway."""
NAME_MIN = 4
"""Shorter names, legal form aside, are alike by accident: they must be remembered as aliases."""
NAMES_KEPT = 8_192
"""Names whose plain form is kept: a directory is built anew for every batch, mostly of the same accounts."""
NUMBER_MIN, DIGITS_MIN = 3, 5
"""Shorter words, and shorter ones of digits only, are nobody's number: years and quantities are written so."""
WORDS_MAX = 200
"""Of one payment; bank lines hold 140 characters."""
NUMBER, REFERENCES, NAME = "its number is in the text", "references", "name"
"""Why somebody is a candidate, as a person reads it."""
FULL = 100
"""The score of the same name; whom a number names comes before it."""
LEGAL_FORMS = frozenset(
    [
        "ab",
        "ag",
        "aps",
        "as",
        "asa",
        "bv",
        "bvba",
        "co",
        "company",
        "corp",
        "corporation",
        "doo",
        "eirl",
        "eood",
        "eu",
        "gbr",
        "gesmbh",
        "gmbh",
        "holding",
        "inc",
        "incorporated",
        "kft",
        "kg",
        "kgaa",
        "limited",
        "llc",
        "llp",
        "lp",
        "ltd",
        "mbh",
        "nv",
        "ohg",
        "ou",
        "oy",
        "oyj",
        "plc",
        "pte",
        "pty",
        "sa",
        "sarl",
        "sas",
        "se",
        "sl",
        "sp",
        "srl",
        "sro",
        "spa",
        "spzoo",
        "spol",
        "ug",
        "und",
        "and",
        "the",
        "et",
        "y",
        "e",
        "i",
    ]
)
"""Words that say how a company is founded, not which one it is."""

_SPACED = re.compile(r"[^\s,;:()]+")
_WORD = re.compile(r"[^\W_]+")
_DOTS = re.compile(r"(?<=\b\w)\.\s?(?=\w\b)|\.$")


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """A known account and what is remembered of how it pays. `home` is the root of its group, empty when it stands alone."""

    account: str
    name: str
    bank_accounts: tuple[str, ...] = ()
    mandates: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    home: str = ""

    @property
    def group(self) -> str:
        return self.home or self.account


class Recognised(msgspec.Struct, frozen=True):
    """The account that paid, by which evidence; `pays_for` are the accounts whose items it may settle."""

    account: str
    by: str
    evidence: tuple[str, ...]
    pays_for: tuple[str, ...] = ()


class Mention(msgspec.Struct, frozen=True, order=True):
    """An account whose items the payment names. `agrees`: its group's named items explain the cash, or confirm each other."""

    account: str
    agrees: bool


class Candidate(msgspec.Struct, frozen=True):
    account: str
    score: int
    why: str


class Unrecognised(msgspec.Struct, frozen=True):
    """Nobody, or too many: what a person may choose from."""

    candidates: tuple[Candidate, ...]
    why: str


class Directory:
    """Known payers, arranged for many payments; never changed once built. `numbered` are here for their own numbers, and no other
    evidence is held against them."""

    def __init__(self, known: Iterable[Payer], numbered: Iterable[Payer] = ()) -> None:
        self.payers = {one.account: one for one in sorted(known, key=lambda one: one.account)}
        self.numbered = {one.account: one for one in numbered} | self.payers
        self.by_bank = _inverted((compact(bank), one.account) for one in self.payers.values() for bank in one.bank_accounts)
        self.by_mandate = _inverted((compact(mandate), one.account) for one in self.payers.values() for mandate in one.mandates)
        self.by_alias = _inverted((plain(alias), one.account) for one in self.payers.values() for alias in one.aliases)
        self.plain_names = {account: plain(one.name) for account, one in self.payers.items()}
        self.groups = _inverted((one.group, one.account) for one in self.payers.values())

    def knowing(self, numbered: Iterable[Payer]) -> Directory:
        """The same payers, and these for their own numbers."""
        found = copy.copy(self)
        found.numbered = {one.account: one for one in numbered} | self.payers
        return found

    def group_of(self, account: str) -> str:
        payer = self.numbered.get(account)
        return payer.group if payer else account

    def members(self, account: str) -> tuple[str, ...]:
        return self.groups.get(self.group_of(account), (account,))


def _inverted(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for key, account in pairs:
        if key:
            found.setdefault(key, {})[account] = None
    return {key: tuple(sorted(accounts)) for key, accounts in found.items()}


@functools.lru_cache(maxsize=NAMES_KEPT)
def plain(name: str) -> str:
    """Lower case, no accents, no legal form, words in order: `Société ACME S.A.` is `acme societe`."""
    folded = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    words = _WORD.findall(_DOTS.sub("", "".join(sign for sign in folded if not unicodedata.combining(sign))))
    return " ".join(sorted([word for word in words if word not in LEGAL_FORMS] or words))


def recognise(
    payment: Payment, known: Directory | Sequence[Payer], rules: Rules, named: Collection[Mention] = ()
) -> Recognised | Unrecognised:
    """Who paid. `named` are the accounts of the open items that the payment names.

    A number alone is weak evidence: payers write telephones and their own numbers, and mistype ours. It counts where the
    amount, further numbers, or the payer's name agree with it. An account's own number is for a person only.
    """
    directory = known if isinstance(known, Directory) else Directory(known)
    found = weighed(payment, directory, rules, named)
    return with_numbered(found, payment, directory) if isinstance(found, Unrecognised) else found


def weighed(payment: Payment, directory: Directory, rules: Rules, named: Collection[Mention]) -> Recognised | Unrecognised:
    """Who paid, by all but accounts' own numbers: those recognise nobody, and are asked for whom this leaves unrecognised."""
    mentions = tuple(sorted(set(named)))
    for by, accounts in _strong(payment, directory):
        if accounts:
            return _by_strong(directory, by, accounts, mentions)
    if agreeing := tuple(one.account for one in mentions if one.agrees):
        return _by_references(directory, agreeing)
    return _by_name(payment.payer, directory, rules, tuple(one.account for one in mentions))


def _strong(payment: Payment, directory: Directory) -> Iterable[tuple[str, tuple[str, ...]]]:
    yield "bank account", directory.by_bank.get(compact(payment.payer_account), ())
    yield "mandate", directory.by_mandate.get(compact(payment.mandate), ())
    if alias := plain(payment.payer):
        yield "remembered alias", directory.by_alias.get(alias, ())


def _by_strong(
    directory: Directory, by: str, accounts: tuple[str, ...], mentions: tuple[Mention, ...]
) -> Recognised | Unrecognised:
    """What is known of the payer, checked against what the references say: it pays for its own group only.

    Numbers of strangers contradict it where their items explain the cash; else they are taken for a slip, and prove nothing.
    """
    groups = {directory.group_of(account) for account in accounts}
    own = [one for one in mentions if directory.group_of(one.account) in groups]
    strangers = [one.account for one in mentions if one.agrees and one not in own]
    if strangers and not any(one.agrees for one in own):
        why = f"{by} says {', '.join(accounts)}, references say {', '.join(strangers)}, which is not of its group"
        return Unrecognised(
            _candidates([(account, 70, by) for account in accounts] + [(one, 60, REFERENCES) for one in strangers]), why
        )
    referred = tuple(one.account for one in own)
    one = _single(directory, accounts, referred)
    if one is None:
        return Unrecognised(_candidates([(account, 70, by) for account in accounts]), f"{by} is known of {', '.join(accounts)}")
    evidence = (f"{by} is known of {one}", *(f"references name items of {account}" for account in referred))
    return Recognised(one, by, evidence, directory.members(one))


def _single(directory: Directory, accounts: tuple[str, ...], referred: tuple[str, ...]) -> str | None:
    """Of several accounts with this evidence: the only one that the references name, else the head of their one group."""
    if len(accounts) == 1:
        return accounts[0]
    meant = [account for account in accounts if account in referred]
    if len(meant) == 1:
        return meant[0]
    homes = {directory.group_of(account) for account in accounts}
    return homes.pop() if len(homes) == 1 and homes <= directory.payers.keys() else None


def _by_references(directory: Directory, referred: tuple[str, ...]) -> Recognised | Unrecognised:
    """References name one account, or accounts of one group, for which its head pays."""
    groups = {directory.group_of(account) for account in referred}
    evidence = tuple(f"references name items of {account}" for account in referred)
    if len(groups) > 1:
        return Unrecognised(
            _candidates([(account, 60, REFERENCES) for account in referred]), "references name accounts of several groups"
        )
    account = referred[0] if len(referred) == 1 else groups.pop()
    return Recognised(account, "references", evidence, directory.members(account))


def _by_name(written: str, directory: Directory, rules: Rules, referred: tuple[str, ...]) -> Recognised | Unrecognised:
    """The nearest name, if it is near enough and nearer by a margin than any other, or the only near one that numbers name."""
    name = plain(written)
    if len(name) < NAME_MIN:
        return _nobody(directory, name, referred, "nothing known of the payer, and no name to compare")
    nearest = _nearest(name, directory)
    near = [(account, score) for account, score in nearest if score >= rules.name_score]
    meant = [(account, score) for account, score in near if account in referred]
    if len(meant) == 1:
        return _named_like(directory, written, meant[0], (f"references name items of {meant[0][0]}",))
    if not near:
        return _nobody(directory, name, referred, f"no account is named closely like {written!r}", nearest)
    if len(nearest) > 1 and nearest[0][1] - nearest[1][1] < rules.name_margin:
        return _nobody(directory, name, referred, f"several accounts are named like {written!r}", nearest)
    return _named_like(directory, written, nearest[0], ())


def _named_like(directory: Directory, written: str, hit: tuple[str, float], evidence: tuple[str, ...]) -> Recognised:
    account, score = hit
    likeness = f"{written!r} is like {directory.payers[account].name!r}: {score:.0f} of 100"
    return Recognised(account, "name and references" if evidence else "name", (likeness, *evidence), directory.members(account))


def _nobody(
    directory: Directory, name: str, referred: tuple[str, ...], why: str, nearest: Sequence[tuple[str, float]] = ()
) -> Unrecognised:
    """A number that neither name nor amount confirms is no payer; a person sees both, whom the number names first."""
    if referred:
        why = f"{why}, and the amount does not confirm the number of {', '.join(referred)}"
    like = [(account, score) for account, score in nearest if _is_like(name, directory.plain_names[account], score)]
    meant = [_meant(name, directory.plain_names.get(one, ""), one) for one in referred]
    return Unrecognised(_candidates([*meant, *_as_candidates(like)]), why)


def _meant(name: str, other: str, account: str) -> tuple[str, int, str]:
    if len(name) >= NAME_MIN and _is_like(name, other, fuzz.ratio(name, other)):
        return account, FULL + 2, f"{REFERENCES}, {NAME}"
    return account, FULL + 1, REFERENCES


def _is_like(name: str, other: str, score: float) -> bool:
    words, others = set(name.split()), set(other.split())
    return score >= LIKE_MIN or (bool(others) and (words <= others or others <= words))


def _nearest(name: str, directory: Directory) -> list[tuple[str, float]]:
    """Accounts by likeness of whole names: likeness of parts would make `Acme` every Acme there is."""
    found = process.extract(name, directory.plain_names, scorer=fuzz.ratio, limit=CANDIDATES_MAX)
    return sorted(((account, score) for _, score, account in found), key=lambda pair: (-pair[1], pair[0]))


def _as_candidates(nearest: Sequence[tuple[str, float]]) -> list[tuple[str, int, str]]:
    return [(account, int(score), NAME) for account, score in nearest]


def _candidates(found: Iterable[tuple[str, int, str]]) -> tuple[Candidate, ...]:
    best: dict[str, Candidate] = {}
    for account, score, why in sorted(found, key=lambda one: (-one[1], one[0])):
        best.setdefault(account, Candidate(account, score, why))
    return _cut(best.values())


def _cut(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Names alone fill up what the others leave; no other candidate is left out for them."""
    ordered = list(candidates)
    sure = [one for one in ordered if one.why != NAME]
    names = [one for one in ordered if one.why == NAME]
    return (*sure, *names[: max(CANDIDATES_MAX - len(sure), 0)])


# --- their own numbers ----------------------------------------------------------------------------------------------------


def numbers_in(payment: Payment) -> tuple[str, ...]:
    """Whole words that may be the number of an account, as written and in capitals or small letters throughout."""
    texts = (payment.text, payment.reference, payment.end_to_end)
    spaced = [word.strip(".-/'\"#") for text in texts for word in _SPACED.findall(text)]
    words = dict.fromkeys(part for word in spaced for part in (word, *_WORD.findall(word)) if _may_be_number(part))
    return tuple(dict.fromkeys(form for word in list(words)[:WORDS_MAX] for form in (word, word.upper(), word.lower())))


def _may_be_number(word: str) -> bool:
    return len(word) >= (DIGITS_MIN if word.isdecimal() else NUMBER_MIN)


def with_numbered(found: Unrecognised, payment: Payment, directory: Directory) -> Unrecognised:
    """Accounts whose own number the payment bears come first."""
    others = {one.account: one for one in found.candidates}
    own = dict.fromkeys(word for word in numbers_in(payment) if word in directory.numbered)
    first = [Candidate(each, FULL, f"{NUMBER}, {others[each].why}" if each in others else NUMBER) for each in own]
    return Unrecognised(_cut([*first, *(one for account, one in others.items() if account not in own)]), found.why)
