"""One history before it happens: what customers, warehouse, bank and controllers do, and what breaks meanwhile.

Everything is drawn from the seed. Each history uses only some kinds of trouble (swarm testing), so that rare meetings of two
kinds are not drowned by all the others.
"""

from __future__ import annotations

import random

import msgspec

from tests.faults.simulation.trouble import KINDS, Trouble

BUSY_S = 12.0
"""Virtual seconds in which things are done and break; then everything heals and must come to rest."""
OPENED_S = 2.0
ORDERS_MAX = 30
TROUBLES_MAX = 22
SECONDS: dict[str, tuple[float, ...]] = {
    "statement slow": (0.05, 0.3, 1.0, 4.0),
    "fetch hangs": (0.2, 1.0, 5.0),
    "stopped at a commit": (0.3, 1.5, 3.0, 7.0),
    "stopped at a statement": (0.3, 1.5, 3.0, 7.0),
    "stopped at a send": (0.3, 1.5, 3.0, 7.0),
    "database restarts": (0.1, 0.5, 3.0),
    "database clock jumps": (-30.0, -1.0, 1.5, 30.0),
    "broker away": (0.3, 2.0, 8.0, 25.0),
    "clock jumps": (-3600.0, -2.0, 2.0, 3600.0),
    "joins": (1.0, 3.0, 8.0),
}
"""Kind → how long it may last. A lease lasts two seconds here."""


class Cash(msgspec.Struct, frozen=True):
    """An entry of a bank statement. `how` its payer is told: see `HOW`; `reference` the bank's own, empty where it gives none."""

    how: str
    account: str
    order: str
    minor: int
    reference: str = ""


class Deed(msgspec.Struct, frozen=True):
    """Something done from outside. `account` is `<group><n>`; `key` names it for ever, so that it can be sent again.

    Of a statement `order` is its name and `account` the bank account; `minor` tells contents of one name apart.
    """

    at: float
    what: str
    account: str
    order: str = ""
    minor: int = 0
    key: str = ""
    cash: tuple[Cash, ...] = ()


class History(msgspec.Struct, frozen=True):
    """`batch_max` and `partitions` vary too: small batches have more ends at which something can break."""

    seed: int
    partitions: int
    batch_max: int
    clock: str
    services: tuple[str, ...]
    deeds: tuple[Deed, ...]
    troubles: tuple[Trouble, ...]
    busy_s: float = BUSY_S


def until(history: History, at: float) -> History:
    """Without what was to come after this moment."""
    begun = {field: tuple(each for each in getattr(history, field) if each.at <= at) for field in ("troubles", "deeds")}
    return msgspec.structs.replace(history, **begun)


def draw(seed: int, services: tuple[str, ...], busy_s: float = BUSY_S) -> History:
    """The same seed with a shorter busy time is the beginning of the same history; then it heals."""
    return msgspec.structs.replace(until(_drawn(seed, services), busy_s), busy_s=busy_s)


def _drawn(seed: int, services: tuple[str, ...]) -> History:
    dice = random.Random(seed)
    accounts = _accounts(dice)
    deeds = [*_openings(accounts, dice), *_dealings(accounts, dice), *_announced(accounts, random.Random(f"deals/{seed}"))]
    deeds += _banked(accounts, deeds, random.Random(f"bank/{seed}"))
    return History(
        seed,
        partitions=dice.choice((1, 2, 3)),
        batch_max=dice.choice((1, 2, 5, 20, 2_000)),
        clock=dice.choice(("wall", "event")),
        services=services,
        deeds=tuple(sorted(deeds, key=lambda deed: (deed.at, deed.key))),
        troubles=tuple(sorted(_troubles(services, dice), key=lambda trouble: trouble.at)),
    )


def _accounts(dice: random.Random) -> list[str]:
    """Groups a, b, c, … of one to three accounts; the first of each is the root, which all are opened under."""
    return [f"{group}{n}" for group in "abcd"[: dice.randint(1, 4)] for n in range(dice.randint(1, 3))]


def _openings(accounts: list[str], dice: random.Random) -> list[Deed]:
    return [Deed(n * 0.05, "open", account, minor=dice.choice((5_000, 20_000, 60_000))) for n, account in enumerate(accounts)]


def _dealings(accounts: list[str], dice: random.Random) -> list[Deed]:
    deeds: list[Deed] = []
    for n in range(dice.randint(5, ORDERS_MAX)):
        deeds += _order(f"web/{n}", dice.choice(accounts), n, dice)
    for n in range(dice.randint(0, 8)):
        what = dice.choice(("stop", "go", "limit", "limit", "days"))
        deeds.append(Deed(_when(dice), what, dice.choice(accounts), minor=dice.choice((0, 10_000, 80_000)), key=f"{what}{n}"))
    return deeds


def _announced(accounts: list[str], dice: random.Random) -> list[Deed]:
    """Large deals, and some of what may become of each, in a chance order of time: orders may come before them."""
    deeds: list[Deed] = []
    for n in range(dice.randint(0, 4)):
        account, minor, deal = dice.choice(accounts), dice.choice((3_000, 40_000)), f"D{n}"
        follow = dice.sample(OF_DEALS, dice.randint(1, 5))
        deeds.append(Deed(_when(dice), "announce", account, deal, minor, f"announce{n}"))
        for m, what in enumerate(follow):
            part = minor if dice.random() < 0.5 else minor // 3
            name = f"web/{deal}-{m}" if what == "quote" else deal
            deeds.append(Deed(min(deeds[-1].at + dice.uniform(-1, 3), BUSY_S), what, account, name, part, f"{what}{n}.{m}"))
    return deeds


