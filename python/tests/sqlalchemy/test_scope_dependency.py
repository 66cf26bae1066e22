"""The scoped session as a dependency of FastAPI: who calls decides what the session sees."""

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from scope_kit import ALICE, BOB, HIS, MINE
from scope_models import Task
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

import signer
from jwt_auth_bridge._sqlalchemy_dependency import session_dependency
from jwt_auth_bridge.fastapi import Bridge


def bearer(user):
    return {"Authorization": f"Bearer {signer.sign(body=signer.claims(sub=user))}"}


@pytest.fixture
def bridge():
    return Bridge(
        issuer=signer.ISSUER, audience=signer.AUDIENCE, secret=signer.SECRET, clock=lambda: signer.NOW
    )


@pytest.fixture
def opened():
    return []


@pytest.fixture
def client(bridge, opened, place):
    """Routes that forget every filter, on either kind of session."""

    def get_session():
        with Session(place.engine) as session:
            opened.append(session)
            yield session

    async def get_async_session():
        async with AsyncSession(place.engine) as session:
            opened.append(session)
            yield session

    is_async = place.name != "sqlite"
    base = get_async_session if is_async else get_session
    Mine = Annotated[Any, Depends(session_dependency(bridge, base))]
    Again = Annotated[Any, Depends(session_dependency(bridge, base))]
    ByPath = Annotated[Any, Depends(session_dependency(bridge, base, user=bridge.path_user))]

    async def run(session, work):
        return await session.run_sync(work) if is_async else work(session)

    app = FastAPI()
    router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])

    @router.get("/tasks")
    async def tasks(session: Mine, same: Again):
        assert session is same
        return await run(session, lambda plain: plain.scalars(select(Task.title)).all())

    @router.get("/tasks/{key}")
    async def task(key: int, session: ByPath):
        found = await run(session, lambda plain: plain.get(Task, key))
        return found and found.title

    @app.get("/raw")
    async def raw(session: Mine):
        return await run(session, lambda plain: plain.execute(text("SELECT title FROM task")).scalars().all())

    app.include_router(router)
    bridge.protect(app)
    # An asynchronous engine's connections belong to one loop.
    return Client(app, place.runner.run if is_async else asyncio.run)


class Client:
    """Calls an app in a loop of the caller's choice."""

    def __init__(self, app, run):
        self.transport, self.run = httpx.ASGITransport(app, raise_app_exceptions=False), run

    def get(self, path, headers=None):
        async def get():
            async with httpx.AsyncClient(transport=self.transport, base_url="http://test") as client:
                return await client.get(path, headers=headers)

        return self.run(get())


@pytest.mark.parametrize(("user", "key", "other"), [(ALICE, MINE, HIS), (BOB, HIS, MINE)])
def test_a_caller_sees_one_s_own(client, user, key, other):
    title = f"{user.upper()} task"
    assert client.get(f"/api/{user}/tasks", headers=bearer(user)).json() == [title]
    assert client.get(f"/api/{user}/tasks/{key}", headers=bearer(user)).json() == title
    assert client.get(f"/api/{user}/tasks/{other}", headers=bearer(user)).json() is None


def test_without_a_token_no_session_is_opened(client, opened):
    for headers, status in ((None, 401), ({"Authorization": "Bearer x.y.z"}, 401), (bearer(BOB), 403)):
        assert client.get(f"/api/{ALICE}/tasks", headers=headers).status_code == status
        assert client.get(f"/api/{ALICE}/tasks/{MINE}", headers=headers).status_code == status
    assert client.get("/raw").status_code == 401
    assert opened == []


def test_what_can_not_be_confined_answers_500_and_tells_nothing(client):
    answer = client.get("/raw", headers=bearer(ALICE))
    assert answer.status_code == 500
    assert answer.text == "Internal Server Error"


def test_the_scope_s_parameters_are_no_parameters_of_the_route(bridge):
    app = FastAPI()

    @app.get("/")
    async def route(session: Annotated[Any, Depends(session_dependency(bridge, object))]):
        """Does nothing."""

    assert "parameters" not in app.openapi()["paths"]["/"]["get"]
    assert app.openapi()["paths"]["/"]["get"]["security"] == [{"bearer": []}]
