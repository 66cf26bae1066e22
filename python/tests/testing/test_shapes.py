"""``assert_isolated`` on apps of other shapes, through clients, and what it refuses to be told."""

import asyncio
import contextlib
import subprocess
import sys
from typing import Annotated

import httpx
import kit
import pytest
import shapes
from fastapi import Depends, FastAPI, HTTPException, Request
from leaky import make_app as make_tasks
from starlette.middleware.cors import CORSMiddleware

from jwt_auth_bridge import ConfigurationError, Principal
from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.testing import IsolationError, TokenFactory, assert_isolated, assert_isolated_async

UNIFORM = ["PUT /settings/{key}"]
SHARED = ["GET /articles"]
HEALTH = ["GET /healthz"]


@pytest.fixture
def tasks(factory):
    return make_tasks(Bridge(**factory.bridge_options()))


@pytest.fixture
def leaky(factory):
    return make_tasks(Bridge(**factory.bridge_options()), "no filter")


def test_other_shapes_pass(factory):
    app = shapes.make_app(Bridge(**factory.bridge_options()))
    report = assert_isolated(app, factory=factory, uniform=UNIFORM, shared=SHARED)
    assert len(report.operations) == 11


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        (
            "foreign rows readable",
            {
                ("GET /contacts/{contact_id}", "foreign_data"),
                ("GET /contacts/{contact_id}/notes", "foreign_data"),
                ("GET /contacts/{contact_id}/notes/{ref}", "foreign_data"),
                ("POST /contacts/{contact_id}/notes", "open"),
                ("POST /contacts/{contact_id}/notes", "changed"),
            },
        ),
        (
            "foreign note under an own contact",
            {("GET /contacts/{contact_id}/notes/{ref}", "foreign_data")},
        ),
        (
            "one name for everybody",
            {("GET /settings/{key}", "foreign_data"), ("PUT /settings/{key}", "changed")},
        ),
    ],
)
def test_leaks_of_other_shapes(factory, leak, expected):
    app = shapes.make_app(Bridge(**factory.bridge_options()), leak)
    with pytest.raises(IsolationError) as raised:
        assert_isolated(app, factory=factory, uniform=UNIFORM, shared=SHARED)
    assert {(one.operation, one.reason) for one in raised.value.report.findings} == expected


def test_without_the_options_the_same_app_is_refused(factory):
    app = shapes.make_app(Bridge(**factory.bridge_options()))
    with pytest.raises(IsolationError) as raised:
        assert_isolated(app, factory=factory)
    assert {(one.operation, one.reason) for one in raised.value.report.findings} == {
        ("PUT /settings/{key}", "open"),
        ("GET /articles", "foreign_data"),
    }


def test_rows_that_no_operation_makes_are_made_by_the_integrator(factory):
    bridge, app, rows = Bridge(**factory.bridge_options()), FastAPI(), {}

    leak = []

    @app.get("/invoices/{number}")
    async def invoice(number: str, me: Annotated[Principal, Depends(bridge.current_user)]):
        if number not in rows or (rows[number][0] != me.subject and not leak):
            raise HTTPException(404)
        return rows[number][1]

    bridge.protect(app)

    async def create(user, mark):
        number = f"INV-{len(rows):06}"
        rows[number] = user, mark
        return {"number": number}

    assert assert_isolated(app, factory=factory, create=create).ok
    leak.append(True)
    with pytest.raises(IsolationError) as raised:
        assert_isolated(app, factory=factory, create=create)
    assert {one.reason for one in raised.value.report.findings} == {"foreign_data"}
    with pytest.raises(IsolationError) as raised:
        assert_isolated(app, factory=factory)
    assert {one.reason for one in raised.value.report.findings} == {"not_exercised"}


def test_examples_may_be_functions_of_the_user(factory):
    bridge, app, rows = Bridge(**factory.bridge_options()), FastAPI(), {"alice-1": "alice", "bob-1": "bob"}

    @app.get("/files/{name}")
    async def file(name: str, q: int, me: Annotated[Principal, Depends(bridge.current_user)]):
        if rows.get(name) != me.subject or q != 7:
            raise HTTPException(404)
        return name

    bridge.protect(app)
    example = {"GET /files/{name}": {"path": {"name": lambda user: f"{user}-1"}, "query": {"q": 7}}}
    assert assert_isolated(app, factory=factory, examples=example).ok


def test_a_mark_in_an_example_is_known_again(factory):
    app = make_tasks(Bridge(**factory.bridge_options()), "unique title across users")
    example = {"POST /api/{user_id}/tasks": {"body": lambda user: {"title": "{mark} of " + user}}}
    with pytest.raises(IsolationError) as raised:
        assert_isolated(app, factory=factory, public=HEALTH, examples=example)
    assert "distinguishable" in {one.reason for one in raised.value.report.findings}


def test_within_an_event_loop(factory, tasks, leaky):
    async def run():
        assert (await assert_isolated_async(tasks, factory=factory, public=HEALTH)).ok
        with pytest.raises(IsolationError):
            await assert_isolated_async(leaky, factory=factory, public=HEALTH)
        with pytest.raises(ConfigurationError, match="await assert_isolated_async"):
            assert_isolated(tasks, factory=factory)

    asyncio.run(run())


def few(app, *paths):
    """A part of the document: a client takes its time for each request."""
    document = app.openapi()
    return {**document, "paths": {path: document["paths"][path] for path in paths}}


TASKS = "/api/{user_id}/tasks"