def _banked(accounts: list[str], deeds: list[Deed], dice: random.Random) -> list[Deed]:
    """Statements of two bank accounts, and what the cash desk does about what is in them."""
    billed = [deed for deed in deeds if deed.what == "invoice"]
    found: list[Deed] = []
    for n in range(dice.randint(0, 8)):
        cash = tuple(_cash(accounts, billed, dice) for _ in range(dice.randint(1, 5)))
        cash += (cash[0],) * (dice.random() < 0.3)  # two genuine entries that are alike
        found += _statements(n, dice.choice(BANKS), cash, dice)
    for n in range(dice.randint(0, 14)):
        found.append(
            Deed(_when(dice), dice.choice(AT_THE_CASH_DESK), dice.choice(accounts), minor=dice.randint(0, 99), key=f"desk{n}")
        )
    for n in range(dice.randint(0, 3)):
        what = dice.choice(("credit", "credit", "bad bill", "bad entry", "close month"))
        found.append(Deed(_when(dice), what, dice.choice(accounts), f"own/{n}", dice.choice((100, 4_000)), f"{what}{n}"))
    return found


def _cash(accounts: list[str], billed: list[Deed], dice: random.Random) -> Cash:
    """From an account that was billed, or that somebody took for another, or from nobody we know."""
    invoice = dice.choice(billed) if billed and dice.random() < 0.85 else None
    account, order = (invoice.account, invoice.order) if invoice is not None else (dice.choice(accounts), "")
    minor = invoice.minor if invoice is not None and dice.random() < 0.7 else dice.choice((100, 1_500, 4_000, 7_777))
    reference = f"B{dice.randrange(10**6)}" if dice.random() < 0.5 else ""
    return Cash(dice.choice(HOW), account, order, minor, reference)


def _statements(n: int, bank: str, cash: tuple[Cash, ...], dice: random.Random) -> list[Deed]:
    """A day's statement, perhaps after an intraday report that has more or less; perhaps twice, perhaps with other content."""
    at, name = _when(dice), f"S{n}"
    deeds = [Deed(at, "statement", bank, name, key=name, cash=cash)]
    if dice.random() < 0.5:
        reported = tuple(dice.sample(cash, dice.randint(1, len(cash)))) + cash[:1] * (dice.random() < 0.3)
        deeds.append(Deed(max(at - dice.uniform(-0.5, 4), OPENED_S), "intraday", bank, f"D{n}", key=f"D{n}", cash=reported))
        if dice.random() < 0.4:
            deeds.append(Deed(at, "intraday", bank, f"D{n}b", key=f"D{n}b", cash=cash))
        if dice.random() < 0.5:
            deeds[0] = msgspec.structs.replace(deeds[0], cash=cash[1:] or cash)
    if dice.random() < 0.3:
        deeds.append(msgspec.structs.replace(deeds[0], at=min(at + dice.uniform(0, 3), BUSY_S), key=f"{name} again"))
    if dice.random() < 0.2:
        deeds.append(Deed(min(at + dice.uniform(0, 3), BUSY_S), "statement", bank, name, 1, f"{name} other", cash[:1]))
    return deeds


def _order(order: str, account: str, n: int, dice: random.Random) -> list[Deed]:
    """An order and some of what may become of it, in a chance order of time: what comes too early is answered too."""
    minor = dice.choice((100, 1_500, 4_000, 9_000))
    placed = Deed(_when(dice), "place", account, order, minor, f"place{n}")
    follow = dice.sample(FOLLOWING, dice.randint(0, 4))
    later = [Deed(min(placed.at + dice.uniform(0, 5), BUSY_S), what, account, order, minor, f"{what}{n}") for what in follow]
    repeated = [msgspec.structs.replace(placed, at=placed.at + dice.uniform(0, 3))] if dice.random() < 0.2 else []
    return [placed, *later, *repeated]


OF_DEALS = ("approve deal", "approve deal", "withdraw deal", "decline deal", "quote", "quote")
FOLLOWING = ("despatch", "deliver", "invoice", "invoice", "cancel", "change", "release", "refer", "reject", "rank", "poison")


BANKS = ("BANK-1", "BANK-2")
HOW = ("number", "number", "number", "damaged", "name", "bank account", "nobody", "charge", "out")
"""The payer names its invoice, perhaps with a slip of the pen, or itself, its bank account, or nothing; or it is no payment."""
AT_THE_CASH_DESK = (
    "recognise", "recognise", "recognise", "allocate", "allocate", "allocate", "unallocate", "unallocate", "give back", "keep",
    "set aside", "retry", "take",
)  # fmt: skip


def _when(dice: random.Random) -> float:
    return dice.uniform(OPENED_S, BUSY_S)


def _troubles(services: tuple[str, ...], dice: random.Random) -> list[Trouble]:
    kinds = dice.sample(KINDS, dice.randint(1, 8))
    return [_trouble(dice.choice(kinds), services, dice) for _ in range(dice.randint(0, TROUBLES_MAX))]


def _trouble(kind: str, services: tuple[str, ...], dice: random.Random) -> Trouble:
    return Trouble(dice.uniform(0, BUSY_S), kind, dice.choice(services), dice.choice(SECONDS.get(kind, (0.0,))))
