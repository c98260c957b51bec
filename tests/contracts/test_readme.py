"""What the README says of the house is what the code does."""

from __future__ import annotations

import re

import pytest

from quittance.map import MAP, OWNS, README, REPOSITORY, services, whole, with_map


def test_the_map_of_services_in_the_readme_equals_the_code() -> None:
    text = README.read_text()
    assert with_map(text) == text, "run `python -m quittance.map`"


def test_the_map_of_messages_equals_the_code() -> None:
    assert MAP.read_text() == whole(), "run `python -m quittance.map`"


def test_a_readme_without_its_marks_is_refused_with_the_mend() -> None:
    with pytest.raises(ValueError, match="put them back around the map"):
        with_map("# Quittance\n")


def test_every_service_says_what_it_owns() -> None:
    assert {service.name for service in services()} == set(OWNS)


def test_every_file_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
