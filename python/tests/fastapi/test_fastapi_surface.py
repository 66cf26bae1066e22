"""What a guard shows of itself: on WebSockets, in OpenAPI, in the log, and its configuration."""

import asyncio
import logging
from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from kit import BAD, api, bearer, call, token

import signer
from jwt_auth_bridge import ConfigurationError, Principal
from jwt_auth_bridge.fastapi import Bridge

# WebSockets


@pytest.mark.parametrize("protected", [False, True])
def test_a_websocket_is_refused_before_it_is_accepted(bridge, protected, refusals):
    accepted = []
    app = FastAPI()
    router = APIRouter(prefix="/ws/{user_id}", dependencies=[Depends(bridge.path_user)])

    @router.websocket("/x")
    async def endpoint(socket: WebSocket, user: Annotated[Principal, Depends(bridge.current_user)]):
        accepted.append(user.subject)
        await socket.accept()
        await socket.send_text(user.subject)
        await socket.close()

    app.include_router(router)
    if protected:
        bridge.protect(app)

    accept, text, _ = kit.connect(app, "/ws/alice/x", bearer())
    assert (accept["type"], text["text"]) == ("websocket.accept", "alice")
    for headers, user, name in (
        ([], "alice", "MissingTokenError"),
        ([BAD], "alice", "InvalidTokenError"),
        ([bearer(), bearer()], "alice", "InvalidRequestError"),
        ([bearer()], "bob", "ForbiddenError"),
    ):
        assert kit.denial(kit.connect(app, f"/ws/{user}/x", *headers)).refused_as(name)
        # A server that can not send an HTTP answer here closes instead.
        (close,) = kit.connect(app, f"/ws/{user}/x", *headers, extensions=())
        assert (close["type"], close["code"]) == ("websocket.close", 1008)
    assert accepted == ["alice"]
    assert refusals()[0] == ("INFO", "WEBSOCKET", "/ws/{user_id}/x", "token_missing")


def test_accepting_too_early_is_stopped_by_protect(bridge):
    app = FastAPI()

    async def eager(socket: WebSocket):
        await socket.accept()

    @app.websocket("/ws", dependencies=[Depends(eager), Depends(bridge.current_user)])
    async def endpoint(socket: WebSocket): ...

    bridge.protect(app)
    assert kit.denial(kit.connect(app, "/ws")).refused_as("MissingTokenError")
    assert kit.connect(app, "/ws", bearer())[0]["type"] == "websocket.accept"


def test_one_that_was_accepted_too_early_is_closed(bridge):
    app = FastAPI()

    async def eager(socket: WebSocket):
        await socket.accept()

    @app.websocket("/ws", dependencies=[Depends(eager), Depends(bridge.current_user)])
    async def endpoint(socket: WebSocket): ...

    accept, close = kit.connect(app, "/ws", BAD)
    assert accept["type"] == "websocket.accept"
    assert (close["type"], close["code"]) == ("websocket.close", 1008)


# OpenAPI


def test_openapi_has_one_bearer_scheme_and_the_path_parameter(bridge):
    app = api(bridge)
    schema = app.openapi()
    (name, scheme), *rest = schema["components"]["securitySchemes"].items()
    assert rest == []
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    for path in ("/me", "/maybe", "/one/{user_id}", "/api/{user_id}/tasks"):
        assert schema["paths"][path]["get"]["security"] == [{name: []}]


