"""Mapping files are checked whole before anything is read, and headers against them."""

from pathlib import Path

import pytest

from services.gateway.mapping import MAPPINGS, MappingError, WrongShape, load, mappings, positions

GOOD = (MAPPINGS / "wholesale.yaml").read_text()


def loaded(folder: Path, text: str) -> None:
    path = folder / "mine.yaml"
    path.write_text(text)
    load(path)


def test_every_mapping_of_the_house_can_be_used() -> None:
    assert set(mappings()) >= {"accounts", "orders", "wholesale"}


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("encoding: utf-8", "encodings: utf-8", "mine.yaml: unknown key `encodings`; allowed keys: about, documents,"),
        ("rows: consecutive", "row: each", "unknown key `documents.row`; allowed keys: becomes, rows, cases"),
        ("  sku: sku", "  article: sku", "unknown name `article` in `columns`; allowed: reference, account,"),
        ("encoding: utf-8", "encoding: utf-16", "unknown name `utf-16` in `encoding`; allowed: utf-8, latin-1"),
        ("currency: GBP", "currency: XXX", "unknown name `XXX` in `currency`"),
        ("Europe/London", "Europe/Londres", "unknown `time_zone` `Europe/Londres`"),
        ("  account: account\n", "", "`columns` must also say which column is: account"),
        ('delimiter: ","', 'delimiter: ",,"', "`delimiter` must be one character"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused_by_file_and_key(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    assert was in GOOD
    with pytest.raises(MappingError) as error:
        loaded(tmp_path, GOOD.replace(was, becomes))
    assert told in str(error.value)


def test_text_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no readable YAML"):
        loaded(tmp_path, "a: [")


def test_a_header_of_the_wrong_shape_is_refused_with_missing_and_unknown_columns() -> None:
    with pytest.raises(WrongShape) as error:
        positions(mappings()["accounts"], ["account", "naam", "currency", "currency"])
    told = str(error.value)
    assert "missing columns: 'name', 'limit'" in told
    assert "unknown columns: 'naam'" in told
    assert "columns named twice: 'currency'" in told


def test_optional_columns_may_be_absent_and_a_byte_order_mark_is_no_part_of_a_name() -> None:
    found = positions(mappings()["accounts"], ["\ufeffaccount", "name", "currency", "limit"])
    assert found == {"account": 0, "name": 1, "currency": 2, "limit": 3}
