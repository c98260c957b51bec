"""Schemathesis against a running gateway: whatever is sent, it never answers with a server error."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode

from shared.testing import Servers
from tests.running import House, finished, house

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ACCOUNTS = b"account,name,currency,limit\n17850,Castle Mobile,GBP,1000.00\n"


OPERATIONS = (
    "post /v1/orders",
    "post /v1/events",
    "post /v1/files/{kind}",
    "get /v1/flows/{flow}",
    "get /v1/flows/{flow}/quarantine",
    "get /v1/held",
    "get /",
)


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(scope="module")
def client(running: House) -> Iterator[httpx.Client]:
    with running.client() as found:
        sent = found.post("/v1/files/accounts", content=ACCOUNTS, headers={"Content-Type": "text/csv"})
        finished(found, sent.json()["flow"])
        yield found


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_gateway_never_answers_with_a_server_error(
    running: House, client: httpx.Client, name: str, mode: GenerationMode
) -> None:
    api = schemathesis.openapi.from_url(f"{running.url}/openapi.json")
    method, path = name.split()
    operation = api[path][method]
    headers = {"Authorization": client.headers["authorization"]}

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def never(case: schemathesis.Case) -> None:
        answer = case.call(headers=headers)
        if answer.status_code != 503:  # an account that is being opened: the sender is told to come back
            case.validate_response(answer, checks=[not_a_server_error])

    never()


def test_every_route_that_is_described_is_tried(running: House) -> None:
    paths = httpx.get(f"{running.url}/openapi.json").json()["paths"]
    assert {f"{method} {path}" for path, methods in paths.items() for method in methods} == set(OPERATIONS)
