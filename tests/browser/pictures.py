"""`python -m tests.browser.pictures [WORDS…]`: a picture of every page in both themes and widths, into build/pictures.

Of the running installation (`make run`), signed in as the people of its day; without one, of an office of our own. WORDS: only
pages whose name holds one of them. Says what axe finds serious and what scrolls sideways, and ends with 1 if there is anything.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import sync_playwright

from deploy.local.settings import REPOSITORY
from quittance import installation, people
from shared import testing
from tests.browser import office as offices
from tests.browser.furnishing import furnish
from tests.browser.looks import LOOKS, SIZES, THEMES, Look, grave_faults, opened, scrolls_sideways
from tests.browser.office import Office, launched, office
from tests.running import House

FOLDER = REPOSITORY / "build" / "pictures"


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description="Pictures of every page.")
    asked.add_argument("words", nargs="*", help="only pages whose name holds one of these")
    words = asked.parse_args().words
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _running() as found:
        faults = list(_take(found, [look for look in LOOKS if not words or any(word in look.name for word in words)]))
    print(f"{FOLDER}: {len(list(FOLDER.glob('*.png')))} pictures")
    return 1 if faults else 0


def _take(found: Office, looks: Sequence[Look]) -> Iterator[str]:
    for look in looks:
        for theme in THEMES:
            for size in SIZES:
                page = opened(found, look, theme, size)
                page.screenshot(path=FOLDER / f"{look.name}-{theme}-{size}.png", full_page=size == "phone")
                sideways = scrolls_sideways(page)
                told = grave_faults(page) + ([f"scrolls sideways by {sideways} px"] if sideways else []) + found.faults
                for fault in told:
                    print(f"{look.name} {theme} {size}: {fault}", flush=True)
                yield from told
                found.faults.clear()
                found.close_pages()


@contextmanager
def _running() -> Iterator[Office]:
    """The office that `make run` opened, if it answers; else one of our own."""
    settings = installation.chosen()
    url, password = installation.console_url(settings), people.password_path(settings)
    if password.exists() and _answers(url):
        offices.PASSWORD = password.read_text().strip()
        house = House(settings, installation.gateway_url(settings), {"console": url})
        with sync_playwright() as playwright, launched(playwright) as browser:
            yield Office(house, browser)
    else:
        with testing.servers() as servers, tempfile.TemporaryDirectory() as home, office(servers, Path(home)) as found:
            furnish(found)
            yield found


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    sys.exit(main())
