"""What must hold of every statement, whatever its format: opening + entries = closing, or the file is quarantined whole (P3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from services.gateway.bank.amounts import WITHDRAWN, told
from services.gateway.bank.limits import NOTES_MAX, STATEMENTS_MAX
from services.gateway.bank.statement import Advice, AdviceLine, Broken, Statement


def is_proved(statement: Statement) -> bool:
    """True if both balances are stated, so that they prove the entries."""
    return statement.opening_minor is not None and statement.closing_minor is not None


def balanced(statement: Statement, where: str) -> Statement:
    """The statement if its balances and entries agree. A provisional report may list less than the day; that is noted."""
    if not is_proved(statement) or (gap := _gap(statement)) == 0:
        return statement
    reason = _gap_told(statement, gap)
    if statement.is_provisional:
        return noted(statement, reason)
    raise Broken(where, reason, "ask the bank for the complete statement; nothing of this file is booked")


def _gap(statement: Statement) -> int:
    assert statement.opening_minor is not None and statement.closing_minor is not None
    return statement.closing_minor - statement.opening_minor - sum(entry.amount_minor for entry in statement.entries)


def _gap_told(statement: Statement, gap: int) -> str:
    money = statement.currency
    entries = sum(entry.amount_minor for entry in statement.entries)
    return (
        f"statement {statement.statement} of {statement.bank_account}: opening {told(statement.opening_minor or 0, money)} + "
        f"{len(statement.entries)} entries {told(entries, money)} is not closing {told(statement.closing_minor or 0, money)}, "
        f"difference {told(gap, money)}"
    )


def controlled(statement: Statement, faults: Sequence[str], where: str) -> Statement:
    """Totals of the sender that disagree: told where balances prove the entries or the report is provisional, else refused."""
    if not faults:
        return statement
    if is_proved(statement) or statement.is_provisional:
        return noted(statement, *faults)
    raise Broken(where, "; ".join(faults[:3]), "ask the bank for the complete file; nothing of this file is booked")


def noted(statement: Statement, *notes: str) -> Statement:
    return msgspec.structs.replace(statement, notes=(*statement.notes, *notes)[:NOTES_MAX])


def together(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements of one file: exact repetitions once, others of the same number told apart, breaks between them noted."""
    if len(statements) > STATEMENTS_MAX:
        raise Broken("file", f"{len(statements)} statements, at most {STATEMENTS_MAX} are read", "send them in several files")
    return tuple(_chained(_told_apart(_once(statements))))


def _once(statements: Sequence[Statement]) -> list[Statement]:
    kept: dict[tuple[str, str, str], list[Statement]] = {}
    result: list[Statement] = []
    for statement in statements:
        same = kept.setdefault((statement.bank_account, statement.currency, statement.statement), [])
        if statement.entries and statement in same:
            result[result.index(statement)] = noted(statement, "stands twice in the file; read once")
            continue
        same.append(statement)
        result.append(statement)
    return result


def _told_apart(statements: Sequence[Statement]) -> list[Statement]:
    """Some banks give every statement of a day the same number: the second is `#2`, so that it is not taken for the first."""
    seen: Counter[tuple[str, str]] = Counter()
    result = []
    for statement in statements:
        key = (statement.bank_account, statement.statement)
        seen[key] += 1
        name = statement.statement if seen[key] == 1 else f"{statement.statement}#{seen[key]}"
        result.append(msgspec.structs.replace(statement, statement=name))
    return result


def _chained(statements: Sequence[Statement]) -> list[Statement]:
    last: dict[tuple[str, str], Statement] = {}
    return [_after(last, statement) for statement in statements]


def _after(last: dict[tuple[str, str], Statement], statement: Statement) -> Statement:
    key = (statement.bank_account, statement.currency)
    before, last[key] = last.get(key), statement
    result = statement
    if statement.currency in WITHDRAWN:
        result = noted(result, f"{statement.currency} is no longer a currency; this is history")
    if before is None or before.closing_minor is None or statement.opening_minor in (None, before.closing_minor):
        return result
    closing, opening = told(before.closing_minor, key[1]), told(statement.opening_minor or 0, key[1])
    return noted(result, f"opens with {opening}, but statement {before.statement} before it closed with {closing}")


def added_up(advice: Advice, where: str) -> Advice:
    """The advice if its lines are its amount. One that does not add up would settle the wrong documents."""
    total = sum(line.amount_minor for line in advice.lines)
    if total == advice.amount_minor:
        return advice
    lines, stated = told(total, advice.currency), told(advice.amount_minor, advice.currency)
    raise Broken(
        where, f"the {len(advice.lines)} lines add up to {lines}, the advice says {stated}", "ask the payer for a complete advice"
    )


def paid(lines: Sequence[AdviceLine]) -> int:
    return sum(line.amount_minor for line in lines)
