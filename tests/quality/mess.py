"""The recipes: one function for each class of mess, each makes one payment with its truth, or None if nobody has what it takes.

WEIGHTS is our judgement, drawn from what receivables teams and the makers of matching software report in public, not from a
measured ledger: most payments name their invoices and name them rightly; large customers pay long runs with an advice; one in
ten to twenty has a wrong or shortened number; a few in a hundred name nothing, are short, or are paid by somebody else. Rare
classes get somewhat more than life gives them, so that 20,000 payments hold at least a hundred of each. Change the weights
and you change the total; the table by class stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from tests.quality import bank, names, numbers, oracle
from tests.quality.border import Item, Paid
from tests.quality.desk import TRIES_MAX, Desk, Draft, Plan, Sender, cash, in_full
from tests.quality.ledger import discount_of, in_discount

REASONS = {
    "price": ("PRC", "PRICE DIFF", "01"),
    "quantity": ("QTY", "SHORT DELIVERY", "02"),
    "damage": ("DMG", "DAMAGED GOODS", "03"),
    "return": ("RET", "RETOURE", "04"),
    "late_delivery": ("LATE", "OTIF", "05"),
    "rebate": ("BONUS", "REBATE", "06"),
    "marketing": ("MKT", "WKZ", "07"),
}
"""Reasons of C1 and the customers' own codes for them."""
CLEARED_REASONS = ("tolerance", "bank_charges")
"""Differences that are posted away. Every other deduction stays open on its invoice, as a claim or as the rest."""
FEE_MINOR = (300, 2_500)
LATE_DAYS = (3, 25)
"""Nearer than three days is a matter of grace, which no rule of ours settles."""
ON_ACCOUNT_MINOR = (20_000, 50_000, 100_000, 150_000, 200_000, 250_000, 500_000, 1_000_000)


# --- the number arrives ---------------------------------------------------------------------------------------------------


def clean_reference(desk: Desk) -> Draft | None:
    """Every number arrives whole and the amount is their sum; some name their order instead."""
    if desk.rng.random() < 0.12:
        return _by_order(desk)
    count = desk.rng.choices((1, 2, 3, 4, 6), (60, 20, 10, 6, 4))[0]
    found = desk.somebody_with(lambda items: len(items) >= count)
    if found is None:
        return None
    account, items = found[0], desk.choose(found[1], count)
    return _full(desk, "numbers", account, items, text=desk.naming(items))


def _by_order(desk: Desk) -> Draft | None:
    """The customer's purchase order or our order number. Two customers may use one PO; two invoices may share an order."""
    found = desk.somebody_with(lambda items: any(item.po for item in items))
    if found is None:
        return None
    account, item = found[0], desk.rng.choice([item for item in found[1] if item.po])
    number = desk.rng.choice((item.po, item.po, item.order))
    sender = desk.sender(account)
    rivals = [other for other in desk.ledger.items_by_number(number) if other.open_minor == item.open_minor]
    mine = [other for other in rivals if other.account == account]
    decided = len(mine if sender.known else rivals) == 1
    words = desk.rng.choice(("PO ", "ORDER ", "BESTELLUNG ", "Your order ", "")) + number
    line = in_full(item, decided)
    return Draft("order", account, sender, item.currency, line.cash_minor, (line,), desk.text(words))


def structured_reference(desk: Desk) -> Draft | None:
    """An RF reference in its own field, or in the text, with or without its spaces."""
    found = desk.somebody_with(lambda items: items[0].reference is not None)
    if found is None:
        return None
    account, item = found[0], desk.choose(found[1], 1)[0]
    reference = item.reference or ""
    spaced = " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))
    line, shown = in_full(item), desk.rng.choice((reference, reference, spaced))
    sender = desk.sender(account)
    if desk.rng.random() < 0.1:
        return Draft("in text", account, sender, item.currency, line.cash_minor, (line,), desk.text(shown))
    return Draft("field", account, sender, item.currency, line.cash_minor, (line,), (), reference=shown)


