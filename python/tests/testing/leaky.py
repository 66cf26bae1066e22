"""An API for tasks in memory that keeps its users apart, and a switch for each way in which it might not."""

import uuid
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request, Response, WebSocket
from pydantic import BaseModel, Field
from starlette.middleware import Middleware

from jwt_auth_bridge import Principal
from jwt_auth_bridge._fastapi_protect import Protection
from jwt_auth_bridge.fastapi import Bridge


class TaskIn(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=80)]
    note: str | None = None
    project_id: uuid.UUID | None = None
    priority: Annotated[int, Field(ge=1, le=5)] = 1


class TaskOfAnybody(TaskIn):
    """What the audit would not let start: the body names the owner."""

    user_id: str | None = None


class ProjectIn(BaseModel):
    name: str


class Unaudited(Protection):
    """The layer of ``protect`` without its audit, which stops some of these leaks: here the kit has to."""

    def audit(self, scope):
        return None


@dataclass
class Store:
    tasks: dict[str, dict] = field(default_factory=dict)
    projects: dict[str, dict] = field(default_factory=dict)


def no_such(what):
    return HTTPException(404, f"no such {what}")


def make_app(bridge: Bridge, *leaks: str) -> FastAPI:
    """Builds the API; each leak is the name of one mistake."""
    store = Store()
    has = set(leaks).__contains__
    app = FastAPI()
    guarded = [Depends(bridge.path_user)]
    router = APIRouter(prefix="/api/{user_id}")
    Me = Annotated[Principal, Depends(bridge.current_user)]
    Body = TaskOfAnybody if has("body user_id honoured") else TaskIn

    def guard_of(name):
        if has(f"no guard on {name}"):
            return []
        return [Depends(bridge.current_user)] if has(f"no path guard on {name}") else guarded

    def task_of(owner, task_id):
        task = store.tasks.get(str(task_id))
        if task is None or (task["user_id"] != owner and not has("foreign id readable")):
            raise HTTPException(403, "not yours") if task and has("403 for a foreign id") else no_such("task")
        return task

    def owner_of(user_id, task, request):
        if has("body user_id honoured") and task.user_id:
            return task.user_id
        if has("header honoured"):
            return request.headers.get("x-user-id", user_id)
        return user_id

    def check(owner, task):
        """What a database would check: references and unique columns."""
        if task.project_id is not None:
            project = store.projects.get(str(task.project_id))
            if project is None or (project["user_id"] != owner and not has("foreign reference accepted")):
                raise HTTPException(409, "no such project")
        titles = [one for one in store.tasks.values() if one["title"] == task.title]
        if any(one["user_id"] == owner or has("unique title across users") for one in titles):
            raise HTTPException(409, "this title exists")

    def row(owner, task, task_id):
        return {
            "id": task_id,
            "user_id": owner,
            "title": task.title,
            "note": task.note,
            "project_id": task.project_id and str(task.project_id),
            "priority": task.priority,
        }

    @router.get("/tasks", dependencies=guard_of("list"))
    async def list_tasks(
        user_id: str,
        q: str | None = None,
        project_id: uuid.UUID | None = None,
        owner_id: Annotated[str | None, Query()] = None,
    ):
        owner = owner_id if has("query user_id honoured") and owner_id else user_id
        found = [one for one in store.tasks.values() if one["user_id"] == owner or has("no filter")]
        if has("search without filter") and q:
            found = list(store.tasks.values())
        if has("filter by a foreign project tells") and project_id and str(project_id) not in store.projects:
            raise no_such("project")
        return [one for one in found if q is None or q in one["title"]]

    @router.post("/tasks", status_code=201, dependencies=guard_of("create"))
    async def add_task(user_id: str, task: Body, request: Request):
        owner = owner_of(user_id, task, request)
        check(owner, task)
        task_id = str(uuid.uuid4())
        store.tasks[task_id] = row(owner, task, task_id)
        return store.tasks[task_id]

    @router.get("/tasks/{task_id}", dependencies=guard_of("read"))
    async def get_task(user_id: str, task_id: uuid.UUID):
        return task_of(user_id, task_id)

    @router.put("/tasks/{task_id}", dependencies=guard_of("replace"))
    async def replace_task(user_id: str, task_id: uuid.UUID, task: Body):
        if has("writes before it looks") and str(task_id) in store.tasks:
            store.tasks[str(task_id)]["note"] = "overwritten"
        old = task_of(user_id, task_id)
        if old["title"] != task.title:
            check(user_id, task)
        store.tasks[str(task_id)] = row(old["user_id"], task, str(task_id))
        return store.tasks[str(task_id)]

    @router.delete("/tasks/{task_id}", status_code=204, dependencies=guard_of("delete"))
    async def delete_task(user_id: str, task_id: uuid.UUID):
        if has("delete twice succeeds") and str(task_id) not in store.tasks:
            return
        if has("delete twice succeeds") and store.tasks[str(task_id)]["user_id"] != user_id:
            return
        task_of(user_id, task_id)
        del store.tasks[str(task_id)]

    @router.post("/projects", status_code=201, dependencies=guarded)
    async def add_project(user_id: str, project: ProjectIn, response: Response):
        project_id = str(uuid.uuid4())
        store.projects[project_id] = {"user_id": user_id, "name": project.name}
        response.headers["Location"] = f"/api/{user_id}/projects/{project_id}"

    @router.get("/projects/{project_id}", dependencies=guarded)
    async def get_project(user_id: str, project_id: str):
        project = store.projects.get(project_id)
        if project is None or project["user_id"] != user_id:
            raise no_such("project")
        return project["name"]

    if has("HEAD is open"):

        @router.head("/tasks/{task_id}", include_in_schema=False)
        async def head_task(user_id: str, task_id: str):
            return Response(status_code=200 if task_id in store.tasks else 404)

    if has("a hidden route"):

        @router.get("/export", include_in_schema=False)
        async def export(user_id: str):
            return [one for one in store.tasks.values() if one["user_id"] == user_id]

    app.include_router(router)

    @app.get("/me")
    async def me(user: Me, x_user_id: Annotated[str | None, Header()] = None):
        return {"user_id": x_user_id if has("header honoured") and x_user_id else user.subject}

    @app.get("/healthz")
    async def healthz():
        if has("public data"):
            return {"newest": [one["title"] for one in store.tasks.values()][-9:]}
        return "ok"

    if has("a websocket"):

        @app.websocket("/ws")
        async def ws(socket: WebSocket): ...

    if has("a token that nobody verified"):

        @app.get("/unverified/{user_id}")
        async def unverified(user_id: str, authorization: Annotated[str | None, Header()] = None):
            if authorization is None:
                raise HTTPException(401)
            return [one for one in store.tasks.values() if one["user_id"] == user_id]

    if has("a mounted app"):
        inner = FastAPI()

        @inner.get("/tasks/{task_id}")
        async def inner_task(task_id: str):
            return store.tasks.get(task_id) or Response(status_code=404)

        app.mount("/inner", inner)

    if has("what cannot be made"):

        @app.post("/strange")
        async def strange(user: Me, body: dict[str, int]):
            if body.get("answer") != 42:
                raise HTTPException(400, "give the answer")
            return body

    bridge.protect(app, public=["GET /healthz"])
    if leaks:
        app.user_middleware[-1] = Middleware(Unaudited, **app.user_middleware[-1].kwargs)
    return app
