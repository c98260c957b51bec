"""What an office has on its desks: a few accounts in two portfolios, and orders that wait for different reasons."""

from __future__ import annotations

import datetime as dt

from tests.browser.office import Office

ACCOUNTS = """account,name,currency,limit,portfolio
CASTLE,Castle Mobile,GBP,1000.00,north
FERN,Ferndale Telecom,GBP,500.00,north
QUAY,Quayside Comms Limited of Newcastle upon Tyne,GBP,100000.00,south
HALDEN,Halden & Sons <Oslo>,GBP,250.00,south
"""
HELD = (
    ("big-1", "CASTLE", "4250.00"),
    ("big-2", "CASTLE", "1800.50"),
    ("fern-1", "FERN", "12000.00"),
    ("halden-1", "HALDEN", "999.99"),
)
RELEASED = (("small-1", "QUAY", "120.00"), ("small-2", "CASTLE", "50.00"))


DEALS = (("SPRING 26", "QUAY", 180_000_00, True), ("PO 77815", "HALDEN", 24_500_00, False))
"""Name, account, value, whether it is approved."""


def furnish(office: Office) -> None:
    office.open_accounts(ACCOUNTS)
    for reference, account, total in (*RELEASED, *HELD):
        office.order(reference, account, total)
    for deal in DEALS:
        announce(office, *deal)


def announce(office: Office, deal: str, account: str, value_minor: int, approved: bool, who: str = "rose") -> None:
    """A deal that is open for nine more days; the director approves it."""
    today = dt.datetime.now(dt.UTC).date()
    until = today + dt.timedelta(days=9)
    window = {"from_on": today.isoformat(), "until_on": until.isoformat()}
    named = {"deal": deal, "account": account}
    value = {"currency": "GBP", "value_minor": value_minor, "evidence": "the buyer's mail of Monday"}
    office.wish("orders.register_deal.v1", named | window | value, who)
    if approved:
        office.wish("orders.approve_deal.v1", named | {"reason": "launch, insured"}, "dora")
