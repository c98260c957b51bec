"""Credit groups: a root and its members, no deeper. One group is one home, one partition and one serial log.

Two levels, because the home then follows from the message alone (its parent, else itself): no look-up across
partitions, whose answer would depend on which of them was faster.
"""

from __future__ import annotations

from contracts.accounts import OpenAccount
from services.accounts.account import TERMINATED, Account, State
from services.accounts.refusal import Refusal


def misplaced(state: State, wish: OpenAccount, home: str) -> Refusal | None:
    """Why the account cannot be in this group; `home` is the key the message came under."""
    if state.account is not None:
        return _elsewhere(state.account, wish, home)
    if wish.parent is None:
        return None if home == wish.account else _not_at_home(wish.account, home)
    if wish.parent == wish.account:
        return Refusal("own_parent", f"account {wish.account!r} cannot be its own parent; leave the parent out")
    return _no_root(state.root, wish, home)


def still_needed(account: Account) -> Refusal | None:
    """A root holds the limit of its members: it goes last."""
    if account.members == 0:
        return None
    return Refusal("has_members", f"{account.members} accounts of its group are not terminated; terminate those first")


def _elsewhere(account: Account, wish: OpenAccount, home: str) -> Refusal | None:
    if account.home == home and account.parent == wish.parent:
        return None
    stands = f"in the group of {account.parent!r}" if account.parent else "without a parent"
    return Refusal("other_home", f"it was opened {stands}, which cannot change by sending it again; send it so")


def _not_at_home(account: str, home: str) -> Refusal:
    return Refusal("other_home", f"an account without parent is its own home; key it {account!r}, not {home!r}")


def _no_root(root: Account | None, wish: OpenAccount, home: str) -> Refusal | None:
    """`root` is the account that gave this home its name."""
    parent = wish.parent
    if root is None:
        return Refusal("unknown_parent", f"parent {parent!r} is not known here; open it first, above its members")
    if root.home != home or root.account != parent:
        return Refusal("parent_not_root", f"parent {parent!r} is a member itself; name its root {root.home!r}")
    if root.status == TERMINATED:
        return Refusal("terminated", f"parent {parent!r} is terminated; open the account by itself, or under another")
    if root.currency != wish.currency:
        return Refusal("other_currency", f"its group trades in {root.currency}; open it so, or without the parent")
    return None
