"""The acquirer over HTTP: one question, one answer, or none. A question without an answer is unknown, never declined."""

from __future__ import annotations

import httpx
import msgspec
import structlog

from services.payments.cards.port import OUTCOMES, Outcome, Question

log = structlog.get_logger(__name__)

ANSWER_S_MAX = 10.0
"""How long an answer may take; what comes later comes by callback, or under the same key at the next turn."""
ANSWER_BYTES_MAX = 65_536

_outcome = msgspec.json.Decoder(Outcome).decode


class HttpAcquirer:
    """`Acquirer` in the sandbox's protocol: POST /v1/payments with an Idempotency-Key. A real one gets an adapter of its own."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """`client` has base_url, credentials and timeout (`client_of`)."""
        self._client = client

    async def ask(self, question: Question) -> Outcome | None:
        try:
            answer = await self._client.post(
                "/v1/payments", content=msgspec.json.encode(question), headers={"Idempotency-Key": question.key}
            )
        except httpx.HTTPError as error:
            log.warning("the acquirer did not answer", key=question.key, error=type(error).__name__)
            return None
        return _read(question, answer)


def client_of(url: str, token: str, timeout_s: float = ANSWER_S_MAX) -> httpx.AsyncClient:
    headers = {"Content-Type": "application/json"}
    if token:  # "Bearer " with nothing behind it is no header, and the question would never leave
        headers["Authorization"] = f"Bearer {token}"
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, follow_redirects=False)


def _read(question: Question, answer: httpx.Response) -> Outcome | None:
    """Only a whole 200 is an outcome; the rest is unknown, and said in the log without the body (it may repeat a token)."""
    if answer.status_code != 200:
        level = log.error if 400 <= answer.status_code < 500 else log.info
        level("no outcome yet", key=question.key, status=answer.status_code)
        return None
    try:
        found: Outcome = _outcome(answer.content[: ANSWER_BYTES_MAX + 1])
    except msgspec.DecodeError:
        log.error("an answer that cannot be read", key=question.key)
        return None
    if found.outcome not in OUTCOMES:
        log.error("an answer that means nothing here", key=question.key, outcome=found.outcome[:40])
        return None
    return found
