"""Where a matcher is put in: one function from a ledger and a payment to an answer. This is the only file that may know one.

`exact_reference_only` is the honest least that anybody does; it stands here so that generator and judge run by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from services.payments.matching import values
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.lookup import key_of, keys_in
from services.payments.matching.match import match_in
from services.payments.matching.mentions import mentions
from services.payments.matching.payer import Directory, Payer, Recognised, recognise
from services.payments.policies import in_force
from services.payments.settling import rules_of
from services.payments.state import Account
from tests.quality.border import Answer, Item, Payment
from tests.quality.ledger import Ledger

Matcher = Callable[[Ledger, Payment], Answer]
_TOKEN = re.compile(r"[A-Z0-9][A-Z0-9-]{5,}")


def exact_reference_only(ledger: Ledger, payment: Payment) -> Answer:
    """Whole numbers in the text or the RF reference, of open items whose sum is the payment to the penny; else a person."""
    words = {*_TOKEN.findall("".join(payment.text).upper()), payment.reference or ""}
    found = {item.id: item for word in words for item in ledger.items_by_number(word) if item.open_minor}
    items = sorted(found.values())
    if not items or sum(item.open_minor for item in items) != payment.amount_minor:
        return Answer(None)
    return Answer(items[0].account, tuple((item.id, item.open_minor) for item in items))


class House:
    """The ledger's own way from a payment to an answer, without its database: what is named is found by key, the payer by the
    directory, the items of its group by the ledger. `recognising.py` and `settling.py` do the same by SQL; what differs:

    - they first match with the named items alone, and believe only what nothing else could change; here all items come at once;
    - names are compared with accounts that share a word with them, here with all;
    - they read at most so many items a number and a group; nobody here has as many;
    - an advice may come before its payment, names are remembered, bank accounts are confirmed: here each payment brings its own.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._changes = ledger, -1
        self._payers: tuple[object, ...] = ()
        self._directory = Directory(())
        self._by_key: dict[str, set[str]] = {}
        self._known: set[str] = set()

    def answer(self, payment: Payment) -> Answer:
        self._catch_up()
        asked = _asked(payment)
        named = [item for item in self._named(asked) if item.open_minor > 0]
        rules = rules_of(Account(account=""), in_force(payment.received_on))
        index = LedgerIndex([_open(item) for item in named])
        found = recognise(asked, self._directory, rules, mentions(asked, index, rules, self._directory.group_of))
        if not isinstance(found, Recognised):
            return Answer(None)
        return self._matched(asked, found, rules)

    def _catch_up(self) -> None:
        if self._ledger.changes == self._changes:
            return
        payers = self._ledger.payers()
        if payers != self._payers:
            self._payers = payers
            parents = {account.id: account.parent for account in self._ledger.accounts()}
            self._directory = Directory(
                Payer(account=each.account, name=each.name, bank_accounts=each.ibans, home=parents[each.account] or each.account)
                for each in payers
            )
        for account in self._ledger.changed_since(max(self._changes, 0)):
            for item in self._ledger.open_items(account):
                if item.id not in self._known:
                    self._known.add(item.id)
                    self._by_key.setdefault(key_of(item.number), set()).add(item.id)
        self._changes = self._ledger.changes

    def _named(self, asked: values.Payment) -> list[Item]:
        keys = {*keys_in(asked.text, asked.reference), *(key_of(line.reference) for line in asked.lines)}
        names = {name for key in keys if key for name in self._by_key.get(key, ())}
        referred = self._ledger.items_by_number(asked.reference) if asked.reference else ()
        return [*(self._ledger.item(name) for name in sorted(names)), *(one for one in referred if one.id not in names)]

    def _matched(self, asked: values.Payment, found: Recognised, rules: values.Rules) -> Answer:
        group = self._directory.members(found.account)
        accounts = None if found.account == self._directory.group_of(found.account) else frozenset((found.account,))
        items = [item for account in group for item in self._ledger.open_items(account)]
        settled = {
            item.number: values.Settled(abs(item.original_minor), item.currency, item.account, item.reference or "")
            for item in self._named(asked)
            if not item.open_minor and item.account in group
        }
        ids = {item.number: item.id for item in items}
        outcome = match_in(LedgerIndex([_open(item) for item in items], settled), asked, rules, accounts)
        if not isinstance(outcome, values.Match):
            return Answer(found.account)
        return Answer(found.account, tuple((ids[line.item], line.paid_minor) for line in outcome.lines if line.paid_minor))


def _asked(payment: Payment) -> values.Payment:
    return values.Payment(
        receipt=payment.id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        received_on=payment.received_on,
        text="\n".join(payment.text),
        reference=payment.reference or "",
        payer=payment.payer_name,
        payer_account=payment.payer_iban or "",
        lines=tuple(
            values.AdviceLine(line.number, line.paid_minor, line.deduction_minor, line.discount_minor, line.reason or "")
            for line in payment.advice
        ),
    )


def _open(item: Item) -> values.Open:
    discounts = (values.Discount(item.discount_until, item.discount_bp),) if item.discount_until else ()
    return values.Open(
        item=item.number,
        account=item.account,
        kind=item.kind,
        open_minor=item.open_minor,
        amount_minor=item.original_minor,
        currency=item.currency,
        document_on=item.issued_on,
        due_on=item.due_on,
        reference=item.reference or "",
        order=item.order,
        po_number=item.po,
        discounts=discounts,
        disputed_minor=item.open_minor if item.disputed else 0,
    )


_houses: dict[int, House] = {}


def the_house(ledger: Ledger, payment: Payment) -> Answer:
    """One `House` a ledger, because it keeps an index of it."""
    if id(ledger) not in _houses:
        _houses.clear()
        _houses[id(ledger)] = House(ledger)
    return _houses[id(ledger)].answer(payment)


answer: Matcher = the_house
"""What `make match-quality` judges."""
