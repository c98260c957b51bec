"""Signing in at an identity provider: OpenID Connect, code flow with PKCE, by setting (`QUITTANCE_OIDC_*`).

State, nonce and verifier are kept here for one browser and one return; the role comes from the groups that the provider tells.
Whoever has no group with a role here is not let in.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import quote, urlencode

import asyncpg
import httpx
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console import auditing, guarding, mishaps, people, sessions, signin
from services.console.people import NotAPerson, Person
from shared.settings import Settings

log = structlog.get_logger(__name__)

SCOPE = "openid profile email"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures that only the provider can make; `none` and shared secrets are not among them."""
BACK = "/sign-in/back"
WAY_S_MAX = 600
"""How long somebody may take at the provider."""
ASK_S_MAX = 10.0
SKEW_S = 60
_UNPRINTABLE = re.compile(r"[^a-z0-9._@+-]")


class NotLetIn(Exception):
    """The provider's answer does not let anybody in here: why."""


def is_set(settings: Settings) -> bool:
    return bool(settings.oidc_issuer and settings.oidc_client)


# --- out --------------------------------------------------------------------------------------------------------------


async def leave(request: Request) -> Response:
    """To the provider, with a state that only this browser can bring back."""
    settings: Settings = request.app.state.settings
    if not is_set(settings):
        return mishaps.told(request, 404, "There is no such way in", "No provider is set.", "Sign in with name and password.")
    try:
        provider = await _provider(settings)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        log.warning("the identity provider does not answer", error=type(error).__name__)
        return mishaps.told(
            request, 503, "Your organisation's sign-in does not answer", "It was asked where to go.", "Try again in a moment."
        )
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    await request.app.state.pool.execute(
        "insert into way_out (state, browser, nonce, verifier, next) values ($1, $2, $3, $4, $5)",
        sessions.hash_of(state),
        sessions.hash_of(request.state.browser),
        nonce,
        verifier,
        guarding.safe_path(request.query_params.get("next", "/")),
    )
    asked = {
        "response_type": "code",
        "client_id": settings.oidc_client,
        "redirect_uri": _back_url(settings),
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
    }
    mark = "&" if "?" in provider["authorization_endpoint"] else "?"
    return RedirectResponse(f"{provider['authorization_endpoint']}{mark}{urlencode(asked)}", 303)


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _back_url(settings: Settings) -> str:
    return f"{settings.public_url or f'http://{settings.host}:{settings.port}'}{BACK}"


async def _provider(settings: Settings) -> dict[str, Any]:
    """What the provider says of itself. Raises when it says that it is another one."""
    async with httpx.AsyncClient(timeout=ASK_S_MAX) as client:
        answer = await client.get(f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration")
        told: dict[str, Any] = answer.raise_for_status().json()
    if told["issuer"] != settings.oidc_issuer:
        raise ValueError("the provider calls itself by another name")
    return told


# --- and back ---------------------------------------------------------------------------------------------------------


async def come_back(request: Request) -> Response:
    """From the provider, with a code. A state works once, in the browser it was made for."""
    settings: Settings = request.app.state.settings
    way = await _way(request)
    try:
        if way is None:
            raise NotLetIn("the way back is not the way out: it was used before, took too long, or began in another browser")
        claims = await _claims(settings, request, way)
        person = person_of(claims, settings)
        async with request.app.state.pool.acquire() as connection:
            if not await people.note_elsewhere(connection, person, settings.oidc_issuer, str(claims["sub"])):
                raise NotLetIn(f"{person.name} is somebody else's name here, or may not sign in any more")
    except (NotLetIn, NotAPerson) as error:
        await auditing.note(request, "sign-in refused", "", str(error))
        return mishaps.told(request, 403, "You were not let in", f"{error}.".capitalize(), "Begin again, or ask a director.")
    except (httpx.HTTPError, JoseError, ValueError, KeyError) as error:
        log.warning("an answer of the identity provider was refused", error=type(error).__name__)
        await auditing.note(request, "sign-in refused", "", f"the provider's answer: {type(error).__name__}")
        return mishaps.told(
            request, 403, "You were not let in", "Your organisation's answer could not be read.", "Begin again from sign-in."
        )
    return await signin.signed_in(request, person.name, way["next"])


async def _way(request: Request) -> asyncpg.Record | None:
    state = request.query_params.get("state", "")
    found: asyncpg.Record | None = await request.app.state.pool.fetchrow(
        "delete from way_out where state = $1 and browser = $2 and made_at > now() - make_interval(secs => $3) "
        "returning nonce, verifier, next",
        sessions.hash_of(state),
        sessions.hash_of(request.state.browser),
        float(WAY_S_MAX),
    )
    return found


async def _claims(settings: Settings, request: Request, way: asyncpg.Record) -> dict[str, Any]:
    """What the provider signed about this person, checked: for us, by it, in time, for this very way."""
    code = request.query_params.get("code", "")
    if not code:
        raise NotLetIn(f"your organisation said no: {request.query_params.get('error', 'no code came back')[:80]}")
    provider = await _provider(settings)
    token, keys = await asyncio.gather(
        _token(settings, provider["token_endpoint"], code, way["verifier"]), _keys(provider["jwks_uri"])
    )
    return checked_claims(token, keys, settings, way["nonce"], dt.datetime.now(dt.UTC))


async def _token(settings: Settings, url: str, code: str, verifier: str) -> str:
    """The ID token for this code (RFC 6749, 4.1.3; RFC 7636, 4.5). A client with a secret proves itself by Basic."""
    secret = settings.oidc_secret.get_secret_value()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _back_url(settings),
        "client_id": settings.oidc_client,
        "code_verifier": verifier,
    }
    proof = httpx.BasicAuth(quote(settings.oidc_client, safe=""), quote(secret, safe="")) if secret else httpx.USE_CLIENT_DEFAULT
    async with httpx.AsyncClient(timeout=ASK_S_MAX) as client:
        answer = await client.post(url, data=form, auth=proof)
    token: str = answer.raise_for_status().json()["id_token"]
    return token


async def _keys(url: str) -> KeySet:
    async with httpx.AsyncClient(timeout=ASK_S_MAX) as client:
        return KeySet.import_key_set((await client.get(url)).raise_for_status().json())


def checked_claims(token: str, keys: KeySet, settings: Settings, nonce: str, now: dt.datetime) -> dict[str, Any]:
    """The claims of an ID token. Raises `JoseError` for what is not signed, expired, not by the issuer, or not for us."""
    claims = dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=SKEW_S,
        iss={"essential": True, "value": settings.oidc_issuer},
        aud={"essential": True, "value": settings.oidc_client},
        exp={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    registry.validate(claims)
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != settings.oidc_client:
        raise NotLetIn("the answer was made for another application")
    return claims


def person_of(claims: dict[str, Any], settings: Settings) -> Person:
    """Who this is here. The role is that of the first mapping with one of their groups. Raises `NotLetIn`."""
    told = claims.get(settings.oidc_groups) or []
    groups = {told} if isinstance(told, str) else {str(group) for group in told}
    role = next((role for group, role in settings.oidc_roles.items() if group in groups), None)
    if role is None:
        raise NotLetIn("none of your groups has a role here")
    name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
    plain = _UNPRINTABLE.sub("", people.plain_name(name))
    return Person(plain, str(claims.get("name") or plain)[:100], role, settings.oidc_team)


ROUTES = [Route("/sign-in/elsewhere", leave, methods=["GET"]), Route(BACK, come_back, methods=["GET"])]
