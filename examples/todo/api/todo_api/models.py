"""The one table, ``api.task``. Every row has an owner: the token's ``sub``, at most 255 characters.

``__owned_by__`` says so once. It is why the service has no filter to forget: no session touches a task
without a principal, and with one it touches the principal's own (``jwt_auth_bridge.sqlalchemy``).
Migration 0002 says the same to PostgreSQL, which does not take the program's word for it.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, DateTime, Index, MetaData, String, Text, Uuid, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "api"


class Base(DeclarativeBase):
    """Everything lives in schema ``api``; Better Auth's tables are in ``auth`` and no business of ours."""

    metadata = MetaData(schema=SCHEMA)


class Task(Base):
    """One task of one user.

    The ID is a random UUID made by the database: it tells nothing about how many tasks others have, and none
    can overflow. The key begins with the owner, as every unique constraint and every reference to a task
    must: a key of its own would answer for rows that nobody may see. There is no foreign key to Better
    Auth's users: the API's role cannot even see that schema.
    """

    __owned_by__ = "user_id"
    __tablename__ = "task"
    __table_args__ = (Index("task_owner", "user_id", "created_at", "id"),)

    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text("gen_random_uuid()"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, server_default="")
    completed: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
