"""The owner-scoped service: the only place that queries ``api.task`` [S6].

A service is made from a Principal, which only a verified token can yield, and every statement below names
that owner. There is no function that takes a task without an owner, and none that takes an owner from a
caller. Somebody else's task and a task that never was raise the same error, so that they get the same answer.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from jwt_auth_bridge import Principal

from .database import Database
from .models import Task
from .schemas import TaskChanges, TaskIn

Row = TypeVar("Row")


class TaskNotFoundError(Exception):
    """The owner has no such task."""


class TaskService:
    """The tasks of one user.

    Args:
        database: where they are.
        principal: whose they are; ``principal.subject`` is in every statement.

    Every method raises DatabaseUnavailableError when the database cannot be had.
    """

    def __init__(self, database: Database, principal: Principal) -> None:
        self._database = database
        self._owner = principal.subject

    async def list(self, limit: int, offset: int) -> Sequence[Task]:
        """The owner's tasks, oldest first."""
        statement = (
            select(Task)
            .where(Task.user_id == self._owner)
            .order_by(Task.created_at, Task.id)
            .limit(limit)
            .offset(offset)
        )
        async with self._database.transaction() as session:
            return (await session.scalars(statement)).all()

    async def add(self, task: TaskIn) -> Task:
        """Store a new task of the owner."""
        statement = insert(Task).values(**task.model_dump(), user_id=self._owner).returning(Task)
        async with self._database.transaction() as session:
            return (await session.scalars(statement)).one()

    async def get(self, task_id: UUID) -> Task:
        """One task. Raises TaskNotFoundError."""
        async with self._database.transaction() as session:
            return _found(await session.scalar(select(Task).where(self._mine(task_id))))

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
        statement = delete(Task).where(self._mine(task_id)).returning(Task.id)
        async with self._database.transaction() as session:
            _found(await session.scalar(statement))

    async def _update(self, task_id: UUID, values: Mapping[str, object]) -> Task:
        statement = (
            update(Task)
            .where(self._mine(task_id))
            .values(**values, updated_at=func.clock_timestamp())
            .returning(Task)
        )
        async with self._database.transaction() as session:
            return _found(await session.scalar(statement))

    def _mine(self, task_id: UUID) -> ColumnElement[bool]:
        return and_(Task.user_id == self._owner, Task.id == task_id)


def _found(row: Row | None) -> Row:
    if row is None:
        raise TaskNotFoundError
    return row
