"""Values that nobody has to send, and that may mean everybody: switches, choices, a bare ``id``."""

from typing import Annotated, Literal
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query
from pydantic import BaseModel

from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.testing import IsolationError, assert_isolated


class TaskIn(BaseModel):
    title: str


class Search(BaseModel):
    everyone: bool = False
    order: Literal["new", "old"] = "new"
    scope: Literal["mine", "all"] | None = None


def of(store, user):
    return [task for (owner, _), task in store.items() if owner == user]


def switch_in_the_query(router, store, leaks):
    @router.get("")
    def every(user_id: str, everyone: bool = False):
        return list(store.values()) if everyone and leaks else of(store, user_id)


def choice_in_the_query(router, store, leaks):
    @router.get("")
    def every(user_id: str, scope: Literal["mine", "all"] | None = None):
        return list(store.values()) if scope == "all" and leaks else of(store, user_id)


def switch_in_a_header(router, store, leaks):
    @router.get("")
    def every(user_id: str, x_everyone: Annotated[bool, Header()] = False):
        return list(store.values()) if x_everyone and leaks else of(store, user_id)


def switch_in_the_body(router, store, leaks):
    @router.post("/search")
    def search(user_id: str, search: Search):
        return list(store.values()) if search.everyone and leaks else of(store, user_id)


def choice_in_the_body(router, store, leaks):
    @router.post("/search")
    def search(user_id: str, search: Search):
        return list(store.values()) if search.scope == "all" and leaks else of(store, user_id)


def switch_of_a_deletion(router, store, leaks):
    @router.get("")
    def every(user_id: str):
        return of(store, user_id)

    @router.delete("", status_code=204)
    def delete(user_id: str, everyone: bool = False):
        for owner, task_id in list(store):
            if owner == user_id or (everyone and leaks):
                del store[owner, task_id]


def bare_ids(router, store, leaks):
    @router.get("")
    def every(user_id: str, ids: Annotated[tuple[UUID, ...], Query()] = ()):
        found = list(store.values()) if leaks else of(store, user_id)
        return [task for task in found if task["id"] in ids] if ids else of(store, user_id)


APPS = [
    switch_in_the_query,
    choice_in_the_query,
    switch_in_a_header,
    switch_in_the_body,
    choice_in_the_body,
    switch_of_a_deletion,
    bare_ids,
]


def play(factory, add, *, leaks):
    bridge = Bridge(**factory.bridge_options())
    app, store = FastAPI(), {}
    router = APIRouter(prefix="/api/{user_id}/tasks", dependencies=[Depends(bridge.path_user)])

    @router.post("", status_code=201)
    def create(user_id: str, task: TaskIn):
        made = {"id": uuid4(), "title": task.title}
        store[user_id, made["id"]] = made
        return made

    @router.get("/one/{task_id}")
    def read(user_id: str, task_id: UUID):
        return store[user_id, task_id]

    add(router, store, leaks)
    app.include_router(router)
    bridge.protect(app)
    skip = {("GET", "/api/{user_id}/tasks/one/{task_id}"): "only there to name the ID"}
    return assert_isolated(app, factory=factory, skip=skip)


@pytest.mark.parametrize("add", APPS)
def test_a_switch_that_shows_everybody_s_is_found(factory, add):
    with pytest.raises(IsolationError) as raised:
        play(factory, add, leaks=True)
    assert {one.reason for one in raised.value.report.findings} <= {"foreign_data", "changed"}


@pytest.mark.parametrize("add", APPS)
def test_a_switch_that_shows_one_s_own_is_none(factory, add):
    assert play(factory, add, leaks=False).ok
