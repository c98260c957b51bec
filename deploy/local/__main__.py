"""`python -m deploy.local up | down | status [--json]`. Exits 0 when the state asked for is reached."""

import argparse
import json
import sys
from dataclasses import asdict
from urllib.parse import urlsplit

from deploy.local import stack
from deploy.local.settings import StackError

VERBS = {"up": stack.up, "down": stack.down, "status": stack.status}


def main() -> int:
    arguments = _parse()
    try:
        found = VERBS[arguments.verb]()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    print(_json(found) if arguments.json else _text(found))
    return 0 if arguments.verb == "down" or found.up else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Kafka and PostgreSQL without Docker.")
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("--json", action="store_true", help="everything, with the database's password")
    return parser.parse_args()


def _json(found: stack.Stack) -> str:
    return json.dumps({**asdict(found), "up": found.up}, default=str, indent=2)


def _text(found: stack.Stack) -> str:
    return f"{_line('Kafka', found.kafka)}\n{_line('PostgreSQL', found.postgres)}"


def _line(name: str, server: stack.Server) -> str:
    state = "up  " if server.up else "down"
    pid = f"pid {server.pid}" if server.pid else ""
    label = f"{name} {server.version or ''}"
    return f"{state}  {label:<18}{_without_password(server.url or ''):<56}{pid}".rstrip()


def _without_password(url: str) -> str:
    password = urlsplit(url).password if "://" in url else None
    return url.replace(f":{password}@", "@") if password else url


if __name__ == "__main__":
    sys.exit(main())
