"""Wrong configuration stops the process with one sentence; a database that is away does not."""

import os
import subprocess
import sys

import pytest
import starting
from conftest import API, AUDIENCE, ISSUER, SECRET

GOOD = {
    "BETTER_AUTH_SECRET": SECRET,
    "BETTER_AUTH_URL": ISSUER,
    "JWT_BRIDGE_AUDIENCE": AUDIENCE,
    "API_DATABASE_URL": "postgresql://todo_api:hush-hush@127.0.0.1:1/todo",
    "WEB_ORIGIN": "http://localhost:3000",
}


def environment(changes: dict[str, str]) -> dict[str, str]:
    ours = ("BETTER_AUTH_", "JWT_BRIDGE_", *GOOD)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**clean, **GOOD, **changes}


def start(changes: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Let uvicorn load the app, as the start does."""
    return subprocess.run(
        [sys.executable, "-m", *starting.ARGUMENTS],
        cwd=API,
        env=environment(changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BETTER_AUTH_SECRET", ""),
        ("BETTER_AUTH_SECRET", "short"),
        ("BETTER_AUTH_URL", ""),
        ("BETTER_AUTH_URL", "localhost"),
        ("JWT_BRIDGE_AUDIENCE", ""),
        # Beside the secret: which of the two is meant?
        ("JWT_BRIDGE_JWKS_URL", "https://app.example.com/api/auth/jwks"),
        ("JWT_BRIDGE_KEYS", '{"keys":[]}'),
        ("JWT_BRIDGE_KEYS", "@/nowhere/keys.json"),
        ("JWT_BRIDGE_MIGRATION", "true"),
        ("JWT_BRIDGE_MIGRATION", "yes"),
        ("API_DATABASE_URL", ""),
        ("API_DATABASE_URL", "mysql://u:hush-hush@h/d"),
        ("API_DATABASE_URL", "postgresql://u:hush-hush@h:99999/d"),
        ("API_DATABASE_URL", "postgresql://u:hush-hush@h"),
        ("API_DATABASE_URL", "postgresql://u:hush-hush@h/d?sslmode=disable&pgbouncer=yes"),
        ("API_DATABASE_URL", "postgresql://u:hush-hush@h/d?pgbouncer"),
        ("WEB_ORIGIN", ""),
        ("WEB_ORIGIN", "*"),
        ("WEB_ORIGIN", "null"),
        ("WEB_ORIGIN", "http://localhost:3000/"),
        ("WEB_ORIGIN", "http://me@localhost:3000"),
        ("WEB_ORIGIN", "HTTP://LOCALHOST"),
        ("WEB_ORIGIN", "http://localhost:99999"),
        ("WEB_ORIGIN", "http://a.example http://b.example"),
    ],
)
def test_a_wrong_setting_stops_the_process(name, value, tmp_path):
    check(name, starting.start(environment({name: value}), tmp_path))


def test_a_wrong_setting_stops_a_process_that_has_imported_nothing():
    check("WEB_ORIGIN", start({"WEB_ORIGIN": "null"}))


def check(name, done):
    assert done.returncode == 1
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "hush-hush" not in done.stderr
    assert SECRET not in done.stderr


def test_an_unreachable_database_does_not_stop_the_start():
    done = start({})
    assert "Application startup complete" in done.stderr


def test_an_unreachable_issuer_does_not_stop_the_start():
    done = start({"BETTER_AUTH_SECRET": "", "JWT_BRIDGE_JWKS_URL": "http://127.0.0.1:1/api/auth/jwks"})
    assert "Application startup complete" in done.stderr
    assert "Started without keys" in done.stderr


def test_an_address_of_keys_that_anybody_could_answer_stops_the_process():
    done = start({"BETTER_AUTH_SECRET": "", "JWT_BRIDGE_JWKS_URL": "http://app.example.com/api/auth/jwks"})
    assert done.returncode == 1
    assert "JWT_BRIDGE_JWKS_URL" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
