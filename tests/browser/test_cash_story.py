"""The story of the whole: an order is held for its limit, a bank file is dropped, its cash finds its invoice, and the order goes,
live on the desk of somebody who does nothing but look (O7, P3, P5, P6)."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.office import Office, until
from tests.running import REPOSITORY

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

ACCOUNT, INVOICE = "STORY1", "INV-2026-778812"
LIMIT, BILLED, ORDERED = "1000.01", 900_00, "500.00"
LIVE_MS_MAX = 30_000


def mt940(invoice: str, amount: str, on: dt.date) -> bytes:
    """A day's statement as a bank writes it: opening, one credit that names the invoice, closing."""
    day, entered = on.strftime("%y%m%d"), on.strftime("%m%d")
    lines = (
        ":20:STMT",
        ":25:GB82WEST12345698765432",
        f":28C:{on.timetuple().tm_yday}/1",
        f":60F:C{day}GBP1000,00",
        f":61:{day}{entered}C{amount}NTRFNONREF//B{day}",
        f":86:/REMI/payment for {invoice}/NAME/STORY PHONES/",
        f":62F:C{day}GBP1900,00",
        "-",
    )
    return "\r\n".join(lines).encode()


def drop(office: Office, content: bytes) -> str:
    """A bank file at the gateway's door; its flow."""
    with office.client() as client:
        sent = client.post("/v1/files/bank?name=day.sta", content=content, headers={"Content-Type": "application/octet-stream"})
        assert sent.status_code == 202, sent.text
        return str(sent.json()["flow"])


def trace(office: Office, subject: str) -> str:
    """What `quittance trace` prints."""
    settings = office.house.settings
    environment = os.environ | {
        "QUITTANCE_KAFKA": settings.kafka, "QUITTANCE_POSTGRES": settings.postgres, "QUITTANCE_NAMESPACE": settings.namespace,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "quittance", "trace", subject], cwd=REPOSITORY, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_held_order_goes_the_moment_its_account_has_paid(office: Office) -> None:  # must show 7
    today = dt.datetime.now(dt.UTC).date()
    office.open_accounts(f"account,name,currency,limit,portfolio\n{ACCOUNT},Story Phones,GBP,{LIMIT},south\n")
    bill = {"account": ACCOUNT, "item": INVOICE, "kind": "invoice", "amount_minor": BILLED, "currency": "GBP"}
    told = office.wish("payments.post_item.v1", bill | {"document_on": (today - dt.timedelta(days=5)).isoformat()})
    assert told["outcome"] == "posted", told
    held = until(lambda: office.order("story-1", ACCOUNT, ORDERED))
    assert held["outcome"] in ("held", "referred"), held

    page = office.visit("rose", "/")
    row = page.locator('#queue tr[data-order="home/story-1"]')
    expect(row).to_be_visible()

    drop(office, mt940(INVOICE, "900,00", today))
    expect(row).to_have_count(0, timeout=LIVE_MS_MAX)

    page = office.visit("rose", f"/accounts/{ACCOUNT}")
    expect(page.locator("#items")).not_to_contain_text(INVOICE)
    way = trace(office, "home/story-1")
    told = ("order held", "take statement", "statement taken", "receive cash", "item posted", "recheck opened", "order released")
    assert [word for word in told if word in way] == list(told), way
    assert sorted(told, key=way.index) == list(told), way
