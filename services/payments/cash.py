"""Cash on an account: received, allocated to items with its evidence, taken back, kept, given away (P6, P7). Pure.

A match counts whole or not at all, whoever found it: the service itself and a person send the same command, and both are
checked here against the items as they are now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from msgspec.structs import replace

from contracts.message import Fact, Message
from contracts.payments import (
    AllocateCash,
    CashAllocated,
    CashConfirmed,
    CashGivenBack,
    CashKeptOnAccount,
    CashReceived,
    CashReferred,
    CashRetried,
    CashTaken,
    CashUnallocated,
    CashWithdrawn,
    ConfirmCash,
    ForgetPayer,
    GiveBackCash,
    ItemPosted,
    KeepOnAccount,
    PayerLearned,
    Posting,
    ReceiveCash,
    ReferCash,
    RetryCash,
    Settle,
    ShortPaid,
    TakeBackCash,
    TakeCash,
    UnallocateCash,
    UndoMatch,
    WithdrawCash,
)
from services.payments import ledger
from services.payments.items import item_of, open_day, settled
from services.payments.matching.settling import share_minor
from services.payments.policies import Policy, in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import (
    DEBIT_NOTE,
    DEBTS,
    DONE,
    GONE,
    ON_ACCOUNT,
    PENDING,
    RECEIPT,
    Item,
    Match,
    Receipt,
    State,
    alias_of,
    home_of_bank,
    short,
    taught,
    withdrawn_note_of,
)
from shared.service import Moment, To

OURSELVES = "payments"
"""Whose match this is when a timer found it; what does not fit any more by then waits for a person."""
NAME_ALIAS_MIN = 6
"""Letters of a payer's name that may be learned as an alias: shorter ones are shared by too many."""


# --- received -------------------------------------------------------------------------------------------------------


def receive(state: State, wish: ReceiveCash, moment: Moment) -> Iterable[Message | To]:
    """It counts against exposure at once, as an unallocated item of its own (F1)."""
    if state.receipt is not None:
        return unneeded(wish.account, wish.receipt)
    account = state.accounts.get(wish.account)
    if account is None or not account.home:
        return [_to_suspense(wish, f"no account {wish.account!r} is known to the ledger; look for its right name")]
    if account.home != moment.home:
        return [_to_suspense(wish, f"{wish.account} is of the group {account.home}, not of {moment.home}; say so with it")]
    return list(_received(state, wish, moment))


def _to_suspense(cash: ReceiveCash | Receipt, reason: str) -> To:
    back = TakeBackCash(
        bank_account=cash.bank_account,
        entry=cash.bank_entry,
        receipt=cash.receipt,
        from_account=cash.account,
        reason=reason,
    )
    return To(home_of_bank(cash.bank_account), back)


def _received(state: State, wish: ReceiveCash, moment: Moment) -> Iterator[Fact]:
    yield CashReceived(
        account=wish.account,
        receipt=wish.receipt,
        amount_minor=wish.amount_minor,
        currency=wish.currency,
        received_on=wish.received_on,
        bank_account=wish.bank_account,
        bank_entry=wish.bank_entry,
        payer=wish.payer,
        payer_account=wish.payer_account,
        reference=wish.reference,
        end_to_end=wish.end_to_end,
        text=wish.text,
        lines=wish.lines,
        charges_minor=wish.charges_minor,
        is_provisional=wish.is_provisional,
        by=wish.by,
    )
    base = in_force(moment.at.date()).base_of(wish.amount_minor, wish.currency)
    on, name = open_day(state, wish.received_on), short("E", wish.receipt)
    yield ItemPosted(
        account=wish.account,
        item=wish.receipt,
        kind=RECEIPT,
        amount_minor=-wish.amount_minor,
        currency=wish.currency,
        document_on=wish.received_on,
        due_on=wish.received_on,
        base_minor=-base,
        entry=name,
    )
    lines = ledger.pair(ledger.TRANSIT, ledger.RECEIVABLES, wish.amount_minor, wish.currency, base, wish.receipt)
    yield ledger.entry(wish.account, name, RECEIPT, on, lines)
    if wish.learned and state.alias is None:
        yield from _learned(wish, moment)


