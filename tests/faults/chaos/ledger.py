"""The ledger's books at rest, counted anew by the database from single lines, items and entries: what does not agree."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faults.chaos.looking import Desk

BODY = "convert_from(body, 'utf8')::jsonb"
ITEMS = f"""
    select key as item, account, amount_minor, open_minor, coalesce(({BODY}->>'open_base_minor')::bigint, 0) as base_minor
    from item"""
ACCOUNTS = f"select key as account, coalesce(({BODY}->>'balance_minor')::bigint, 0) as balance_minor from account"
RECEIPTS = f"""
    select key as receipt, account, ({BODY}->>'amount_minor')::bigint as amount_minor,
        coalesce({BODY}->>'state', 'pending') as state,
        coalesce(({BODY}->>'unallocated_minor')::bigint, 0) as unallocated_minor, {BODY}->'standing' as standing
    from receipt"""
LANDED = f"""
    select key, {BODY}->>'bank_account' as bank_account, coalesce({BODY}->>'state', 'new') as state,
        {BODY}->>'receipt' as receipt, ({BODY}->'entry'->>'amount_minor')::bigint as amount_minor
    from landed"""

UNBALANCED: Mapping[str, str] = {
    "an entry that does not sum to zero": "select account, entry from ledger group by 1, 2 having sum(base_minor) <> 0",
    "money in transit or between accounts of a group": """
        select ledger, sum(base_minor) from ledger where ledger in ('transit', 'group') group by 1 having sum(base_minor) <> 0""",
    "an item that is not what its entries say": f"""
        select items.*, sum(ledger.base_minor) from ({ITEMS}) as items left join ledger using (item)
        group by items.item, items.account, items.amount_minor, items.open_minor, items.base_minor
        having coalesce(sum(ledger.base_minor), 0) <> items.base_minor""",
    "a balance that is not the sum of open items": f"""
        select accounts.*, sum(items.base_minor) from ({ACCOUNTS}) as accounts left join ({ITEMS}) as items using (account)
        group by accounts.account, balance_minor having coalesce(sum(items.base_minor), 0) <> balance_minor""",
    "an item settled below nothing or opened above its amount": f"""
        select * from ({ITEMS}) as items
        where abs(open_minor) > abs(amount_minor) or sign(open_minor) * sign(amount_minor) < 0""",
    "a receipt that is not what is left of its matches": f"""
        select receipts.* from ({RECEIPTS}) as receipts cross join lateral (
            select coalesce(sum((convert_from(match.body, 'utf8')::jsonb->>'allocated_minor')::bigint), 0) as allocated_minor
            from match where match.key in (select jsonb_array_elements_text(receipts.standing))) as matched
        where state <> 'gone' and (unallocated_minor <> amount_minor - allocated_minor or unallocated_minor < 0)""",
    "suspense that is not what waits in it": f"""
        select bank_account, waiting, entered from (
            select bank_account, sum(amount_minor) filter (where state in ('new', 'unrecognised')) as waiting
            from ({LANDED}) as landed group by 1) as told
        left join (select account as bank_account, -sum(base_minor) as entered from ledger where ledger = 'suspense' group by 1)
            as posted using (bank_account)
        where coalesce(waiting, 0) <> coalesce(entered, 0)""",
    "recognised cash that is not one receipt": f"""
        select landed.key, receipts.receipt from (select * from ({LANDED}) as all_of_it where state = 'recognised') as landed
        full join (select * from ({RECEIPTS}) as all_of_them where state <> 'gone') as receipts using (receipt)
        where landed.amount_minor is distinct from receipts.amount_minor""",
}
STUCK: Mapping[str, str] = {
    "a receipt that waits to be matched": "select key from receipt where pending_home is not null",
    "an entry that waits to be recognised": "select key from landed where new_at is not null",
}


async def ledger_findings(desk: Desk) -> list[tuple[str, str]]:
    """(count it belongs to, what)."""
    return [
        (kind, f"payments: {what}: {tuple(row)}")
        for kind, queries in (("unbalanced", UNBALANCED), ("stuck", STUCK))
        for what, query in queries.items()
        for row in await desk.fetch(query)
    ]
