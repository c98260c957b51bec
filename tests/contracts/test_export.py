"""What is exported equals what is declared, and breaks nothing that was ever written (G4)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts import accounts, orders
from contracts.catalogue import MESSAGES, TOPICS
from contracts.compatibility import breaking_changes
from contracts.export import FORGIVEN, HERE, asyncapi, exported, heard_by_services, schema_of, summary_of, write
from contracts.message import Message, type_name

ROOT = Path(__file__).parents[2]
SCHEMAS = "contracts/schemas"
MEND = "run `python -m contracts.export` and commit what it writes"


def git(*arguments: str, given: str = "") -> bytes:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, input=given.encode(), capture_output=True, check=True).stdout


def has_history() -> bool:
    """False in an unpacked archive and before the very first commit: nothing older exists to be broken."""
    found = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, check=False)
    return found.returncode == 0


def versions_ever_committed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Type name and content of every schema version in the history: each may still lie in someone's journal."""
    listed = git("rev-list", "--objects", "HEAD", "--", SCHEMAS).decode().splitlines()
    blobs = [line.split(" ", 1) for line in listed if line.endswith(".json")]
    for blob, path in blobs:
        yield Path(path).stem, json.loads(git("cat-file", "blob", blob))


def test_the_committed_files_are_what_the_code_exports() -> None:
    for path, text in exported(heard_by_services()).items():
        assert (HERE / path).exists(), f"contracts/{path} is missing: {MEND}"
        assert (HERE / path).read_text(encoding="utf-8") == text, f"contracts/{path} is stale: {MEND}"


def test_no_schema_is_left_of_a_message_that_is_gone() -> None:
    assert {path.stem for path in (HERE / "schemas").iterdir()} == set(MESSAGES), MEND


def test_no_declaration_breaks_what_was_ever_written() -> None:
    """A change that does break needs a new major beside the old one (README of contracts)."""
    breaks = [
        f"{name}: {sentence}"
        for name, before in (versions_ever_committed() if has_history() else ())
        for sentence in (breaking_changes(before, schema_of(MESSAGES[name])) if name in MESSAGES else ["is gone"])
    ]
    assert sorted(set(breaks) - set(FORGIVEN)) == []


@pytest.mark.parametrize("declared", MESSAGES.values(), ids=MESSAGES)
def test_an_exported_schema_breaks_nothing_of_itself(declared: type[Message]) -> None:
    assert breaking_changes(json.loads(json.dumps(schema_of(declared))), schema_of(declared)) == []


@pytest.mark.parametrize("declared", MESSAGES.values(), ids=MESSAGES)
def test_an_exported_schema_is_a_valid_schema(declared: type[Message]) -> None:
    schema = schema_of(declared)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(type_name(declared))


@pytest.mark.parametrize("declared", MESSAGES.values(), ids=MESSAGES)
def test_every_attribute_and_message_is_documented(declared: type[Message]) -> None:
    schema = schema_of(declared)
    assert all(attribute.get("description") for name, attribute in schema["properties"].items() if name != "data")
    assert summary_of(declared).endswith(".")


def test_who_sends_commands_is_in_the_document() -> None:
    document = asyncapi({"orders": (orders.PlaceOrder, orders.RedecideOrder), "gateway": (orders.PlaceOrder,)})
    sends = {name: len(operation["messages"]) for name, operation in document["operations"].items()}
    assert sends["gateway.sends.orders.commands"] == 1
    assert "gateway.hears.orders.commands" not in sends
    given_to_itself = document["operations"]["orders.sends.orders.commands"]["messages"]
    assert {"$ref": "#/channels/orders.commands/messages/orders.redecide_order.v1"} in given_to_itself
    assert {"$ref": "#/channels/orders.commands/messages/orders.place_order.v1"} not in given_to_itself


def test_every_topic_is_a_channel_keyed_by_the_home() -> None:
    document = asyncapi({})
    assert list(document["channels"]) == list(TOPICS)
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_who_hears_what_is_in_the_document() -> None:
    document = asyncapi({"orders": (accounts.LimitChanged, orders.PlaceOrder)})
    operations = document["operations"].items()
    receives = {name: operation for name, operation in operations if operation["action"] == "receive"}
    assert receives["orders.hears.accounts"]["messages"] == [{"$ref": "#/channels/accounts/messages/accounts.limit_changed.v1"}]
    assert set(receives) == {"orders.hears.accounts", "orders.hears.orders.commands"}


def test_the_tables_of_the_services_are_found() -> None:
    assert accounts.OpenAccount in heard_by_services()["accounts"]


def test_a_second_export_writes_nothing(tmp_path: Path) -> None:
    files = {Path("schemas", "orders.order_held.v1.json"): "{}\n", Path("asyncapi.yaml"): "asyncapi: 3.0.0\n"}
    assert sorted(write(tmp_path, files)) == sorted(tmp_path / path for path in files)
    assert write(tmp_path, files) == []


def test_an_export_removes_what_is_no_longer_declared(tmp_path: Path) -> None:
    stale = tmp_path / "schemas" / "orders.order_forgotten.v1.json"
    stale.parent.mkdir()
    stale.write_text("{}", encoding="utf-8")
    assert write(tmp_path, {}) == [stale]
    assert not stale.exists()
