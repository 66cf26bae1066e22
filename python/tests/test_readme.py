"""The FastAPI lines of the README and of docs/start.md, executed as they stand."""

import asyncio
import re
import secrets
import time
from pathlib import Path

import httpx
import pytest

from signer import claims, header, hkdf, sign, thumbprint

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/start.md", "python/README.md"]
WEB, API = "http://localhost:3000", "http://localhost:8000"


def block(page: str, title: str) -> str:
    found = re.findall(
        rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```', (ROOT / page).read_text("utf-8"), re.M | re.S
    )
    assert len(found) == 1, f"{page} needs one block with title={title!r}"
    return found[0]


@pytest.fixture(params=PAGES)
def shown(request, monkeypatch):
    """The app of one page, and a secret that it was given."""
    secret = secrets.token_urlsafe(32)
    monkeypatch.delenv("BETTER_AUTH_SECRETS", raising=False)
    monkeypatch.delenv("JWT_BRIDGE_ISSUER", raising=False)
    monkeypatch.setenv("BETTER_AUTH_SECRET", secret)
    monkeypatch.setenv("BETTER_AUTH_URL", WEB)
    monkeypatch.setenv("JWT_BRIDGE_AUDIENCE", API)
    names = {"__name__": "main"}
    exec(compile(block(request.param, "main.py"), "main.py", "exec"), names)
    return names["app"], secret


def call(app, path: str, **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=API) as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


def token_of(user: str, secret: str) -> str:
    key, now = hkdf(secret, API), int(time.time())
    body = claims(sub=user, user_id=user, iss=WEB, client_id=WEB, aud=API, iat=now, exp=now + 300)
    return sign(header(kid=thumbprint(key)), body, key)


def test_401_without_a_token(shown):
    answer = call(shown[0], "/api/alice/tasks")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {"detail": "Not authenticated", "error": "token_missing"}


def test_200_with_a_token(shown):
    app, secret = shown
    answer = call(app, "/api/alice/tasks", authorization=f"Bearer {token_of('alice', secret)}")
    assert (answer.status_code, answer.json()) == (200, ["a task of alice"])


def test_403_in_another_users_path(shown):
    app, secret = shown
    answer = call(app, "/api/bob/tasks", authorization=f"Bearer {token_of('alice', secret)}")
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_401_with_a_token_under_another_secret(shown):
    other = token_of("alice", secrets.token_urlsafe(32))
    answer = call(shown[0], "/api/alice/tasks", authorization=f"Bearer {other}")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("shown", PAGES[:2], indirect=True)
def test_the_browser_may_read_a_refusal(shown):
    answer = call(shown[0], "/api/alice/tasks", origin=WEB)
    assert answer.headers["access-control-allow-origin"] == WEB
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed == {"www-authenticate", "retry-after"}


def test_the_verifier_of_the_python_page():
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "python" / "README.md").read_text("utf-8"), re.M | re.S
    )
    assert len(blocks) == 1
    names = {}
    exec(blocks[0], names)
    assert len(names["verifier"].key_ids) == 1
