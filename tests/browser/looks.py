"""Every page of the console, and what each must be at any time: readable for everybody, in both themes and on both widths.

A page of the navigation is looked at by itself; pages behind them are named here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from playwright.sync_api import Page

from deploy.local.settings import REPOSITORY
from quittance.people import DEMO
from services.console.pages import NAVIGATION
from services.console.serving import paths
from tests.browser.office import DESKTOP, PHONE, Office

AXE = REPOSITORY / "services" / "console" / "assets" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""All that another theme can change: the rest of a page is the same in both."""
GRAVE = ("serious", "critical")
THEMES = ("light", "dark")
SIZES = {"desktop": DESKTOP, "phone": PHONE}
SETTLES_MS = 400
"""Longer than any transition of the style sheet, and than charts take to be drawn."""


class Look(NamedTuple):
    """A page as somebody sees it; `who` empty: nobody has signed in."""

    name: str
    who: str
    path: str


def _of_navigation() -> list[Look]:
    """Each page of the navigation, as seen by the first of the demo day's people who may."""
    served = paths()
    return [
        Look(path[1:], next(person.name for person in DEMO if person.role in roles), path)
        for _, _, path, roles in NAVIGATION
        if path in served
    ]


BEHIND: tuple[Look, ...] = (
    Look("sign-in", "", "/sign-in"),
    Look("refused", "rose", "/audit"),
    Look("missing", "rose", "/no-such-page"),
    Look("announcing", "rose", "/deals?new=1"),
    Look("to mend", "otto", "/ops/parked"),
    Look("unallocated", "rose", "/receivables/unallocated"),
    Look("dso", "rose", "/receivables/dso"),
    Look("offsets", "rose", "/receivables/offsets?all=1"),
    Look("written off", "rose", "/receivables/written-off"),
    Look("erp", "rose", "/receivables/erp"),
    Look("late payment", "rose", "/late-payment/CASTLE"),
    Look("ledger", "rose", "/ledger/CASTLE"),
    Look("cash missing", "rose", "/cash?on=receipt~nothing"),
)
"""Pages that are not in the navigation. Those of the furnished office (`furnishing.py`) have its names in their paths."""

LOOKS = [*_of_navigation(), *BEHIND]


def opened(office: Office, look: Look, theme: str = "light", size: str = "desktop") -> Page:
    """The page as it stands once nothing more comes by itself."""
    page = office.visit(look.who, look.path, SIZES[size], theme) if look.who else office.stranger(SIZES[size], theme)
    if not look.who:
        page.goto(look.path)
    _settle(page)
    return page


def turned(page: Page, theme: str, size: str) -> None:
    """The same page as another machine would show it."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    _settle(page)


def _settle(page: Page) -> None:
    page.wait_for_load_state("load")
    page.wait_for_timeout(SETTLES_MS)


def grave_faults(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """What axe finds serious or critical, each with where; by rules or by groups of them."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("rules => axe.run({runOnly: rules}).then(done => done.violations)", list(rules))
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def scrolls_sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width