def _learned(wish: ReceiveCash, moment: Moment) -> Iterator[Fact]:
    """What a person's choice teaches: the payer's bank account, else its name where that is long enough to mean one."""
    kind, value = taught(wish.payer_account, wish.payer)
    if value and (kind == "bank_account" or len(value) >= NAME_ALIAS_MIN):
        alias = alias_of(wish.account, kind, value)
        yield PayerLearned(account=wish.account, alias=alias, kind=kind, value=value, by=moment.actor, receipt=wish.receipt)


def confirm(state: State, wish: ConfirmCash, moment: Moment) -> Iterable[Fact]:
    """Nothing of what it may be for changes by it, so its version stays."""
    receipt = mine(state, wish)
    if receipt is None or not receipt.is_provisional:
        return unneeded(wish.account, wish.receipt)
    return [CashConfirmed(account=wish.account, receipt=wish.receipt)]


# --- allocated ------------------------------------------------------------------------------------------------------


def allocate(state: State, wish: AllocateCash, moment: Moment) -> Iterable[Fact]:
    """Settle the items named, all of them or none."""
    receipt = mine(state, wish)
    if receipt is None:
        return _unknown(wish.account, wish.receipt)
    policy = in_force(moment.at.date())
    refusal = _changed(receipt, wish.version) or _no_advice(state, wish) or _unfit(state, receipt, wish.lines, policy, moment)
    if refusal is None:
        return list(_allocated(state, receipt, wish, moment))
    if moment.actor == OURSELVES:
        return refer(state, ReferCash(account=wish.account, receipt=wish.receipt, why=refusal.detail), moment)
    return refusal.of(wish.account, wish.receipt)


class _OfReceipt(Protocol):
    @property
    def account(self) -> str: ...


def mine(state: State, wish: _OfReceipt) -> Receipt | None:
    """The receipt, if it is the account's that was named: another account's lies in another stream, and is written only there."""
    return state.receipt if state.receipt is not None and state.receipt.account == wish.account else None


def _unknown(account: str, receipt: str) -> list[Fact]:
    return Refusal("unknown_receipt", f"{account} has no receipt {receipt!r}").of(account, receipt)


def _changed(receipt: Receipt, version: int | None) -> Refusal | None:
    if receipt.state == GONE:
        return Refusal("gone", "this receipt was given back or withdrawn; there is nothing to allocate")
    return stale(receipt, version)


def stale(receipt: Receipt, version: int | None) -> Refusal | None:
    """Of two clerks who work on one receipt the second is told."""
    if version is None or version == receipt.version:
        return None
    detail = "somebody else has worked on this receipt since you looked at it; look again, and decide on what is so now"
    return Refusal("changed_meanwhile", detail)


def _no_advice(state: State, wish: AllocateCash) -> Refusal | None:
    if wish.advice is None or (state.advice is not None and state.advice.account == wish.account):
        return None
    return Refusal("unknown_advice", f"{wish.account} has no advice {wish.advice!r}; leave it out")


def _unfit(state: State, receipt: Receipt, lines: tuple[Settle, ...], policy: Policy, moment: Moment) -> Refusal | None:
    """Why these lines are no match of this receipt: each line against its item, then all against the money."""
    if not lines:
        return Refusal("no_lines", "name at least one item, or keep the receipt on account")
    if len({line.item for line in lines}) < len(lines):
        return Refusal("item_twice", "an item stands on two lines; put them together")
    for line in lines:
        if refusal := _line_unfit(state.items.get(line.item), line, receipt, policy, moment):
            return refusal
    paid = sum(line.paid_minor for line in lines)
    if paid > receipt.unallocated_minor:
        detail = f"the lines take {paid}, of the receipt {receipt.unallocated_minor} are unallocated (minor units)"
        return Refusal("too_much", detail)
    if paid < 0:
        return Refusal("credits_only", "the lines take more credits than debts; offset the credits instead")
    return None


def _line_unfit(item: Item | None, line: Settle, receipt: Receipt, policy: Policy, moment: Moment) -> Refusal | None:
    if item is None or item.kind == RECEIPT or item.home != receipt.home:
        return Refusal("unknown_item", f"no item {line.item!r} of this account or its group is known")
    if item.account != (line.account or receipt.account):
        return Refusal("other_account", f"{item.item} is an item of {item.account}; say so on its line")
    if item.currency != receipt.currency:
        return Refusal("other_currency", f"{item.item} is in {item.currency}, the receipt in {receipt.currency}")
    if line.settled_minor != line.paid_minor + line.discount_minor + line.difference_minor:
        return Refusal("not_the_sum", f"{item.item}: settled must be paid + discount + difference")
    if not _within(line.settled_minor, item.open_minor) or not line.settled_minor:
        detail = f"{item.item}: {line.settled_minor} to be settled, {item.open_minor} {item.currency} open (minor units)"
        return Refusal("more_than_open", detail)
    return _not_given(item, line, receipt, policy, moment)


