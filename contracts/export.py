"""`python -m contracts.export` writes what others read of the contracts: JSON Schemas and the AsyncAPI document.

Both are made from the declarations and committed; a test refuses files that differ from the code, and changes that
break what is already written. Who hears what is read from the services' tables, the only thing not declared here.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from contracts.catalogue import MESSAGES, SERVICES, TOPICS, messages_of
from contracts.envelope import ENVELOPES, SEQUENCE_DIGITS, TYPE_NAMES
from contracts.message import Message, topic_of

HERE = Path(__file__).parent
VERSION = "1.0.0"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONTENT_TYPE = "application/cloudevents+json"
KAFKA_BINDING = "0.5.0"

Schema = dict[str, Any]
Hears = Mapping[str, Iterable[type[Message]]]
"""Service → the messages it hears."""

FORGIVEN: dict[str, str] = dict.fromkeys(
    (
        "orders.order_held.v1: $.data.clock.from_at is newly required",
        "orders.order_referred.v1: $.data.clock.from_at is newly required",
    ),
    "clocks were declared before anybody could say one",
)
"""`<type>: <break>` → why no message of the older form exists anywhere. Empty from the first release on."""

ATTRIBUTES: dict[str, Schema] = {
    "type": {"description": "Which message this is: service, name, major version."},
    "specversion": {"const": "1.0", "description": "CloudEvents version."},
    "id": {"minLength": 1, "description": "Names this message for ever; a repeated id is the same message."},
    "source": {"minLength": 1, "format": "uri-reference", "description": "Its writer: /<service>/<partition>."},
    "time": {"format": "date-time", "description": "When it happened, by the installation's clock (UTC)."},
    "subject": {"minLength": 1, "description": "What it is about: the account, order or file."},
    "partitionkey": {"minLength": 1, "description": "Home of the credit group (official extension Partitioning)."},
    "sequence": {
        "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$",
        "description": "Dense from 1 per writer and topic partition, padded (official extension Sequence).",
    },
    "correlationid": {"minLength": 1, "description": "The flow this belongs to (official extension Correlation)."},
    "causationid": {"minLength": 1, "description": "The message that caused it (official extension Correlation)."},
    "traceparent": {"minLength": 1, "description": "W3C trace context (official extension Distributed Tracing)."},
    "actorid": {"minLength": 1, "description": "Who asked for it, from the credential."},
    "actorrole": {"minLength": 1, "description": "The role in which they asked."},
    "teamid": {"minLength": 1, "description": "The team of the credential."},
    "data": {},
}
"""What the exported envelope says beyond the declared types. An attribute that would be empty is left out."""


def schema_of(message: type[Message]) -> Schema:
    """The JSON Schema of the whole CloudEvent that carries this message."""
    envelope = ENVELOPES[message]
    _, parts = msgspec.json.schema_components([envelope], ref_template="#/$defs/{name}")
    body = parts.pop(envelope.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:quittance:{TYPE_NAMES[message]}", "title": TYPE_NAMES[message]}
    attributes = _attributes(body["properties"])
    schema = {**head, **body, "title": head["title"], "properties": attributes, "$defs": parts}
    plain: Schema = msgspec.json.decode(msgspec.json.encode(schema))  # as a file has it: an empty tuple is a list
    return plain


def _attributes(properties: Schema) -> Schema:
    return {name: _attribute(declared, ATTRIBUTES[name]) for name, declared in properties.items()}


def _attribute(declared: Schema, more: Schema) -> Schema:
    return {**{key: value for key, value in declared.items() if key != "default"}, **more}


def asyncapi(hears: Hears) -> Schema:
    """The AsyncAPI 3.0.0 document: every topic a channel, every service's sends and receives an operation.

    It holds its schemas itself instead of pointing at the files beside it: tools are often given the text alone.
    """
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Quittance",
            "version": VERSION,
            "description": "Order to cash on one event log. Every message is a CloudEvent in structured JSON; its text "
            "never holds NUL. Unknown fields are to be ignored. Money is whole minor units with a currency.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"local": {"host": "127.0.0.1:19092", "protocol": "kafka", "description": "What `make up` starts."}},
        "channels": {topic: _channel(topic) for topic in TOPICS},
        "operations": _operations(hears),
        "components": {
            "messages": {name: _message(name, MESSAGES[name]) for name in sorted(MESSAGES)},
            "schemas": {"headers": _headers(), **_payloads()},
        },
    }


def _channel(topic: str) -> Schema:
    service = topic.removesuffix(".commands")
    wish = topic != service
    return {
        "address": topic,
        "title": f"Wishes to {service}" if wish else f"Facts of {service}",
        "description": inspect.cleandoc(importlib.import_module(f"contracts.{service}").__doc__ or "").split("\n")[0],
        "servers": [{"$ref": "#/servers/local"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in sorted(messages_of(topic))},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": KAFKA_BINDING}},
    }


def _message(name: str, message: type[Message]) -> Schema:
    return {
        "name": name,
        "title": message.__name__,
        "summary": summary_of(message),
        "contentType": CONTENT_TYPE,
        "correlationId": {"description": "The flow.", "location": "$message.payload#/correlationid"},
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": _kafka_key(), "bindingVersion": KAFKA_BINDING}},
    }


def _payloads() -> Schema:
    """The envelope of every message by type name, and what they carry by class name."""
    names = sorted(MESSAGES)
    bodies, parts = msgspec.json.schema_components([MESSAGES[name] for name in names], ref_template="#/components/schemas/{name}")
    return {name: _payload(name, data) for name, data in zip(names, bodies, strict=True)} | parts


def _payload(name: str, data: Schema) -> Schema:
    envelope = schema_of(MESSAGES[name])
    return {
        "type": "object",
        "properties": {**envelope["properties"], "data": data},
        "required": envelope["required"],
    }


def summary_of(message: type[Message]) -> str:
    """The first paragraph of its docstring, or its name in words; never the docstring it inherits."""
    own = " ".join(inspect.cleandoc(message.__dict__.get("__doc__") or "").split("\n\n")[0].split())
    return own or f"{' '.join(TYPE_NAMES[message].split('.')[1].split('_')).capitalize()}."


def _kafka_key() -> Schema:
    return {"type": "string", "minLength": 1, "description": "The partitionkey: one credit group, one partition."}


def _headers() -> Schema:
    """Repeated outside the body, so that an unreadable body can still be placed."""
    texts = {"ce_source": "The writer.", "ce_sequence": "Its number, not padded.", "ce_id": "The message's id."}
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _operations(hears: Hears) -> Schema:
    operations: Schema = {}
    for service in SERVICES:
        if messages_of(service):
            operations[f"{service}.says"] = _operation("send", service, messages_of(service))
        for topic, names in _by_topic(_sent_by(service, hears)).items():
            operations[f"{service}.sends.{topic}"] = _operation("send", topic, names)
        for topic, names in _by_topic(_heard_by(service, hears)).items():
            operations[f"{service}.hears.{topic}"] = _operation("receive", topic, names)
    return operations


def _heard_by(service: str, hears: Hears) -> set[type[Message]]:
    return set(hears.get(service, ())) - _passed_on_by(service, hears)


def _sent_by(service: str, hears: Hears) -> set[type[Message]]:
    """Commands it passes on for others, and those of its own topic that nobody passes on: it gives them to itself."""
    passed_on = {message for other in hears for message in _passed_on_by(other, hears)}
    own = {message for message in messages_of(f"{service}.commands").values() if message not in passed_on}
    return own | _passed_on_by(service, hears)


def _passed_on_by(service: str, hears: Hears) -> set[type[Message]]:
    """A command of another service comes by mail, and goes on to that service's topic."""
    return {message for message in hears.get(service, ()) if message.is_command and _owner(message) != service}


