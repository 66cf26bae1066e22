"""A store of tickets that is changed, broken, slow or full: 401 or 503, and nobody gets in."""

import asyncio
import contextlib
import json

import anyio
import pytest
import ticket_kit
from kit import bearer
from ticket_kit import EVENTS, LIVE, adial, app_with, buy, dial, listen

import signer
from jwt_auth_bridge import _fastapi_tickets as desk
from jwt_auth_bridge.tickets import MemoryTickets


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)


@pytest.fixture
def bridge():
    return ticket_kit.make_bridge()


class Rewriting:
    """A store whose entries somebody changes."""

    def __init__(self, change):
        self.change, self.record = change, None

    async def put(self, digest, record, *, ends_at, now):
        self.record = record

    async def take(self, digest):
        record, self.record = self.record, None
        return record and self.change(record)


def rewrite(**changes):
    return lambda record: json.dumps({**json.loads(record), **changes})


def reclaim(**changes):
    def change(record):
        kept = json.loads(record)
        return json.dumps({**kept, "claims": json.dumps({**json.loads(kept["claims"]), **changes})})

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "null",
        lambda _: "{}",
        lambda _: "[]",
        lambda _: "{" * 100_000,
        lambda _: b"\xff\xfe",
        lambda _: "\ud800",
        lambda _: 7,
        lambda _: ["{}"],
        lambda record: record[:-1],
        lambda record: record + "x",
        lambda record: record.replace('"path"', '"path": "/", "path"'),
        rewrite(path=None),
        rewrite(path="/api/bob/live"),
        rewrite(path=["/api/alice/live"]),
        rewrite(ends_at=None),
        rewrite(ends_at="9999999999"),
        rewrite(ends_at=True),
        rewrite(ends_at=0),
        rewrite(ends_at=float("nan")),
        rewrite(ends_at=float("inf")),
        rewrite(claims=None),
        rewrite(claims={"sub": "alice"}),
        rewrite(claims="{}"),
        rewrite(claims="[" * 5000),
        reclaim(sub="bob"),
        reclaim(sub=7, user_id=7),
        reclaim(sub="", user_id=""),
        reclaim(exp=signer.NOW - 60, iat=signer.NOW - 300),
        reclaim(exp=signer.NOW + 10**6),
        reclaim(exp="9"),
        reclaim(aud="https://other.example.com"),
        reclaim(iss="https://evil.example"),
        reclaim(sid=None),
        reclaim(jti=None),
    ],
)
def test_what_the_store_gives_back_changed_is_401(bridge, change, refusals):
    app = app_with(bridge, store=Rewriting(change))
    assert dial(app, f"{LIVE}?ticket={buy(app)}").refused_as("InvalidTokenError")
    assert [code for *_, code in refusals()] == ["ticket_invalid"]


def test_a_store_s_bytes_are_as_good(bridge):
    app = app_with(bridge, store=Rewriting(str.encode))
    assert dial(app, f"{LIVE}?ticket={buy(app)}") == "alice?"


class Broken:
    def __init__(self, error):
        self.error, self.works = error, False

    async def put(self, digest, record, *, ends_at, now):
        if not self.works:
            raise self.error

    async def take(self, digest):
        raise self.error


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(111, "secret"), TimeoutError(), RuntimeError("secret"), KeyError("secret")],
)
def test_a_store_that_is_down_is_503(bridge, error, protected, refusals, caplog):
    app = app_with(bridge, protected, Broken(error))
    got = asyncio.run(ticket_kit.abuy(app, LIVE))
    assert got.refused_as("KeySetUnavailableError")
    assert got.header("retry-after") == "5"
    for connect, path in ((dial, LIVE), (listen, EVENTS)):
        assert connect(app, f"{path}?ticket={'a' * 43}").refused_as("KeySetUnavailableError")
    assert {code for *_, code in refusals()} == {"ticket_store_unavailable"}
    assert len(refusals()) == 3
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said == [f"the store of tickets failed: {type(error).__name__}"] * 3
    # What needs no store goes on.
    assert dial(app, LIVE, bearer()) == "alice?"
    assert dial(app, f"{LIVE}?ticket=x").refused_as("InvalidTokenError")


def test_a_store_that_hangs_is_503(bridge, monkeypatch):
    class Hanging:
        async def put(self, *_, **__):
            await anyio.sleep_forever()

        take = put

    monkeypatch.setattr(desk, "PATIENCE", 0)
    app = app_with(bridge, store=Hanging())
    assert asyncio.run(ticket_kit.abuy(app, LIVE)).refused_as("KeySetUnavailableError")
    assert dial(app, f"{LIVE}?ticket={'a' * 43}").refused_as("KeySetUnavailableError")


def test_who_goes_away_while_the_store_is_asked_is_no_error(bridge, caplog):
    class Hanging:
        async def put(self, *_, **__): ...

        async def take(self, _):
            asked.set()
            await anyio.sleep_forever()

    async def run():
        task = asyncio.create_task(adial(app, f"{LIVE}?ticket={'a' * 43}"))
        await asked.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    app, asked = app_with(bridge, store=Hanging()), asyncio.Event()
    asyncio.run(run())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_store_that_was_full(bridge):
    """The oldest goes: whoever asks for very many loses one's own first, if others use theirs at once."""
    app = app_with(bridge, store=MemoryTickets(limit=2))
    first, second, third = buy(app), buy(app), buy(app)
    assert dial(app, f"{LIVE}?ticket={first}").refused_as("InvalidTokenError")
    assert [dial(app, f"{LIVE}?ticket={one}") for one in (second, third)] == ["alice?"] * 2
