"""What an office has on its desks: a few accounts in two portfolios, and orders that wait for different reasons."""

from __future__ import annotations

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


def furnish(office: Office) -> None:
    office.open_accounts(ACCOUNTS)
    for reference, account, total in (*RELEASED, *HELD):
        office.order(reference, account, total)