def _within(part_minor: int, whole_minor: int) -> bool:
    return 0 <= part_minor <= whole_minor if whole_minor >= 0 else whole_minor <= part_minor <= 0


def _not_given(item: Item, line: Settle, receipt: Receipt, policy: Policy, moment: Moment) -> Refusal | None:
    """What is given away of an item, with what earlier matches gave: its own discount; a difference that its sender may take."""
    discount, offered = item.discounted_minor + line.discount_minor, _offered_minor(item, receipt, policy)
    most = _rounded_up(offered)
    if line.discount_minor and not (_within(line.discount_minor, most) and _within(discount, most)):
        detail = f"{item.item}: a discount of {discount} in all, its terms give {offered} (minor units); the rest is a difference"
        return Refusal("no_discount", detail)
    difference, may_take = item.tolerated_minor + abs(line.difference_minor), _may_take(item, policy, moment)
    if line.difference_minor and difference > may_take:
        role = moment.role or moment.actor or "somebody without a role"
        detail = f"{item.item}: a difference of {difference} in all is beyond {role}; {may_take} at most ({policy.version})"
        return Refusal("beyond_authority", detail)
    return None


def _may_take(item: Item, policy: Policy, moment: Moment) -> int:
    """The largest difference; the service itself adds to an earlier one only within the item's tolerance."""
    limit = policy.takes.get(moment.role or moment.actor, 0)
    again = moment.actor == OURSELVES and item.tolerated_minor
    return min(limit, policy.tolerance.of(item.amount_minor)) if again else limit


def _offered_minor(item: Item, receipt: Receipt, policy: Policy) -> int:
    """The best discount that runs on the day of the cash, days of grace included, as the matching does; signed as the item."""
    grace = dt.timedelta(days=policy.discount_grace_days)
    running = [each.basis_points for each in item.discounts if receipt.received_on <= each.until_on + grace]
    return share_minor(item.amount_minor, max(running, default=0))


def _rounded_up(offered_minor: int) -> int:
    """Customers round a discount their own way."""
    return offered_minor + (offered_minor > 0) - (offered_minor < 0)


def _allocated(state: State, receipt: Receipt, wish: AllocateCash, moment: Moment) -> Iterator[Fact]:
    on = max(open_day(state, receipt.received_on), open_day(state, moment.at.date()))
    match = f"{receipt.receipt}/{receipt.matches + 1}"
    lines = tuple(_with_base(state.items, line) for line in wish.lines)
    paid = sum(line.paid_minor for line in lines)
    base = _base_of(state, receipt, paid)
    yield CashAllocated(
        account=receipt.account,
        receipt=receipt.receipt,
        match=match,
        lines=lines,
        proof=wish.proof,
        score=wish.score,
        allocated_minor=paid,
        unallocated_minor=receipt.unallocated_minor - paid,
        effective_on=on,
        base_minor=base,
        evidence=wish.evidence,
        rejected=wish.rejected,
        by=moment.actor,
        reason=wish.reason,
        advice=wish.advice,
    )
    yield from _settled(state, receipt, match, lines, base, 1)
    yield from _entries(receipt, match, lines, base, on, 1)
    yield from _short(state, receipt, match, lines, in_force(moment.at.date()))


def _with_base(items: Mapping[str, Item | None], line: Settle) -> Settle:
    item = items[line.item]
    assert item is not None
    return replace(line, base_minor=ledger.share(item.open_base_minor, line.settled_minor, item.open_minor))


def _base_of(state: State, receipt: Receipt, paid_minor: int) -> int:
    """What of the receipt's base amount goes with this part of it."""
    own = state.items[receipt.receipt]
    assert own is not None, "a receipt stands on its account as an item"
    return -ledger.share(own.open_base_minor, -paid_minor, own.open_minor) if paid_minor else 0


