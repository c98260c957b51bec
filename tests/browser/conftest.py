"""One office for all tests of pages: starting it takes longer than most of them.

Playwright's loop runs in this thread as long as the office is open, so tests here are not `async`, and it closes with the folder.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.testing import Servers
from tests.browser.furnishing import furnish
from tests.browser.office import Office
from tests.browser.office import office as opened


@pytest.fixture(scope="package")
def building(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with opened(stack, tmp_path_factory.mktemp("office")) as found:
        furnish(found)
        yield found


@pytest.fixture
def office(building: Office) -> Iterator[Office]:
    """The office, with every browser closed afterwards; a page that did what none may fails its test."""
    yield building
    building.close_pages()
