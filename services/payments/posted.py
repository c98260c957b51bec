"""Documents of the ERP, where it keeps the book (P1): taken once, whole or not at all, as the ERP has them. Pure.

A document that answers a request closes it; one that answers none is taken as it is. What does not fit what we hold (an item
that is unknown, more than is open) is refused visibly and may come again: nothing is bent to fit, the difference list shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from contracts.envelope import encode_value
from contracts.message import Fact, Message
from contracts.payments import (
    AskedLine,
    Clears,
    EntryPosted,
    ItemPosted,
    Opens,
    Posting,
    PostingTaken,
    TakeBackPosting,
    TakePosting,
    posting_of,
)
from services.payments import ledger
from services.payments.items import item_of, open_day, settled
from services.payments.mirror import closing, entity_of
from services.payments.policies import Policy, in_force
from services.payments.refusal import Refusal, unneeded
from services.payments.state import (
    ANSWERED,
    DEBITS_AND_CREDITS,
    DEBTS,
    GONE,
    OPEN,
    RECEIPT,
    Item,
    Posted,
    State,
    names_of,
    short,
    withdrawn_note_of,
)
from shared.service import Moment

KIND = "erp_posting"
Known = TakePosting | TakeBackPosting


# --- taken ----------------------------------------------------------------------------------------------------------


def take(state: State, wish: TakePosting, moment: Moment) -> Iterable[Message]:
    """Once for ever; the same document with other content is refused."""
    posting, digest = posting_of(wish.company_code, wish.document, wish.account), digest_of(wish)
    if (known := state.postings.get(posting)) is not None:
        return unneeded(wish.account, posting) if known.digest == digest else _other(wish, posting)
    policy = in_force(moment.at.date())
    refusal = _not_theirs(state, wish, moment) or _shapeless(wish)
    if refusal is None and wish.reverses:
        return _reversing(state, wish, posting, digest)
    named = replace(wish, clears=tuple(_as_ours(state, wish, line) for line in wish.clears))
    refusal = refusal or _unfit(state, named, policy)
    if refusal:
        return refusal.of(wish.account, posting)
    return list(_taken(state, named, digest, moment))


def digest_of(wish: TakePosting) -> str:
    return hashlib.sha256(encode_value(wish)).hexdigest()


def _other(wish: TakePosting, posting: str) -> list[Fact]:
    detail = f"document {wish.document} of {wish.company_code} came before with other content; a document is never changed"
    return Refusal("other_content", detail).of(wish.account, posting)


def _not_theirs(state: State, wish: Known, moment: Moment) -> Refusal | None:
    """Only the ERP that keeps an account's book posts to it."""
    others = (*(line.account for line in wish.opens), *(line.account for line in wish.clears))
    for account in dict.fromkeys((wish.account, *(other for other in others if other))):
        entity, row = entity_of(state, account, moment.at.date()), state.accounts.get(account)
        if entity is None:
            return Refusal("book_here", f"the book of {account} is kept here; send it as an item, or name its legal entity")
        if entity.company_code != wish.company_code:
            return Refusal("other_company", f"{account} is of company code {entity.company_code}, not {wish.company_code}")
        if row is None or row.home != moment.home:
            return Refusal("other_group", f"{account} is not of the group {moment.home}; send its part as a document of its own")
    return None


def _shapeless(wish: TakePosting) -> Refusal | None:
    lines = (*wish.opens, *wish.clears)
    if bool(lines) is bool(wish.reverses):
        return Refusal("no_lines", "a document opens or clears items, or it reverses a document; send one of these")
    if len({line.item for line in wish.clears}) < len(wish.clears) or len({line.item for line in wish.opens}) < len(wish.opens):
        return Refusal("item_twice", "an item stands on two lines; put them together")
    return None


def _as_ours(state: State, wish: Known, line: Clears) -> Clears:
    """The line under the name that its item has here."""
    item = _found(state, wish, line)
    return replace(line, item=item.item) if item is not None else line


def _found(state: State, wish: Known, line: Opens | Clears) -> Item | None:
    """By its number; else a receipt of ours by the id that the ERP was given for it."""
    own = (state.items.get(name) for name in names_of(line))
    mine = [item for item in own if item is not None and item.account == (line.account or wish.account)]
    return next((item for item in mine if item.item == line.item or item.kind == RECEIPT), None)


def _unfit(state: State, wish: TakePosting, policy: Policy) -> Refusal | None:
    for opened in wish.opens:
        if refusal := _not_openable(state, wish, opened, policy):
            return refusal
    if len({line.item for line in wish.clears}) < len(wish.clears):
        return Refusal("item_twice", "two lines mean one item here; put them together")
    for line in wish.clears:
        if refusal := _not_clearable(state, wish, line):
            return refusal
    return None


