"""A bridge whose keys are fetched: who waits, who does not, and the answer 503."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import Annotated

import kit
import pytest
from fastapi import Depends, FastAPI, WebSocket
from kit import BAD, acall, api, call, post
from pairs import ED, ES, OUTAGE, RS, URL, Clock, Fetch, answering, key_set
from servers import serving, whole
from ways import HOST, MALFORMED, guard

import signer
from jwt_auth_bridge import ConfigurationError, KeySetUnavailableError, Principal, key_source
from jwt_auth_bridge._jwks_remote import RemoteKeySet
from jwt_auth_bridge.fastapi import Bridge

SET = json.dumps(key_set(ED)).encode()


class Case:
    """A bridge in front of a network that the test plays."""

    def __init__(self, patch, **options):
        self.fetch, self.clock = Fetch(answering(ED, ES, RS)), Clock()
        patch.setattr(key_source, "RemoteKeySet", lambda url, _: RemoteKeySet(url, self.fetch, self.clock))
        self.bridge = kit.make_bridge(**{"secret": None, "jwks_uri": URL} | options)

    def down(self):
        self.fetch.answers = OUTAGE

    def up(self):
        self.fetch.answers = answering(ED, ES, RS)
        self.clock.step(30)


@pytest.fixture
def case(monkeypatch):
    return Case(monkeypatch)


def bearer(user="alice", pair=ED, **head):
    return ("authorization", f"Bearer {pair.token(signer.claims(sub=user), **head)}")


@pytest.mark.parametrize("pair", [ED, ES, RS], ids=lambda pair: pair.algorithm)
@pytest.mark.parametrize("protected", [False, True])
def test_a_good_token_of_each_algorithm(case, pair, protected):
    app = api(case.bridge, protected)
    assert call(app, "GET", "/me", bearer(pair=pair)).json()["subject"] == "alice"
    assert call(app, "GET", "/api/alice/tasks", bearer(pair=pair)).json() == ["alice"]
    assert call(app, "GET", "/api/bob/tasks", bearer(pair=pair)).refused_as("ForbiddenError")
    assert post(app, "/one/alice", bearer(pair=pair)).json() == "alice"
    assert len(case.fetch) == 1
    assert case.bridge.key_ids == ("ed", "es", "rs")


@pytest.mark.parametrize("name", ["current_user", "optional_user", "path_user"])
def test_keys_that_can_not_be_had_are_503_and_the_body_stays_unread(case, way, name, refusals):
    app, url = way(case.bridge, guard(case.bridge, name))
    case.down()
    got = post(app, url.format("alice"), HOST, bearer(), body=[MALFORMED, b"x" * 1000])
    assert got.refused_as("KeySetUnavailableError")
    assert got.header("retry-after") == "5"
    assert got.reads == 0
    assert [entry[3] for entry in refusals()] == ["key_set_unavailable"]
    case.up()
    good = post(app, url.format("alice"), HOST, bearer(), body=b'{"a":1}')
    assert (good.status, good.json()) == (200, {"a": 1})


@pytest.mark.parametrize("protected", [False, True])
def test_503_in_front_of_routes_without_a_body(case, protected, refusals):
    app = api(case.bridge, protected)
    case.down()
    for path in ("/me", "/maybe", "/one/alice", "/one/bob", "/api/alice/tasks"):
        assert call(app, "GET", path, bearer()).refused_as("KeySetUnavailableError")
    assert [entry[3] for entry in refusals()] == ["key_set_unavailable"] * 5
    assert len(case.fetch) == 1


@pytest.mark.parametrize("protected", [False, True])
def test_what_needs_no_key_fetches_none(case, protected):
    app = api(case.bridge, protected, public=["GET /open", "POST /open"])
    app.add_api_route("/open", lambda: "open", methods=["GET", "POST"])
    case.down()
    for path in ("/me", "/one/alice", "/api/alice/tasks"):
        assert call(app, "GET", path).refused_as("MissingTokenError")
        assert call(app, "GET", path, BAD).refused_as("InvalidTokenError")
        assert call(app, "GET", path, ("authorization", "Bearer")).refused_as("InvalidRequestError")
        assert call(app, "GET", path, kit.bearer()).refused_as("InvalidTokenError")  # HS256
        assert call(app, "GET", path, bearer(typ="JWT")).refused_as("InvalidTokenError")
    assert call(app, "GET", "/maybe").json() is None
    assert call(app, "GET", "/open", bearer()).json() == "open"
    assert post(app, "/open", bearer()).json() == "open"
    assert call(app, "GET", "/absent", bearer()).status == 404
    assert call(app, "PUT", "/me", bearer()).status == 405
    assert len(case.fetch) == 0


@pytest.mark.parametrize("protected", [False, True])
def test_many_first_requests_wait_for_one_fetch_and_the_loop_goes_on(case, protected):
    app, beats = api(case.bridge, protected), 0
    case.fetch.answers = None

    async def run():
        nonlocal beats
        asked = [asyncio.create_task(acall(app, "GET", "/me", bearer())) for _ in range(200)]
        asked += [
            asyncio.create_task(acall(app, "POST", "/one/alice", bearer(), body=b"{}")) for _ in range(200)
        ]
        while beats < 100:
            await asyncio.sleep(0)
            beats += 1
        # Whoever needs no key is answered meanwhile.
        assert (await acall(app, "GET", "/me")).status == 401
        assert not any(task.done() for task in asked)
        case.fetch.end(answering(ED))
        return [got.status for got in await asyncio.gather(*asked)]

    assert set(asyncio.run(run())) == {200}
    assert len(case.fetch) == 1


@pytest.mark.parametrize("protected", [False, True])
def test_a_caller_that_goes_away_cancels_nothing_for_the_others(case, protected):
    app = api(case.bridge, protected)
    case.fetch.answers = None

    async def run():
        asked = [asyncio.create_task(acall(app, "GET", "/me", bearer())) for _ in range(6)]
        while not case.fetch.open:
            await asyncio.sleep(0)
        for task in asked[:3]:
            task.cancel()
        await asyncio.sleep(0)
        case.fetch.end(answering(ED))
        return await asyncio.gather(*asked, return_exceptions=True)

    results = asyncio.run(run())
    assert all(isinstance(each, asyncio.CancelledError) for each in results[:3])
    assert [each.status for each in results[3:]] == [200] * 3


@pytest.mark.parametrize("protected", [False, True])
def test_a_websocket_waits_too_and_is_refused_with_503(case, protected):
    app = FastAPI()

    @app.websocket("/ws/{user_id}")
    async def endpoint(socket: WebSocket, user: Annotated[Principal, Depends(case.bridge.path_user)]):
        await socket.accept()
        await socket.send_text(user.subject)
        await socket.close()

    if protected:
        case.bridge.protect(app)
    case.down()
    refused = kit.denial(kit.connect(app, "/ws/alice", bearer()))
    assert refused.refused_as("KeySetUnavailableError")
    (close,) = kit.connect(app, "/ws/alice", bearer(), extensions=())
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    case.up()
    accept, text, _ = kit.connect(app, "/ws/alice", bearer())
    assert (accept["type"], text["text"]) == ("websocket.accept", "alice")


def test_an_unknown_kid_is_401_and_after_an_outage_503(case):
    app = api(case.bridge)
    unknown = bearer(kid="other")
    assert call(app, "GET", "/me", unknown).refused_as("InvalidTokenError")
    case.down()
    case.clock.step(30)
    assert call(app, "GET", "/me", unknown).refused_as("KeySetUnavailableError")
    assert call(app, "GET", "/me", bearer()).status == 200
    case.up()
    assert call(app, "GET", "/me", unknown).refused_as("InvalidTokenError")


def test_prefetch_in_the_lifespan(case, caplog):
    caplog.set_level(logging.INFO, logger="jwt_auth_bridge")

    @asynccontextmanager
    async def lifespan(app):
        await case.bridge.prefetch()
        yield

    app = FastAPI(lifespan=lifespan)
    case.bridge.protect(app)
    assert kit.start(app)[0]["type"] == "lifespan.startup.complete"
    assert (case.bridge.key_ids, len(case.fetch)) == (("ed", "es", "rs"), 1)
    said = [record.message for record in caplog.records]
    place = f"issuer {signer.ISSUER}, audience {signer.AUDIENCE}"
    assert said == [f"{place}, key set at {URL}", "key IDs ed, es, rs"]


def test_an_app_that_will_not_start_without_keys(case):
    @asynccontextmanager
    async def lifespan(app):
        await case.bridge.prefetch()
        yield

    app = FastAPI(lifespan=lifespan)
    case.down()
    with pytest.raises(KeySetUnavailableError):
        kit.start(app)


def test_both_kinds_while_an_api_migrates(monkeypatch):
    case = Case(monkeypatch, secret=signer.SECRET, migration=True)
    app = api(case.bridge, protected=True)
    assert case.bridge.key_ids == (signer.KID,)
    assert call(app, "GET", "/me", kit.bearer()).status == 200
    assert len(case.fetch) == 0
    assert call(app, "GET", "/me", bearer()).status == 200
    assert call(app, "GET", "/me", bearer(kid=signer.KID)).refused_as("InvalidTokenError")
    case.down()
    case.clock.step(100_000)
    assert call(app, "GET", "/me", kit.bearer()).status == 200
    assert call(app, "GET", "/me", bearer()).refused_as("KeySetUnavailableError")


def test_given_public_keys():
    bridge = kit.make_bridge(secret=None, keys=key_set(ED))
    assert bridge.key_ids == ("ed",)
    assert call(api(bridge), "GET", "/me", bearer()).status == 200
    asyncio.run(bridge.prefetch())


COMMON = {"JWT_BRIDGE_ISSUER": signer.ISSUER, "JWT_BRIDGE_AUDIENCE": signer.AUDIENCE}


def test_from_env_without_the_secret():
    with serving(whole(SET)) as server:
        bridge = Bridge.from_env(COMMON | {"JWT_BRIDGE_JWKS_URL": server.url}, clock=lambda: signer.NOW)
        app = api(bridge, protected=True)
        # Each call has an event loop of its own.
        assert [call(app, "GET", "/me", bearer()).status for _ in range(3)] == [200] * 3
        assert kit.test_client(app).get("/me", headers=dict([bearer()])).status_code == 200
        assert len(server.requests) == 1
    given = Bridge.from_env(COMMON | {"JWT_BRIDGE_KEYS": SET.decode()}, clock=lambda: signer.NOW)
    assert call(api(given), "GET", "/me", bearer()).status == 200


def test_a_real_server_that_is_down_is_503():
    with serving(whole(b"", "500 Oops")) as server:
        bridge = kit.make_bridge(secret=None, jwks_uri=server.url)
        assert call(api(bridge, protected=True), "GET", "/me", bearer()).refused_as("KeySetUnavailableError")


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks_uri": URL},
        {"keys": key_set(ED)},
        {"secret": None, "keys": key_set(ED), "jwks_uri": URL},
        {"secret": None, "jwks_uri": "http://web/jwks"},
        {"secret": None, "jwks_uri": URL, "internal_hosts": "web"},
        {"secret": None, "jwks_uri": URL, "migration": True},
        {"internal_hosts": ["web"]},
        {"migration": True},
        {"migration": 1, "jwks_uri": URL},
        {"secret": None, "keys": {"keys": []}},
    ],
)
def test_sources_that_do_not_go_together(changes):
    with pytest.raises(ConfigurationError):
        kit.make_bridge(**changes)


def test_no_thread_is_used_while_keys_are_fresh(case, monkeypatch):
    app = api(case.bridge)
    assert call(app, "GET", "/me", bearer()).status == 200

    def no_thread(*args, **kwargs):
        raise AssertionError("a thread hop")

    monkeypatch.setattr("anyio.to_thread.run_sync", no_thread)
    monkeypatch.setattr("threading.Thread.start", no_thread)
    assert call(app, "GET", "/api/alice/tasks", bearer()).status == 200
    assert call(app, "GET", "/api/alice/tasks", bearer(kid="other")).status == 401
