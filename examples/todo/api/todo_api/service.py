"""The owner-scoped service: the only place that queries ``api.task`` [S6].

A service is made from a Principal, which only a verified token can yield, and each of its transactions is
that user's: the query scope and PostgreSQL's row-level security put the owner into every statement below, so
that none of them can forget it. For this service somebody else's task is a task that never was: it raises the
same error, and gets the same answer.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from jwt_auth_bridge import Principal

from .database import Database
from .live import Changes
from .models import Task
from .schemas import TaskChanges, TaskIn

Row = TypeVar("Row")


class TaskNotFoundError(Exception):
    """The owner has no such task."""


class TaskService:
    """The tasks of one user.

    Args:
        database: where they are.
        principal: whose they are.
        changes: who is told that they have changed.

    Every method raises DatabaseUnavailableError when the database cannot be had.
    """

    def __init__(self, database: Database, principal: Principal, changes: Changes) -> None:
        self._database = database
        self._principal = principal
        self._changes = changes

    async def list(self, limit: int, offset: int) -> Sequence[Task]:
        """The owner's tasks, oldest first."""
        statement = select(Task).order_by(Task.created_at, Task.id).limit(limit).offset(offset)
        async with self._database.transaction(self._principal) as session:
            return (await session.scalars(statement)).all()

    async def add(self, task: TaskIn) -> Task:
        """Store a new task of the owner."""
        row = Task(**task.model_dump())
        async with self._change() as session:
            session.add(row)
        return row

    async def get(self, task_id: UUID) -> Task:
        """One task. Raises TaskNotFoundError."""
        async with self._database.transaction(self._principal) as session:
            return _found(await session.scalar(select(Task).where(Task.id == task_id)))

    async def replace(self, task_id: UUID, task: TaskIn) -> Task:
        """Put a whole task in place of another. Raises TaskNotFoundError."""
        return await self._update(task_id, task.model_dump())

    async def change(self, task_id: UUID, changes: TaskChanges) -> Task:
        """Change the fields that were sent. Raises TaskNotFoundError."""
        return await self._update(task_id, changes.model_dump(exclude_unset=True))

    async def complete(self, task_id: UUID, completed: bool) -> Task:
        """Mark a task as done, or as not done. Raises TaskNotFoundError."""
        return await self._update(task_id, {"completed": completed})

    async def remove(self, task_id: UUID) -> None:
        """Delete a task. Raises TaskNotFoundError."""
        statement = delete(Task).where(Task.id == task_id).returning(Task.id)
        async with self._change() as session:
            _found(await session.scalar(statement))

    async def _update(self, task_id: UUID, values: Mapping[str, object]) -> Task:
        statement = (
            update(Task)
            .where(Task.id == task_id)
            .values(**values, updated_at=func.clock_timestamp())
            .returning(Task)
        )
        async with self._change() as session:
            return _found(await session.scalar(statement))

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[AsyncSession]:
        """A transaction that whoever listens is told of, once it is there to be read."""
        async with self._database.transaction(self._principal) as session:
            yield session
        self._changes.tell(self._principal)


def _found(row: Row | None) -> Row:
    if row is None:
        raise TaskNotFoundError
    return row