def _not_openable(state: State, wish: TakePosting, line: Opens, policy: Policy) -> Refusal | None:
    if line.kind not in (*DEBITS_AND_CREDITS, RECEIPT):
        return Refusal("unknown_kind", f"{line.item}: {line.kind!r} is no kind of item")
    if not line.amount_minor or (line.amount_minor > 0) is not (line.kind in DEBTS):
        return Refusal("wrong_sign", f"{line.item}: a {line.kind} of {line.amount_minor}; debts are positive, credits negative")
    if line.base_minor is None and not policy.has_rate(line.currency):
        return Refusal("no_rate", f"{line.item}: no rate for {line.currency} in {policy.version}; send base_minor with it")
    found = _found(state, wish, line) or state.items.get(line.item)
    if found is None or _is_same(found, wish, line):
        return None
    return Refusal("other_content", f"{line.item} is known as a {found.kind} of {found.account} over {found.amount_minor}")


def _is_same(item: Item, wish: Known, line: Opens) -> bool:
    """The item that this line would open is here already: its bill came before, or it is cash that the bank told us of."""
    if item.account != (line.account or wish.account) or item.currency != line.currency:
        return False
    return item.kind == line.kind and (item.kind == RECEIPT or item.amount_minor == line.amount_minor)


def _not_clearable(state: State, wish: Known, line: Clears) -> Refusal | None:
    item = _found(state, wish, line)
    if item is None:
        return Refusal("unknown_item", f"{line.item} is not known here; send the document that opened it first")
    if item.currency != line.currency:
        return Refusal("other_currency", f"{line.item} is in {item.currency}, the document says {line.currency}")
    return _beyond(item, line.settled_minor)


def _beyond(item: Item, settled_minor: int) -> Refusal | None:
    """An item is never open beyond nothing nor beyond its amount."""
    sign = 1 if item.amount_minor >= 0 else -1
    if settled_minor and 0 <= sign * (item.open_minor - settled_minor) <= sign * item.amount_minor:
        return None
    detail = (
        f"{item.item}: {settled_minor} to be cleared, {item.open_minor} of {item.amount_minor} {item.currency} open (minor units)"
    )
    return Refusal("more_than_open", detail)


def _taken(state: State, wish: TakePosting, digest: str, moment: Moment) -> Iterator[Message]:
    policy = in_force(moment.at.date())
    opens = tuple(_with_base(line, policy) for line in wish.opens if _found(state, wish, line) is None)
    clears = tuple(replace(line, base_minor=_share(item_of(state, line.item), line.settled_minor)) for line in wish.clears)
    yield from _said(state, replace(wish, opens=opens, clears=clears), None, digest)
    posting = posting_of(wish.company_code, wish.document, wish.account)
    for line in opens:
        yield _posted(line, wish, posting)
    for each in clears:
        yield settled(item_of(state, each.item), each.settled_minor, each.base_minor or 0, posting)
    yield from _entries(state, wish, opens, clears, 1, posting)
    yield from _answering(state, wish)


def _with_base(line: Opens, policy: Policy) -> Opens:
    base = line.base_minor if line.base_minor is not None else policy.base_of(line.amount_minor, line.currency)
    return replace(line, base_minor=base)


def _share(item: Item, settled_minor: int) -> int:
    return ledger.share(item.open_base_minor, settled_minor, item.open_minor)


def _posted(line: Opens, wish: TakePosting, posting: str) -> ItemPosted:
    return ItemPosted(
        account=line.account or wish.account,
        item=line.item,
        kind=line.kind,
        amount_minor=line.amount_minor,
        currency=line.currency,
        document_on=line.document_on,
        due_on=line.due_on or line.document_on,
        base_minor=line.base_minor,
        reference=line.reference,
        entry=short("B", posting),
        posting=posting,
    )


def _said(state: State, wish: Known, reverses: str | None, digest: str) -> Iterator[Fact]:
    yield PostingTaken(
        account=wish.account,
        posting=posting_of(wish.company_code, wish.document, wish.account),
        company_code=wish.company_code,
        document=wish.document,
        posted_on=wish.posted_on,
        digest=digest,
        opens=wish.opens,
        clears=wish.clears,
        reverses=reverses,
        answers=wish.answers if _answers(state, wish) else None,
        gave=wish.gave if isinstance(wish, TakeBackPosting) else _gave(state, wish),
        text=wish.text,
    )


def _gave(state: State, wish: TakePosting) -> tuple[AskedLine, ...]:
    if state.request is None or not _answers(state, wish):
        return ()
    return tuple(line for line in state.request.lines if line.discount_minor or line.difference_minor)


def _answers(state: State, wish: Known) -> bool:
    """A request is answered once; a reference that names none is just a reference."""
    return state.request is not None and state.request.state == OPEN and state.request.account == wish.account


def _answering(state: State, wish: Known) -> Iterator[Message]:
    if _answers(state, wish):
        assert state.request is not None
        yield closing(state.request, ANSWERED)


# --- the entries ----------------------------------------------------------------------------------------------------