def damaged_reference(desk: Desk) -> Draft | None:
    """One number has a character wrong (rarely two) or only its tail; the others, if any, are right."""
    count = desk.rng.choices((1, 2, 3), (75, 17, 8))[0]
    found = desk.somebody_with(lambda items: len(items) >= count)
    if found is None:
        return None
    account, items, sender = found[0], desk.choose(found[1], count), desk.sender(found[0])
    kind = desk.rng.choices(("one character", "two characters", "tail only"), (74, 8, 18))[0]
    hurt = desk.rng.choice(items)
    text = _hurt(desk, hurt.number, kind)
    if kind == "tail only":
        decided = sender.known and _only_tail(desk, account, text, hurt)
    else:
        decided = desk.reads_as_one(account, sender, text, hurt)
    lines = tuple(in_full(item, decided or item is not hurt) for item in items)
    shown = [text if item is hurt else bank.written(desk.rng, item.number) for item in items]
    return Draft(kind, account, sender, hurt.currency, cash(lines), lines, desk.text(bank.listed(desk.rng, shown)))


def _hurt(desk: Desk, number: str, kind: str) -> str:
    match kind:
        case "tail only":
            return bank.shortened(number)
        case "two characters":
            return numbers.damaged(desk.rng, number, 2)
        case _:
            return numbers.damaged(desk.rng, number, 1)


def _only_tail(desk: Desk, account: str, tail: str, item: Item) -> bool:
    same = [other for other in desk.ledger.open_items(account) if other.open_minor == item.open_minor and other.id != item.id]
    return not any(other.number.endswith(tail) for other in same)


# --- no number arrives, or not all ----------------------------------------------------------------------------------------


def no_reference_single_amount(desk: Desk) -> Draft | None:
    """Nothing names the invoice; its amount has to."""
    account = desk.anybody()
    items = desk.payable(account)
    if not items:
        return None
    item, sender = desk.choose(items, 1)[0], desk.sender(account)
    decided = sender.known and oracle.only_one(desk.ledger.open_items(account), item.open_minor, item)
    line = in_full(item, decided)
    return Draft("amount", account, sender, item.currency, line.cash_minor, (line,), desk.idle_text())


def no_reference_subset(desk: Desk) -> Draft | None:
    """One sum for several invoices and no number: all that are open, all that are due, or some."""
    found = desk.somebody_with(lambda items: len(items) >= 2)
    if found is None:
        return None
    account, items = found
    kind = desk.rng.choices(("all", "due", "some"), (30, 40, 30))[0]
    chosen = _run_of(desk, items, kind)
    sender = desk.sender(account)
    total = sum(item.open_minor for item in chosen)
    decided = sender.known and oracle.only_set(desk.ledger.open_items(account), total)
    lines = tuple(in_full(item, decided) for item in chosen)
    return Draft(kind, account, sender, chosen[0].currency, total, lines, desk.idle_text())


def _run_of(desk: Desk, items: list[Item], kind: str) -> list[Item]:
    due = [item for item in items if item.due_on <= desk.today]
    if kind == "due" and len(due) >= 2:
        return due
    if kind == "all" and len(items) <= 8:
        return items
    return desk.choose(items, min(len(items), desk.rng.choice((2, 2, 2, 3, 3, 4, 5))))


def merged(desk: Desk) -> Draft | None:
    """Many invoices and a text that was full before all of their numbers were in."""
    large = desk.rng.random() < 0.4
    least = 10 if large else 2
    found = desk.somebody_with(lambda items: len(items) >= least)
    if found is None:
        return None
    account, items = found
    count = desk.rng.randint(least, min(len(items), 30)) if large else min(len(items), desk.rng.choice((2, 2, 3, 4)))
    chosen, sender = desk.choose(items, count), desk.sender(account)
    text = bank.delivered(_long(desk, chosen), "sepa" if large else "bacs")
    arrived = [item for item in chosen if item.number in "".join(text)]
    if len(arrived) == len(chosen):
        return None
    decided = sender.known or bool(arrived)
    decided = decided and _rest_is_one_set(desk, account, chosen, arrived)
    lines = tuple(in_full(item, decided or item in arrived) for item in chosen)
    return Draft("long run" if large else "short field", account, sender, chosen[0].currency, cash(lines), lines, text)