def _settled(state: State, receipt: Receipt, match: str, lines: tuple[Settle, ...], base_minor: int, sign: int) -> Iterator[Fact]:
    """Every item's own fact, and the receipt's; `sign` -1 takes it back."""
    for line in lines:
        yield settled(item_of(state, line.item), sign * line.settled_minor, sign * (line.base_minor or 0), match)
    if paid := sum(line.paid_minor for line in lines):
        yield settled(item_of(state, receipt.receipt), -sign * paid, -sign * base_minor, match)


def _entries(receipt: Receipt, match: str, lines: tuple[Settle, ...], base_minor: int, on: dt.date, sign: int) -> Iterator[Fact]:
    """The receipt's money against its items. What it paid for another account of the group goes through `group`."""
    paid = sum(line.paid_minor for line in lines)
    by_account: dict[str, list[Posting]] = {receipt.account: []}
    if paid:
        by_account[receipt.account].append(_line(ledger.RECEIVABLES, paid, receipt.currency, base_minor, receipt.receipt))
    for line in lines:
        by_account.setdefault(line.account or receipt.account, []).extend(_of_item(line, receipt.currency))
    yield from _balanced(by_account, receipt, match, on, sign)


def _line(account: str, amount_minor: int, currency: str, base_minor: int, item: str | None = None) -> Posting:
    return Posting(ledger=account, amount_minor=amount_minor, currency=currency, base_minor=base_minor, item=item)


def _of_item(line: Settle, currency: str) -> Iterator[Posting]:
    base = line.base_minor or 0
    yield _line(ledger.RECEIVABLES, -line.settled_minor, currency, -base, line.item)
    for account, amount in ((ledger.DISCOUNTS, line.discount_minor), (ledger.DIFFERENCES, line.difference_minor)):
        if amount:
            yield _line(account, amount, currency, ledger.share(base, amount, line.settled_minor))


def _balanced(by_account: Mapping[str, list[Posting]], receipt: Receipt, match: str, on: dt.date, sign: int) -> Iterator[Fact]:
    """Each account's entry sums to zero: what is left is another account's (`group`), and in base currency exchange (P1)."""
    others = {account: _left(lines) for account, lines in by_account.items() if account != receipt.account}
    for account, lines in by_account.items():
        if account in others:
            amount, base = others[account]
            mine = [*lines, _line(ledger.GROUP, -amount, receipt.currency, -base)]
        else:
            mine = [*lines, *(_line(ledger.GROUP, amount, receipt.currency, base) for amount, base in others.values())]
        if difference := sum(each.base_minor for each in mine):
            mine.append(_line(ledger.EXCHANGE, 0, receipt.currency, -difference))
        yield _entry_of(account, account in others, match, on, mine, sign)


def _entry_of(account: str, other: bool, match: str, on: dt.date, lines: list[Posting], sign: int) -> Fact:
    """The entry of a match, or the one that reverses it line by line."""
    parts = (match, account) if other else (match,)
    if sign > 0:
        return ledger.entry(account, short("M", *parts), "allocation", on, lines)
    back = ledger.reversed_lines(lines)
    return ledger.entry(account, short("U", *parts), "unallocation", on, back, reverses=short("M", *parts))


def _left(lines: Iterable[Posting]) -> tuple[int, int]:
    found = list(lines)
    return sum(line.amount_minor for line in found), sum(line.base_minor for line in found)


def _short(state: State, receipt: Receipt, match: str, lines: tuple[Settle, ...], policy: Policy) -> Iterator[Fact]:
    """What the payer held back of a debt, for the claims desk (C1)."""
    for line in lines:
        item = state.items[line.item]
        assert item is not None
        if line.residual_minor > 0 and item.kind in DEBTS:
            yield ShortPaid(
                account=item.account,
                item=item.item,
                receipt=receipt.receipt,
                match=match,
                short_minor=line.residual_minor,
                open_minor=item.open_minor - line.settled_minor,
                currency=item.currency,
                due_on=item.due_on,
                reason=line.reason,
                cause=cause_of(line.reason, policy),
            )


def cause_of(reason: str, policy: Policy) -> str:
    """The type of claim that a customer's own reason means (C1)."""
    said = reason.casefold()
    return next((kind for kind, words in policy.reasons.items() if any(word in said for word in words)), "other")