def test_openapi_lists_the_parameter_where_only_the_router_is_guarded(bridge):
    app = FastAPI()
    router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])
    router.add_api_route("/tasks", lambda: "ok")
    app.include_router(router)
    (parameter,) = app.openapi()["paths"]["/api/{user_id}/tasks"]["get"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("user_id", "path", True)
    assert parameter["schema"]["type"] == "string"


def test_openapi_lists_it_once_where_the_endpoint_declares_it_too(bridge):
    schema = api(bridge).openapi()
    (parameter,) = schema["paths"]["/api/{user_id}/tasks"]["get"]["parameters"]
    assert (parameter["name"], parameter["required"]) == ("user_id", True)


# Logs


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_each_refusal_is_logged_once_and_tells_nothing_secret(bridge, protected, method, caplog, refusals):
    app = FastAPI()
    every = [Depends(bridge.optional_user), Depends(bridge.current_user), Depends(bridge.path_user)]
    router = APIRouter(prefix="/api/{user_id}", dependencies=every)

    @router.api_route("/tasks", methods=["GET", "POST"])
    async def endpoint(request: Request, user: Annotated[Principal, Depends(bridge.path_user)]):
        return "ok"

    app.include_router(router)
    if protected:
        bridge.protect(app)
    good = token("alice-subject-1")
    for path, values, code in (
        ("/api/alice-subject-1/tasks", [], "token_missing"),
        ("/api/alice-subject-1/tasks", [good[:-1]], "token_malformed"),
        ("/api/bob-subject-2/tasks", [good], "path_user_mismatch"),
        ("/api/alice-subject-1/tasks", [good, good], "authorization_repeated"),
    ):
        caplog.clear()
        call(app, method, path, *(("authorization", f"Bearer {value}") for value in values))
        assert refusals() == [("INFO", method, "/api/{user_id}/tasks", code)]
        (record,) = (r for r in caplog.records if hasattr(r, "code"))
        assert kit.REGISTRY["codes"][code]["hint"] in record.getMessage()
        said = str(vars(record))
        for secret in ("subject-1", "subject-2", good[:40], good[-20:], signer.SECRET, "session-1"):
            assert secret not in said


def test_the_level_is_the_integrators_choice(caplog, refusals):
    bridge = kit.make_bridge(log_level=logging.WARNING)
    app = api(bridge)
    call(app, "GET", "/me")
    assert refusals() == [("WARNING", "GET", "/me", "token_missing")]
    caplog.clear()
    app.add_api_route("/wrong", lambda: "never", dependencies=[Depends(bridge.path_user)])
    call(app, "GET", "/wrong", bearer())
    assert refusals() == [("ERROR", "GET", "/wrong", "path_user_missing")]


def test_nothing_of_a_refused_token_stays_in_memory_with_the_error(bridge):
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer a.b.c")]}
    with pytest.raises(HTTPException):
        asyncio.run(bridge._authenticate(scope))
    assert scope[bridge._key][1].__traceback__ is None


# Configuration

ENVIRON = {
    "BETTER_AUTH_SECRET": signer.SECRET,
    "BETTER_AUTH_URL": signer.ISSUER + "/api/auth",
    "JWT_BRIDGE_AUDIENCE": signer.AUDIENCE,
}


def environ(**changes):
    return {name: value for name, value in {**ENVIRON, **changes}.items() if value is not None}


def test_from_env_reads_the_environment():
    bridge = Bridge.from_env(environ(), clock=lambda: signer.NOW)
    assert bridge.key_ids == (signer.KID,)
    assert call(api(bridge), "GET", "/me", bearer()).status == 200


def test_from_env_reads_the_process_environment(monkeypatch):
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BETTER_AUTH_SECRETS", raising=False)
    monkeypatch.delenv("JWT_BRIDGE_ISSUER", raising=False)
    assert Bridge.from_env().key_ids == (signer.KID,)


def test_from_env_takes_the_issuer_literally_and_every_secret():
    new = signer.SECRET[::-1]
    bridge = Bridge.from_env(
        environ(
            BETTER_AUTH_SECRETS=f"2:{new},1:{signer.SECRET}",
            BETTER_AUTH_SECRET=None,
            BETTER_AUTH_URL=None,
            JWT_BRIDGE_ISSUER="https://x.example/path/",
        ),
        clock=lambda: signer.NOW,
    )
    assert len(bridge.key_ids) == 2
    assert bridge.key_ids[1] == signer.KID
    app = api(bridge)
    iss = {"iss": "https://x.example/path/", "client_id": "https://x.example/path/"}
    assert call(app, "GET", "/me", bearer(**iss)).status == 200
    assert call(app, "GET", "/me", bearer()).status == 401


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"BETTER_AUTH_SECRET": None}, "BETTER_AUTH_SECRET"),
        ({"BETTER_AUTH_SECRET": ""}, "BETTER_AUTH_SECRET"),
        ({"BETTER_AUTH_SECRET": "short-Secret-7"}, "BETTER_AUTH_SECRET"),
        ({"BETTER_AUTH_SECRETS": "no-version-Sekret-7-abcdefghijklmnop"}, "BETTER_AUTH_SECRETS"),
        ({"BETTER_AUTH_URL": None}, "BETTER_AUTH_URL"),
        ({"BETTER_AUTH_URL": "db7.internal"}, "BETTER_AUTH_URL"),
        ({"BETTER_AUTH_URL": "https://u:p@app.example.com"}, "BETTER_AUTH_URL"),
        ({"JWT_BRIDGE_AUDIENCE": None}, "JWT_BRIDGE_AUDIENCE"),
        ({"JWT_BRIDGE_AUDIENCE": ""}, "JWT_BRIDGE_AUDIENCE"),
    ],
)
def test_a_wrong_environment_is_an_error_at_start(changes, named):
    with pytest.raises(ConfigurationError, match=named) as raised:
        Bridge.from_env(environ(**changes))
    for value in changes.values():
        assert not value or value not in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": None},
        {"secret": ""},
        {"secret": "short"},
        {"secrets": [signer.SECRET]},
        {"secret": None, "secrets": []},
        {"secret": None, "secrets": signer.SECRET},
        {"issuer": ""},
        {"audience": ""},
        {"leeway": 61},
        {"leeway": -1},
        {"maximum_lifetime": 0},
        {"path_parameter": ""},
        {"path_parameter": "user id"},
        {"path_parameter": "user_id:path"},
        {"path_parameter": None},
        {"log_level": 0},
        {"log_level": "INFO"},
        {"log_level": True},
        {"clock": 5},
    ],
)
def test_a_wrong_configuration_is_an_error_at_start(changes):
    with pytest.raises(ConfigurationError):
        kit.make_bridge(**changes)


def test_an_unknown_option_is_an_error():
    for option in ("verify", "algorithms", "auto_error", "enabled"):
        with pytest.raises(TypeError, match=option):
            kit.make_bridge(**{option: False})
        with pytest.raises(TypeError, match=option):
            Bridge.from_env(environ(), **{option: False})