def _long(desk: Desk, items: Sequence[Item]) -> str:
    return desk.rng.choice(("", "", "INV ", "RE ")) + desk.rng.choice((" ", ",", ", ", "/")).join(item.number for item in items)


def _rest_is_one_set(desk: Desk, account: str, chosen: Sequence[Item], arrived: Sequence[Item]) -> bool:
    named = {item.id for item in arrived}
    rest = [item for item in desk.ledger.open_items(account) if item.id not in named]
    return oracle.only_set(rest, sum(item.open_minor for item in chosen if item.id not in named))


# --- less than the invoice ------------------------------------------------------------------------------------------------


def split(desk: Desk) -> Draft | None:
    """One invoice in two to four payments, days apart; the last brings what is left."""
    for plan in desk.plans:
        if plan.due <= desk.today:
            desk.plans.remove(plan)
            return _part(desk, plan)
    found = desk.somebody_with(lambda items: items[-1].open_minor >= 20_000)
    if found is None:
        return None
    item = max(found[1], key=lambda one: one.open_minor)
    desk.in_parts.add(item.id)
    return _part(desk, Plan(item.id, 1, desk.rng.choice((2, 2, 3, 4)), desk.today))


def _part(desk: Desk, plan: Plan) -> Draft:
    item = desk.ledger.item(plan.item)
    last = plan.part == plan.of
    amount = item.open_minor if last else _share(desk, item, plan)
    if last:
        desk.in_parts.discard(item.id)
    else:
        desk.plans.append(plan._replace(part=plan.part + 1, due=desk.today + timedelta(days=desk.rng.choice((7, 14, 28)))))
    sender, named = desk.sender(item.account), desk.rng.random() < 0.9
    open_ = desk.ledger.open_items(item.account)
    by_number = named and (last or not oracle.has_amount(open_, amount, item))
    decided = by_number or (last and sender.known and oracle.only_one(open_, amount, item))
    words = desk.rng.choice((f"PART {plan.part}/{plan.of}", f"RATE {plan.part} VON {plan.of}", "PART PAYMENT", "TEILZAHLUNG", ""))
    text = desk.text(f"{words} {bank.written(desk.rng, item.number)}" if named else words)
    kind = f"{'last' if last else 'earlier'} part, {'named' if named else 'not named'}"
    return Draft(kind, item.account, sender, item.currency, amount, (Paid(item.id, amount, decidable=decided),), text)


def _share(desk: Desk, item: Item, plan: Plan) -> int:
    """An even share, mostly rounded to whole tens; less than what is left."""
    even = item.open_minor // (plan.of - plan.part + 1)
    rounded = even // 1_000 * 1_000
    return rounded if rounded and desk.rng.random() < 0.7 else even


