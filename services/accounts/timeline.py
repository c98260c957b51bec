"""What people write down about an account. The timeline only grows: nothing is edited or taken back (A7). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.accounts import AccountNoted, NoteAccount
from contracts.message import Fact
from services.accounts.account import State
from services.accounts.refusal import Refusal, not_signed, not_worded
from services.accounts.standing import unknown
from shared.service import Moment

CHANNELS = ("note", "call", "email", "letter", "meeting", "visit")


def note_account(state: State, wish: NoteAccount, moment: Moment) -> Iterable[Fact]:
    """Correspondence goes on after an account has ended."""
    refusal = None if state.account else unknown(wish.account)
    refusal = refusal or _no_channel(wish) or not_worded(wish.text) or not_signed(moment)
    if refusal:
        return [refusal.of(wish.account)]
    return [AccountNoted(account=wish.account, channel=wish.channel, text=wish.text, by=moment.actor)]


def _no_channel(wish: NoteAccount) -> Refusal | None:
    if wish.channel in CHANNELS:
        return None
    return Refusal("unknown_channel", f"{wish.channel!r} is no way to speak to a customer; write one of {', '.join(CHANNELS)}")