def refer(state: State, wish: ReferCash, moment: Moment) -> Iterable[Fact]:
    """The service itself is not sure enough: a person decides."""
    receipt = mine(state, wish)
    if receipt is None or receipt.state != PENDING:
        return unneeded(wish.account, wish.receipt)
    return [
        CashReferred(
            account=receipt.account,
            receipt=receipt.receipt,
            why=wish.why,
            unallocated_minor=receipt.unallocated_minor,
            proposals=wish.proposals,
            gave_up=wish.gave_up,
        )
    ]


def retry(state: State, wish: RetryCash, moment: Moment) -> Iterable[Fact]:
    receipt = mine(state, wish)
    if receipt is None or not (receipt.waiting_home or receipt.pending_home):
        return unneeded(wish.account, wish.receipt)
    return [CashRetried(account=receipt.account, receipt=receipt.receipt)]


# --- taken back -----------------------------------------------------------------------------------------------------


def unallocate(state: State, wish: UnallocateCash, moment: Moment) -> Iterable[Message | To]:
    """Two steps, because the second must name the items: the rows that it needs follow from the message alone."""
    match = state.match
    if match is None or match.account != wish.account:
        return Refusal("unknown_match", f"{wish.account} has no match {wish.match!r}").of(wish.account, wish.match)
    if match.taken_back:
        return unneeded(wish.account, wish.match)
    if refusal := not_reasoned(wish.reason):
        return refusal.of(wish.account, wish.match)
    return [_undo(match, wish.reason, version=wish.version)]


def _undo(match: Match, reason: str, withdraw: bool = False, version: int | None = None) -> Message:
    return UndoMatch(
        account=match.account,
        receipt=match.receipt,
        match=match.match,
        lines=match.lines,
        reason=reason,
        withdraw=withdraw,
        advice=match.advice,
        version=version,
    )


def undo(state: State, wish: UndoMatch, moment: Moment) -> Iterable[Message | To]:
    receipt = mine(state, wish)
    if state.match is None or receipt is None:
        return unneeded(wish.account, wish.match)
    if state.match.taken_back:  # by somebody else since the first step: what was to follow still follows
        return (
            [WithdrawCash(account=wish.account, receipt=wish.receipt, reason=wish.reason)]
            if wish.withdraw
            else unneeded(wish.account, wish.match)
        )
    if refusal := stale(receipt, wish.version):
        return refusal.of(wish.account, wish.match)
    return list(_undone(state, receipt, state.match, wish, moment))


def _undone(state: State, receipt: Receipt, match: Match, wish: UndoMatch, moment: Moment) -> Iterator[Message | To]:
    on = open_day(state, moment.at.date())
    yield CashUnallocated(
        account=match.account,
        receipt=receipt.receipt,
        match=match.match,
        lines=match.lines,
        unallocated_minor=receipt.unallocated_minor + match.allocated_minor,
        effective_on=on,
        reason=wish.reason,
        by=moment.actor,
        advice=match.advice,
    )
    yield from _settled(state, receipt, match.match, match.lines, match.base_minor, -1)
    yield from _entries(receipt, match.match, match.lines, match.base_minor, on, -1)
    if wish.withdraw:
        yield WithdrawCash(account=receipt.account, receipt=receipt.receipt, reason=wish.reason)


def withdraw(state: State, wish: WithdrawCash, moment: Moment) -> Iterable[Message | To]:
    """The bank took it back: its matches go first, one after the other, then the receipt itself."""
    receipt = mine(state, wish)
    if receipt is None or receipt.state == GONE or receipt.bank_account == ledger.CARDS:
        return unneeded(wish.account, wish.receipt)
    if receipt.standing:
        if state.match is None or state.match.match not in receipt.standing:
            return [replace(wish, match=receipt.standing[0])]
        return [_undo(state.match, wish.reason, withdraw=True)]
    return list(_withdrawn(state, receipt, wish, moment))


def _withdrawn(state: State, receipt: Receipt, wish: WithdrawCash, moment: Moment) -> Iterator[Fact]:
    yield CashWithdrawn(
        account=receipt.account,
        receipt=receipt.receipt,
        amount_minor=receipt.unallocated_minor,
        currency=receipt.currency,
        reason=wish.reason,
    )
    yield from _out(state, receipt, "withdrawn", ledger.TRANSIT, moment)
    yield from _owed(state, receipt, moment)