def short_pay_with_reason(desk: Desk) -> Draft | None:
    """One line of the advice, or the text, says what was deducted and why."""
    count = desk.rng.choices((1, 2, 4, 7), (45, 25, 20, 10))[0]
    found = desk.somebody_with(lambda items: len(items) >= count)
    if found is None:
        return None
    account, items = found[0], desk.choose(found[1], count)
    reason = desk.rng.choice(list(REASONS))
    short = desk.rng.choice(items)
    deducted = max(100, short.open_minor * desk.rng.randint(2, 30) // 100)
    lines = tuple(_less(item, deducted, reason) if item is short else in_full(item) for item in items)
    code = desk.rng.choice(REASONS[reason])
    if count == 1 and desk.rng.random() < 0.4:
        words = f"{bank.written(desk.rng, short.number)} LESS {deducted // 100}.{deducted % 100:02d} {code}"
        return Draft("text", account, desk.sender(account), short.currency, cash(lines), lines, desk.text(words))
    advice = tuple(desk.advised(item, line, code if item is short else None) for item, line in zip(items, lines, strict=True))
    return Draft("advice", account, desk.sender(account), short.currency, cash(lines), lines, desk.advice_text(), advice)


def _less(item: Item, deducted_minor: int, reason: str, decidable: bool = True) -> Paid:
    return Paid(item.id, item.open_minor - deducted_minor, 0, deducted_minor, reason, decidable)


def short_pay_silent(desk: Desk) -> Draft | None:
    """Less than the invoice and not a word why: within min(5.00, 0.5 %) or beyond it."""
    within = desk.rng.random() < 0.5
    found = desk.somebody_with(lambda items: items[0].open_minor >= 5_000)
    if found is None:
        return None
    account, item = found[0], found[1][0]
    most = oracle.tolerance_minor(item)
    missing = desk.rng.randint(1, most) if within else desk.rng.randint(most + 1, item.open_minor * 3 // 10)
    return _short(desk, account, item, missing, "tolerance" if within else "rest")


def foreign_fees(desk: Desk) -> Draft | None:
    """Banks on the way kept 3.00 to 25.00."""
    found = desk.somebody_with(lambda items: items[0].open_minor >= 20_000)
    if found is None:
        return None
    return _short(desk, found[0], found[1][0], desk.rng.randint(*FEE_MINOR), "bank_charges")


def _short(desk: Desk, account: str, item: Item, missing_minor: int, reason: str) -> Draft:
    """Nine in ten name the invoice. Named, it is still doubtful if another invoice of the account has just this amount."""
    sender, named = desk.sender(account), desk.rng.random() < 0.9
    amount, open_ = item.open_minor - missing_minor, desk.ledger.open_items(account)
    if named:
        decided = not oracle.has_amount(open_, amount, item)
    else:
        near = sender.known and missing_minor <= oracle.tolerance_minor(item)
        decided = near and oracle.only_near(open_, amount, item)
    text = desk.naming([item]) if named else desk.idle_text()
    size = "within" if missing_minor <= oracle.tolerance_minor(item) else "beyond"
    kind = f"{size} tolerance, {'named' if named else 'not named'}"
    return Draft(kind, account, sender, item.currency, amount, (_less(item, missing_minor, reason, decided),), text)


def discount_in_time(desk: Desk) -> Draft | None:
    """Early-payment discount, earned. One in four names nothing: the discounted amount has to tell."""
    found = desk.somebody_with(lambda items: any(in_discount(item, desk.today) for item in items))
    if found is None:
        return None
    account = found[0]
    items = [item for item in found[1] if in_discount(item, desk.today)]
    chosen, named = desk.choose(items, desk.rng.choice((1, 1, 1, 2, 3))), desk.rng.random() < 0.75
    if not named:
        return _discount_not_named(desk, account, chosen[0])
    lines = tuple(Paid(item.id, item.open_minor - discount_of(item), discount_of(item)) for item in chosen)
    text = desk.naming(chosen)
    return Draft("named", account, desk.sender(account), chosen[0].currency, cash(lines), lines, text)


def _discount_not_named(desk: Desk, account: str, item: Item) -> Draft:
    sender, net = desk.sender(account), item.open_minor - discount_of(item)
    open_ = desk.ledger.open_items(account)
    nets = [other.open_minor - discount_of(other) for other in open_ if other.discount_bp]
    decided = sender.known and oracle.only_one(open_, net, item) and nets.count(net) == 1
    line = Paid(item.id, net, discount_of(item), decidable=decided)
    return Draft("not named", account, sender, item.currency, net, (line,), desk.idle_text())


def discount_late(desk: Desk) -> Draft | None:
    """Discount taken days after it had lapsed: the cash is the invoice's, the discount stays owed."""
    early, late = (desk.today - timedelta(days=days) for days in reversed(LATE_DAYS))

    def lapsed(item: Item) -> bool:
        return item.discount_until is not None and early <= item.discount_until <= late

    found = desk.somebody_with(lambda items: any(lapsed(item) for item in items))
    if found is None:
        return None
    item = desk.rng.choice([item for item in found[1] if lapsed(item)])
    line = _less(item, discount_of(item), "unearned_discount")
    return Draft("named", item.account, desk.sender(item.account), item.currency, line.cash_minor, (line,), desk.naming([item]))


# --- other people's money -------------------------------------------------------------------------------------------------


def wrong_payer(desk: Desk) -> Draft | None:
    """A third party pays, often a customer of ours for another one: bank account and name point to the wrong ledger."""
    account = desk.anybody()
    items = desk.payable(account)
    if not items:
        return None
    item = desk.choose(items, 1)[0]
    other = _another_customer(desk, account)
    sender = desk.sender(other) if other else desk.stranger(desk.ledger.account(account).country)
    sender = sender._replace(known=False, new=False)
    for_whom = f"FOR {names.at_the_bank(desk.ledger.account(account).name)}"
    named = desk.rng.random() < 0.85
    words = bank.written(desk.rng, item.number) if named else for_whom
    decided = named or (desk.is_one_name(account) and oracle.only_one(desk.ledger.open_items(account), item.open_minor, item))
    kind = f"{'customer' if other else 'stranger'}, {'number' if named else 'name'}"
    line = in_full(item, decided)
    return Draft(kind, account, sender, item.currency, line.cash_minor, (line,), desk.text(words))


def _another_customer(desk: Desk, account: str) -> str | None:
    """Of another group, with the same currency; in four of ten cases it is nobody's account that we know."""
    mine = desk.ledger.account(account)
    other = desk.ledger.account(desk.anybody())
    related = (other.parent or other.id) == (mine.parent or mine.id)
    return None if related or other.currency != mine.currency or desk.rng.random() < 0.3 else other.id


def unknown_payer(desk: Desk) -> Draft | None:
    """Nobody we know and nothing that names an invoice: half of it is not even meant for us."""
    account = desk.anybody()
    items = desk.payable(account)
    if not items:
        return None
    known = desk.ledger.account(account)
    sender, item = desk.stranger(known.country), desk.choose(items, 1)[0]
    if desk.rng.random() < 0.5:
        line = in_full(item, decidable=False)
        return Draft("for an invoice", account, sender, item.currency, line.cash_minor, (line,), desk.idle_text(), certain=False)
    amount = max(1_500, round(desk.rng.lognormvariate(10.6, 1.0)))
    return Draft("not for us", None, sender, item.currency, amount, (), desk.text(bank.noise(desk.rng, desk.today)))


def group_payment(desk: Desk) -> Draft | None:
    """The parent pays its children's invoices with its own, with an advice or with the numbers."""
    for _ in range(TRIES_MAX):
        parent = desk.ledger.account(desk.anybody())
        family = [parent.parent or parent.id]
        family += desk.world.children[family[0]]
        items = [item for account in family for item in desk.payable(account)[:4]]
        chosen = desk.rng.sample(items, min(len(items), desk.rng.choice((2, 3, 4, 6, 9))))
        if len({item.account for item in chosen}) > 1:
            return _for_the_family(desk, family[0], chosen)
    return None


def _for_the_family(desk: Desk, parent: str, chosen: list[Item]) -> Draft:
    lines, sender = tuple(map(in_full, chosen)), desk.sender(parent)
    accepts = tuple(dict.fromkeys((parent, *(item.account for item in chosen))))
    currency, total = chosen[0].currency, cash(lines)
    if len(chosen) > 4 or desk.rng.random() < 0.5:
        advice = tuple(desk.advised(item, line) for item, line in zip(chosen, lines, strict=True))
        return Draft("advice", parent, sender, currency, total, lines, desk.advice_text(), advice, accepts=accepts)
    return Draft("numbers", parent, sender, currency, total, lines, desk.naming(chosen), accepts=accepts)


# --- more than the invoice, or no invoice ---------------------------------------------------------------------------------


def duplicate_payment(desk: Desk) -> Draft | None:
    """The same payment again, days after its invoices were settled: nothing is to be allocated."""
    days = (timedelta(days=2), timedelta(days=45))
    past = [case for case in desk.remembered if days[0] <= desk.today - case.payment.received_on <= days[1]]
    if not past:
        return None
    case = desk.rng.choice(past)
    payment, account = case.payment, case.truth.account or ""
    sender = Sender(payment.payer_name, payment.payer_iban, known=False)
    tempting = any(item.open_minor == payment.amount_minor for item in desk.ledger.open_items(account))
    return Draft(
        f"of {case.mess}", account, sender, payment.currency, payment.amount_minor, (), payment.text, payment.advice,
        payment.reference, case.truth.accepts, not tempting,
    )  # fmt: skip


def credit_taken(desk: Desk) -> Draft | None:
    """Invoices less a credit note of ours; one in four does not name the credit note."""
    for _ in range(TRIES_MAX):
        account = desk.anybody()
        notes = [item for item in desk.ledger.open_items(account) if item.open_minor < 0]
        items = desk.payable(account)
        if notes and items:
            chosen = desk.choose(items, desk.rng.choice((1, 1, 2, 3)))
            credit = desk.rng.choice(notes)
            if sum(item.open_minor for item in chosen) + credit.open_minor >= 1_000:
                return _net(desk, account, chosen, credit)
    return None


def _net(desk: Desk, account: str, chosen: list[Item], credit: Item) -> Draft:
    both = [*chosen, credit]
    lines, sender = tuple(map(in_full, both)), desk.sender(account)
    kind = desk.rng.choices(("both named", "advice", "credit not named"), (45, 30, 25))[0]
    if kind == "advice":
        advice = tuple(desk.advised(item, line) for item, line in zip(both, lines, strict=True))
        return Draft(kind, account, sender, credit.currency, cash(lines), lines, desk.advice_text(), advice)
    if kind == "both named":
        return Draft(kind, account, sender, credit.currency, cash(lines), lines, desk.naming(both))
    same = [item for item in desk.ledger.open_items(account) if item.open_minor == credit.open_minor]
    exact = len(same) == 1 and oracle.only_one(desk.ledger.open_items(account), cash(lines), credit)
    lines = tuple(line._replace(decidable=exact) for line in lines)
    return Draft(kind, account, sender, credit.currency, cash(lines), lines, desk.naming(chosen))


def overpayment(desk: Desk) -> Draft | None:
    """More than the invoice it names: rounded up, digits swapped, or a sum that belongs elsewhere. The rest stays unallocated."""
    account = desk.anybody()
    items = desk.payable(account)
    if not items:
        return None
    item = desk.choose(items, 1)[0]
    kind = desk.rng.choice(("rounded up", "mistyped", "something else in it"))
    more = {
        "rounded up": -item.open_minor % 10_000 or 1_000,
        "mistyped": desk.rng.choice((900, 2_700, 9_000, 18_000)),
        "something else in it": desk.rng.randint(500, 60_000),
    }[kind]
    others = [other.open_minor for other in desk.ledger.open_items(account) if other.id != item.id]
    certain = more not in others and item.open_minor + more not in others
    line = in_full(item)
    sender, text = desk.sender(account), desk.naming([item])
    return Draft(kind, account, sender, item.currency, line.cash_minor + more, (line,), text, certain=certain)


def on_account(desk: Desk) -> Draft | None:
    """A round sum for no invoice in particular: right is to allocate nothing.

    A sum that equals one invoice, or all of them, is drawn again: a customer would not mind to see it there, so it has no truth.
    """
    account = desk.anybody()
    items = oracle.invoices(desk.ledger.open_items(account))
    amount = desk.rng.choice(ON_ACCOUNT_MINOR)
    if amount in [sum(item.open_minor for item in items), *(item.open_minor for item in items)]:
        return None
    certain = oracle.sets_with_sum(items, amount) == 0
    words = desk.rng.choice(("ON ACCOUNT", "A CONTO", "AKONTO", "VOORSCHOT", "PAYMENT ON ACCOUNT", "", "PAYMENT"))
    kind = "said so" if words not in ("", "PAYMENT") else "said nothing"
    currency = desk.ledger.account(account).currency
    return Draft(
        kind, account, desk.sender(account), currency, amount, (), desk.text(words), certain=certain or kind == "said so"
    )


# --- advice ---------------------------------------------------------------------------------------------------------------


def advice_by_mail(desk: Desk) -> Draft | None:
    """A long run with every line advised rightly, some with discount."""
    found = desk.somebody_with(lambda items: len(items) >= 2)
    if found is None:
        return None
    account, items = found[0], desk.choose(found[1], _run_length(desk))
    lines = tuple(_net_of_discount(desk, item) for item in items)
    advice = tuple(desk.advised(item, line) for item, line in zip(items, lines, strict=True))
    sender, text = desk.sender(account), desk.advice_text()
    return Draft("complete", account, sender, items[0].currency, cash(lines), lines, text, advice)


def _run_length(desk: Desk) -> int:
    return min(40, max(2, round(desk.rng.lognormvariate(1.7, 0.7))))


def _net_of_discount(desk: Desk, item: Item) -> Paid:
    discount = discount_of(item) if in_discount(item, desk.today) else 0
    return Paid(item.id, item.open_minor - discount, discount)


def advice_with_errors(desk: Desk) -> Draft | None:
    """One line is wrong: its number, its amount, or it is missing or too many; the payment itself is right."""
    found = desk.somebody_with(lambda items: len(items) >= 3)
    if found is None:
        return None
    account, items, sender = found[0], desk.choose(found[1], max(3, _run_length(desk))), desk.sender(found[0])
    wrong = desk.rng.choice(items)
    kind = desk.rng.choice(("number", "amount", "missing", "too many"))
    advice = {item.id: desk.advised(item, in_full(item)) for item in items}
    decided, paid = True, items
    match kind:
        case "number":
            text = numbers.damaged(desk.rng, wrong.number, 1)
            advice[wrong.id] = advice[wrong.id]._replace(number=text)
            decided = desk.reads_as_one(account, sender, text, wrong)
        case "amount":
            typed = wrong.open_minor + desk.rng.choice((-900, 900, 9_000, 2_700, -90, 10_000))
            advice[wrong.id] = advice[wrong.id]._replace(gross_minor=typed, paid_minor=typed)
        case "missing":
            del advice[wrong.id]
            decided = _only_left(desk, account, items, wrong)
        case _:
            paid = [item for item in items if item is not wrong]
            decided = oracle.only_set(items, wrong.open_minor)
    doubtful = {item.id for item in items} if kind == "too many" and not decided else {wrong.id} if not decided else set()
    lines = tuple(in_full(item, item.id not in doubtful) for item in paid)
    text_ = desk.advice_text()
    return Draft(kind, account, sender, wrong.currency, cash(lines), lines, text_, tuple(advice.values()))


def _only_left(desk: Desk, account: str, items: Sequence[Item], missing: Item) -> bool:
    """Of what the advice does not name, this invoice alone has the amount that is over."""
    named = {item.id for item in items} - {missing.id}
    rest = [item for item in desk.ledger.open_items(account) if item.id not in named]
    return oracle.only_one(rest, missing.open_minor, missing)


# --- all of them ----------------------------------------------------------------------------------------------------------


def _full(desk: Desk, kind: str, account: str, items: Sequence[Item], text: tuple[str, ...]) -> Draft:
    lines = tuple(map(in_full, items))
    return Draft(kind, account, desk.sender(account), items[0].currency, cash(lines), lines, text)


RECIPES: dict[str, Callable[[Desk], Draft | None]] = {
    recipe.__name__: recipe
    for recipe in (
        clean_reference, structured_reference, damaged_reference, no_reference_single_amount, no_reference_subset, merged, split,
        short_pay_with_reason, short_pay_silent, discount_in_time, discount_late, wrong_payer, unknown_payer, duplicate_payment,
        group_payment, foreign_fees, credit_taken, overpayment, on_account, advice_by_mail, advice_with_errors,
    )
}  # fmt: skip
WEIGHTS: dict[str, int] = {  # payments in a thousand
    "clean_reference": 300,
    "structured_reference": 70,
    "damaged_reference": 60,
    "no_reference_single_amount": 60,
    "no_reference_subset": 35,
    "merged": 40,
    "split": 30,
    "short_pay_with_reason": 35,
    "short_pay_silent": 25,
    "discount_in_time": 50,
    "discount_late": 15,
    "wrong_payer": 12,
    "unknown_payer": 6,
    "duplicate_payment": 8,
    "group_payment": 30,
    "foreign_fees": 15,
    "credit_taken": 30,
    "overpayment": 12,
    "on_account": 12,
    "advice_by_mail": 130,
    "advice_with_errors": 25,
}