def _entries(
    state: State, wish: Known, opens: Sequence[Opens], clears: Sequence[Clears], sign: int, posting: str
) -> Iterator[EntryPosted]:
    """An entry per account: what its items moved by, and the other side, which the ERP keeps (P1)."""
    moved: dict[str, list[Posting]] = {}
    for line in (*(_opening(each, sign) for each in opens), *(_clearing(each, sign) for each in clears)):
        moved.setdefault(line[0] or wish.account, []).append(line[1])
    on = open_day(state, wish.posted_on)
    for account, lines in moved.items():
        name = short("B", posting) if account == wish.account else short("B", posting, account)
        yield ledger.entry(account, name, KIND, on, [*lines, *_other_side(lines)], text=wish.text)


def _opening(line: Opens, sign: int) -> tuple[str | None, Posting]:
    return line.account, _line(line.item, sign * line.amount_minor, line.currency, sign * (line.base_minor or 0))


def _clearing(line: Clears, sign: int) -> tuple[str | None, Posting]:
    return line.account, _line(line.item, -sign * line.settled_minor, line.currency, -sign * (line.base_minor or 0))


def _line(item: str, amount_minor: int, currency: str, base_minor: int) -> Posting:
    return Posting(ledger=ledger.RECEIVABLES, amount_minor=amount_minor, currency=currency, base_minor=base_minor, item=item)


def _other_side(lines: Sequence[Posting]) -> Iterator[Posting]:
    for currency in dict.fromkeys(line.currency for line in lines):
        mine = [line for line in lines if line.currency == currency]
        amount, base = sum(line.amount_minor for line in mine), sum(line.base_minor for line in mine)
        yield Posting(ledger=ledger.ERP, amount_minor=-amount, currency=currency, base_minor=-base)


# --- reversed -------------------------------------------------------------------------------------------------------


def _reversing(state: State, wish: TakePosting, posting: str, digest: str) -> Iterable[Message]:
    """Two steps, because the second must name the items."""
    before = state.postings.get(posting_of(wish.company_code, wish.reverses or "", wish.account))
    if refusal := _not_reversible(before, wish.reverses or ""):
        return refusal.of(wish.account, posting)
    assert before is not None, "what is reversible is known"
    return [
        TakeBackPosting(
            account=wish.account,
            company_code=wish.company_code,
            document=wish.document,
            posted_on=wish.posted_on,
            digest=digest,
            reverses=before.posting,
            opens=before.opens,
            clears=before.clears,
            gave=before.gave,
            answers=wish.answers,
            text=wish.text,
        )
    ]


def _not_reversible(before: Posted | None, document: str) -> Refusal | None:
    if before is None:
        return Refusal("unknown_document", f"document {document} did not come here; send it before what reverses it")
    if before.reversed_by:
        return Refusal("reversed", f"document {document} was reversed already by {before.reversed_by}")
    return None


def take_back(state: State, wish: TakeBackPosting, moment: Moment) -> Iterable[Message]:
    posting = posting_of(wish.company_code, wish.document, wish.account)
    if state.postings.get(posting) is not None:
        return unneeded(wish.account, posting)
    refusal = _not_reversible(state.postings.get(wish.reverses), wish.reverses) or _not_theirs(state, wish, moment)
    named = replace(wish, clears=tuple(_standing_in(state, line) for line in wish.clears))
    refusal = refusal or _in_use(state, named)
    if refusal:
        return refusal.of(wish.account, posting)
    return list(_taken_back(state, named, posting))


def _standing_in(state: State, line: Clears) -> Clears:
    """A receipt that the bank took back after it was cleared left a debit note: that goes, instead of the receipt coming back."""
    receipt = state.receipts.get(line.item)
    if receipt is None or receipt.state != GONE:
        return line
    return replace(line, item=withdrawn_note_of(line.item))


def _in_use(state: State, wish: TakeBackPosting) -> Refusal | None:
    for line in wish.opens:
        item = state.items.get(line.item)
        if item is None or item.open_minor != item.amount_minor:
            return Refusal("cleared", f"{line.item} is cleared in part or whole; its clearing document is reversed first")
    for cleared in wish.clears:
        item = state.items.get(cleared.item)
        if item is None:
            return Refusal("unknown_item", f"{cleared.item} is not known here any more")
        if refusal := _beyond(item, -cleared.settled_minor):
            return refusal
    return None


def _taken_back(state: State, wish: TakeBackPosting, posting: str) -> Iterator[Message]:
    clears = tuple(_exactly(state, line) for line in wish.clears)
    yield from _said(state, replace(wish, clears=clears), wish.reverses, wish.digest)
    for line in wish.opens:
        item = item_of(state, line.item)
        yield settled(item, item.open_minor, item.open_base_minor, posting)
    for each in clears:
        yield settled(item_of(state, each.item), -each.settled_minor, -(each.base_minor or 0), posting)
    yield from _entries(state, wish, wish.opens, clears, -1, posting)
    yield from _answering(state, wish)


def _exactly(state: State, line: Clears) -> Clears:
    """A debit note that stands in for a receipt goes with its own base amount."""
    item = item_of(state, line.item)
    if not item.open_minor or (item.open_minor > 0) is (line.settled_minor > 0):
        return line
    return replace(line, base_minor=-_share(item, -line.settled_minor))