def _owed(state: State, receipt: Receipt, moment: Moment) -> Iterator[Fact]:
    """What of a receipt that the bank took back was paid back or written back before: the account owes it now."""
    own = item_of(state, receipt.receipt)
    owed, base = own.open_minor - own.amount_minor, own.open_base_minor - own.base_minor
    if not owed:
        return
    on, item = open_day(state, moment.at.date()), withdrawn_note_of(receipt.receipt)
    name = short("WD", receipt.receipt)
    yield ItemPosted(
        account=receipt.account,
        item=item,
        kind=DEBIT_NOTE,
        amount_minor=owed,
        currency=receipt.currency,
        document_on=on,
        due_on=on,
        base_minor=base,
        entry=name,
    )
    lines = ledger.pair(ledger.RECEIVABLES, ledger.TRANSIT, owed, receipt.currency, base, item)
    yield ledger.entry(receipt.account, name, "withdrawn", on, lines)


def _out(state: State, receipt: Receipt, kind: str, to: str, moment: Moment) -> Iterator[Fact]:
    """All that is unallocated of a receipt leaves the account."""
    own = state.items[receipt.receipt]
    assert own is not None
    name = short(kind[0].upper(), receipt.receipt)
    yield settled(own, own.open_minor, own.open_base_minor, name)
    lines = ledger.pair(ledger.RECEIVABLES, to, -own.open_minor, own.currency, -own.open_base_minor, receipt.receipt)
    yield ledger.entry(receipt.account, name, kind, open_day(state, moment.at.date()), lines)


def give_back(state: State, wish: GiveBackCash, moment: Moment) -> Iterable[Message | To]:
    """It is somebody else's money: back to suspense, whole."""
    receipt = mine(state, wish)
    if receipt is None:
        return _unknown(wish.account, wish.receipt)
    if receipt.state == GONE:
        return unneeded(wish.account, wish.receipt)
    if refusal := not_reasoned(wish.reason) or stale(receipt, wish.version) or _in_use(receipt):
        return refusal.of(wish.account, wish.receipt)
    return list(_given_back(state, receipt, wish, moment))


def _in_use(receipt: Receipt) -> Refusal | None:
    if receipt.bank_account == ledger.CARDS:
        return Refusal("card_money", "no bank entry stands behind a card payment; refund it to its card")
    if not receipt.standing and receipt.unallocated_minor == receipt.amount_minor:
        return None
    detail = "part of it is allocated, refunded or written back; take that back first, then give it back whole"
    return Refusal("allocated", detail)


def _given_back(state: State, receipt: Receipt, wish: GiveBackCash, moment: Moment) -> Iterator[Message | To]:
    yield CashGivenBack(
        account=receipt.account,
        receipt=receipt.receipt,
        amount_minor=receipt.amount_minor,
        currency=receipt.currency,
        bank_account=receipt.bank_account,
        bank_entry=receipt.bank_entry,
        reason=wish.reason,
        by=moment.actor,
    )
    yield from _out(state, receipt, "given_back", ledger.TRANSIT, moment)
    if receipt.taught:
        yield ForgetPayer(account=receipt.account, alias=receipt.taught, reason=wish.reason)
    yield _to_suspense(receipt, wish.reason)


# --- at the desk ----------------------------------------------------------------------------------------------------


def keep(state: State, wish: KeepOnAccount, moment: Moment) -> Iterable[Fact]:
    receipt = mine(state, wish)
    if receipt is None:
        return _unknown(wish.account, wish.receipt)
    if receipt.state == ON_ACCOUNT:
        return unneeded(wish.account, wish.receipt)
    if receipt.state == DONE:
        return Refusal("allocated", "all of it is allocated; there is nothing to keep").of(wish.account, wish.receipt)
    if refusal := not_reasoned(wish.reason) or _changed(receipt, wish.version):
        return refusal.of(wish.account, wish.receipt)
    return [
        CashKeptOnAccount(
            account=receipt.account,
            receipt=receipt.receipt,
            unallocated_minor=receipt.unallocated_minor,
            reason=wish.reason,
            by=moment.actor,
        )
    ]


def take(state: State, wish: TakeCash, moment: Moment) -> Iterable[Fact]:
    receipt = mine(state, wish)
    if receipt is None:
        return _unknown(wish.account, wish.receipt)
    if receipt.owner == wish.owner and not wish.note:
        return unneeded(wish.account, wish.receipt)
    return [CashTaken(account=wish.account, receipt=wish.receipt, owner=wish.owner, note=wish.note, by=moment.actor)]