def test_through_the_test_client(factory, tasks, leaky):
    with kit.test_client(tasks) as client:
        assert assert_isolated(client, factory=factory, openapi=few(tasks, TASKS)).ok
        skip = {f"{method} {TASKS}/{{task_id}}": "slow" for method in ("GET", "PUT", "DELETE")}
        skip |= {"POST /api/{user_id}/projects": "slow", "GET /api/{user_id}/projects/{project_id}": "slow"}
        # Without a document given, it is asked for.
        report = assert_isolated(client, factory=factory, public=HEALTH, skip=skip)
        assert set(report.operations) == {f"GET {TASKS}", f"POST {TASKS}", "GET /me", "GET /healthz"}
    with kit.test_client(leaky) as client, pytest.raises(IsolationError):
        assert_isolated(client, factory=factory, openapi=few(leaky, TASKS))


def test_through_an_async_client(factory, tasks):
    async def run():
        transport = httpx.ASGITransport(tasks)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await assert_isolated_async(client, factory=factory, openapi=few(tasks, TASKS))

    assert asyncio.run(run()).ok


def test_through_a_server(factory):
    app = make_tasks(Bridge(**factory.bridge_options()), "header honoured")
    with (
        kit.serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        pytest.raises(IsolationError) as raised,
    ):
        assert_isolated(client, factory=factory, openapi=few(app, "/me"))
    assert {one.reason for one in raised.value.report.findings} == {"foreign_data"}


def test_headers_may_come_from_elsewhere(factory, tasks, leaky):
    assert assert_isolated(tasks, headers=factory.headers, public=HEALTH).ok
    with pytest.raises(IsolationError):
        assert_isolated(leaky, headers=factory.headers, public=HEALTH)


def test_an_app_in_middlewares_and_a_document_of_ones_own(factory, tasks):
    wrapped = CORSMiddleware(tasks, allow_origins=["https://x.example"])
    assert len(assert_isolated(wrapped, factory=factory, public=HEALTH).operations) == 9
    paths = {"/me": tasks.openapi()["paths"]["/me"]}
    report = assert_isolated(tasks, factory=factory, openapi={**tasks.openapi(), "paths": paths})
    assert report.operations == ("GET /me",)


def test_the_app_runs_from_its_start_to_its_end(factory):
    seen = []

    @contextlib.asynccontextmanager
    async def lifespan(_app):
        seen.append("start")
        yield {"of": "the lifespan"}
        seen.append("end")

    bridge = Bridge(**factory.bridge_options())
    app = FastAPI(lifespan=lifespan)

    @app.get("/me", dependencies=[Depends(bridge.current_user)])
    async def me(request: Request):
        seen.append(request.state.of)

    assert assert_isolated(app, factory=factory).ok
    assert (seen[0], seen[-1], set(seen[1:-1])) == ("start", "end", {"the lifespan"})


def test_an_app_that_does_not_start_is_said(factory):
    @contextlib.asynccontextmanager
    async def lifespan(_app):
        raise RuntimeError("no database")
        yield

    with pytest.raises(ConfigurationError, match=r"the app does not start: .*no database"):
        assert_isolated(FastAPI(lifespan=lifespan), factory=factory)


def test_an_exception_of_the_app_is_an_answer_that_is_no_refusal(factory):
    bridge, app = Bridge(**factory.bridge_options()), FastAPI()

    @app.get("/u/{user_id}")
    async def endpoint(user_id: str, me: Annotated[Principal, Depends(bridge.current_user)]):
        if user_id != me.subject:
            raise KeyError(user_id)
        return "mine"

    with pytest.raises(IsolationError) as raised:
        assert_isolated(app, factory=factory)
    finding = next(one for one in raised.value.report.findings if one.as_user == "alice")
    assert (finding.reason, finding.came_back) == ("open", "500 (KeyError) Internal Server Error")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either factory= or headers="),
        ({"factory": TokenFactory(), "headers": dict}, "either factory= or headers="),
        ({"factory": TokenFactory(), "users": ("alice",)}, "two users"),
        ({"factory": TokenFactory(), "users": ("alice", "alice")}, "two users"),
        ({"factory": TokenFactory(), "users": "ab"}, "two users"),
        ({"factory": TokenFactory(), "public": [("GET", "/healthy")]}, "public names GET /healthy"),
        ({"factory": TokenFactory(), "skip": {("PUT", "/me"): "x"}}, "skip names PUT /me"),
        ({"factory": TokenFactory(), "examples": {"POST /me": {}}}, "examples names POST /me"),
        ({"factory": TokenFactory(), "uniform": ["DELETE /me"]}, "uniform names DELETE /me"),
        ({"factory": TokenFactory(), "shared": ["GET /us"]}, "shared names GET /us"),
    ],
)
def test_options_that_can_not_be_meant(tasks, options, words):
    with pytest.raises(ConfigurationError, match=words):
        assert_isolated(tasks, **options)


def test_what_is_no_app():
    with pytest.raises(ConfigurationError, match="give an ASGI app"):
        assert_isolated("app", factory=TokenFactory())


def test_an_app_without_a_document(factory):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body"})

    with pytest.raises(ConfigurationError, match=r"openapi\.json answers 404"):
        assert_isolated(app, factory=factory)


def test_no_http_library_is_needed():
    code = (
        "import sys; import jwt_auth_bridge.testing as t; t.TokenFactory().token();"
        "print([name for name in ('httpx', 'fastapi', 'starlette', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