def _owner(message: type[Message]) -> str:
    return topic_of(message).removesuffix(".commands")


def _by_topic(messages: Iterable[type[Message]]) -> dict[str, list[str]]:
    heard = sorted((topic_of(message), TYPE_NAMES[message]) for message in messages)
    return {topic: [name for at, name in heard if at == topic] for topic in sorted({topic for topic, _ in heard})}


def _operation(action: str, topic: str, names: Iterable[str]) -> Schema:
    channel = {"$ref": f"#/channels/{topic}"}
    return {
        "action": action,
        "channel": channel,
        "messages": [{"$ref": f"{channel['$ref']}/messages/{name}"} for name in sorted(names)],
    }


def exported(hears: Hears) -> dict[Path, str]:
    """Every exported file, by its path under this folder."""
    schemas = {Path("schemas", f"{name}.json"): _json(schema_of(message)) for name, message in MESSAGES.items()}
    return {**schemas, Path("asyncapi.yaml"): _yaml(asyncapi(hears))}


def _json(schema: Schema) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


class _Plain(yaml.SafeDumper):
    """Every mapping written out: no anchors, which tools for AsyncAPI read badly."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: Schema) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


def heard_by_services() -> Hears:
    """The tables of every service that exists, imported at run time only: contracts themselves know no service."""
    apps = (service for service in SERVICES if _exists(f"services.{service}") and _exists(f"services.{service}.app"))
    return {service: _tables(importlib.import_module(f"services.{service}.app").SERVICE) for service in apps}


def _tables(service: Any) -> tuple[type[Message], ...]:
    """What it hears on topics, and the commands that come to it by mail."""
    mail = (message for message in getattr(service, "mail", ()) if message.is_command)
    return (*service.hears, *mail)


def _exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def write(folder: Path, files: Mapping[Path, str]) -> list[Path]:
    """Write what changed and remove schemas of messages that exist no more; returns the paths touched."""
    stale = [path for path in folder.glob("schemas/*.json") if path.relative_to(folder) not in files]
    changed = [folder / path for path, text in files.items() if _differs(folder / path, text)]
    for path in stale:
        path.unlink()
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path.relative_to(folder)], encoding="utf-8")
    return sorted([*stale, *changed])


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m contracts.export", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--to", type=Path, default=HERE, help="folder to write to (default: contracts/)")
    touched = write(parser.parse_args().to, exported(heard_by_services()))
    sys.stdout.writelines(f"{path.name}\n" for path in touched)


if __name__ == "__main__":
    main()
