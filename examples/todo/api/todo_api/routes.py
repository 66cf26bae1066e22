"""The endpoints. The guard stands on the router, once: no route of tasks can forget it [C4] [C5].

WebSocket and server-sent events among them: whoever may not list the tasks is not told that they changed.

``bridge.path_user`` verifies the token and compares its user with ``{user_id}``; ``TaskService`` then gets
the Principal, never the path. The order of the tests on a request is therefore: token (401), path (403),
input (422), row (404).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, WebSocket, status
from fastapi.sse import EventSourceResponse, ServerSentEvent

from jwt_auth_bridge import Principal
from jwt_auth_bridge.fastapi import Bridge

from .database import Database
from .live import Changes
from .models import Task
from .schemas import Completion, Me, TaskChanges, TaskIn, TaskOut
from .service import TaskService


def task_routes(bridge: Bridge, database: Database, changes: Changes) -> APIRouter:
    """``/api/{user_id}/tasks``: the caller's own tasks and nobody else's."""
    router = APIRouter(
        prefix="/api/{user_id}/tasks", tags=["tasks"], dependencies=[Depends(bridge.path_user)]
    )

    # The same verification as the guard's: it happens once per request, however many dependencies ask.
    Caller = Annotated[Principal, Depends(bridge.current_user)]

    async def own_tasks(principal: Caller) -> TaskService:
        return TaskService(database, principal, changes)

    Own = Annotated[TaskService, Depends(own_tasks)]

    @router.get("", response_model=list[TaskOut])
    async def list_tasks(
        tasks: Own,
        limit: Annotated[int, Query(ge=1, le=500)] = 500,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Sequence[Task]:
        return await tasks.list(limit, offset)

    @router.post("", response_model=TaskOut, status_code=status.HTTP_201_CREATED)
    async def add_task(task: TaskIn, tasks: Own) -> Task:
        return await tasks.add(task)

    @router.get("/events", response_class=EventSourceResponse)
    async def task_events(principal: Caller) -> AsyncIterator[ServerSentEvent]:
        """An event at once and after every change, as long as the token lasts."""
        async for _change in changes.watch(principal):
            yield ServerSentEvent(event="tasks", data="changed")

    @router.websocket("/live")
    async def task_live(socket: WebSocket, principal: Caller) -> None:
        """The same over a WebSocket; what the page says is of no interest."""

        async def tell() -> None:
            async for _change in changes.watch(principal):
                await socket.send_json({"tasks": "changed"})

        await socket.accept()
        telling = asyncio.create_task(tell())
        try:
            async for _word in socket.iter_text():
                pass
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    @router.get("/{task_id}", response_model=TaskOut)
    async def get_task(task_id: UUID, tasks: Own) -> Task:
        return await tasks.get(task_id)

    @router.put("/{task_id}", response_model=TaskOut)
    async def replace_task(task_id: UUID, task: TaskIn, tasks: Own) -> Task:
        return await tasks.replace(task_id, task)

    @router.patch("/{task_id}", response_model=TaskOut)
    async def change_task(task_id: UUID, changes: TaskChanges, tasks: Own) -> Task:
        return await tasks.change(task_id, changes)

    @router.delete("/{task_id}", status_code=status.HTTP_204_NO_CONTENT)
    async def delete_task(task_id: UUID, tasks: Own) -> None:
        await tasks.remove(task_id)

    @router.patch("/{task_id}/complete", response_model=TaskOut)
    async def complete_task(task_id: UUID, tasks: Own, completion: Completion | None = None) -> Task:
        return await tasks.complete(task_id, (completion or Completion()).completed)

    return router


def account_routes(bridge: Bridge) -> APIRouter:
    """``/api/me``, guarded by the token alone, and ``/healthz``, open."""
    router = APIRouter()

    @router.get("/api/me", tags=["account"])
    async def me(principal: Annotated[Principal, Depends(bridge.current_user)]) -> Me:
        return Me(user_id=principal.subject, session_id=principal.session_id, expires_at=principal.expires_at)

    @router.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Whether the process answers. *Does not* ask the database: a restart would not bring it back."""
        return {"status": "ok"}

    return router
