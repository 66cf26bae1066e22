"""The annex for Alembic: row-level security as an operation, and Better Auth's tables left alone.

Import it in ``migrations/env.py``: from then on ``op.enable_owner_rls`` and ``op.disable_owner_rls`` exist.
Migrations run as the tables' owner, who is confined like everybody by FORCE: one that moves rows does so
before it enables row-level security, or disables it for as long. Law: PostgreSQL's "Row Security Policies".
"""

from collections.abc import Callable, Collection
from typing import Any, Final

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text

from ._sqlalchemy_rls import rls_policy
from .errors import ConfigurationError

__all__ = ["BETTER_AUTH_TABLES", "leave_better_auth"]

BETTER_AUTH_TABLES: Final = frozenset(("user", "session", "account", "verification", "jwks", "rateLimit"))
"""The tables of Better Auth with the JWT plugin; other plugins have more."""


@Operations.register_operation("enable_owner_rls")
class EnableOwnerRls(MigrateOperation):
    """``op.enable_owner_rls("task", column="user_id", schema="api")``: see ``rls_policy``."""

    def __init__(self, table: str, column: str, schema: str | None) -> None:
        self.table, self.column, self.schema = table, column, schema

    @classmethod
    def enable_owner_rls(
        cls, operations: Operations, table: str, *, column: str, schema: str | None = None
    ) -> None:
        """Puts a table behind row-level security.

        Args:
            operations: Alembic gives it.
            table: name of the table.
            column: name of its owner column.
            schema: the table's schema.
        """
        operations.invoke(cls(table, column, schema))

    def reverse(self) -> "DisableOwnerRls":
        """Gives the operation that undoes this one."""
        return DisableOwnerRls(self.table, self.column, self.schema)


@Operations.register_operation("disable_owner_rls")
class DisableOwnerRls(MigrateOperation):
    """``op.disable_owner_rls("task", column="user_id", schema="api")``: undoes ``enable_owner_rls``."""

    def __init__(self, table: str, column: str, schema: str | None) -> None:
        self.table, self.column, self.schema = table, column, schema

    @classmethod
    def disable_owner_rls(
        cls, operations: Operations, table: str, *, column: str, schema: str | None = None
    ) -> None:
        """Takes a table out of row-level security.

        Args:
            operations: Alembic gives it.
            table: name of the table.
            column: name of its owner column.
            schema: the table's schema.
        """
        operations.invoke(cls(table, column, schema))

    def reverse(self) -> EnableOwnerRls:
        """Gives the operation that undoes this one."""
        return EnableOwnerRls(self.table, self.column, self.schema)


@Operations.implementation_for(EnableOwnerRls)
def _enable(operations: Operations, operation: EnableOwnerRls) -> None:
    _run(operations, rls_policy(operation.table, operation.column, schema=operation.schema).enable)


@Operations.implementation_for(DisableOwnerRls)
def _disable(operations: Operations, operation: DisableOwnerRls) -> None:
    _run(operations, rls_policy(operation.table, operation.column, schema=operation.schema).disable)


def _run(operations: Operations, statements: Collection[str]) -> None:
    for statement in statements:
        # A colon is part of a quoted name here, never a parameter.
        operations.execute(text(statement.replace(":", "\\:")))


def leave_better_auth(
    *, schema: str | None = None, tables: Collection[str] = ()
) -> Callable[[Any, str | None, str, bool, Any], bool]:
    """Makes an ``include_object`` for ``context.configure`` that keeps autogenerate off Better Auth's tables.

    Args:
        schema: a schema that is Better Auth's alone: all of it is left alone. Without it, Better Auth's
            tables are next to the app's, and known by their names.
        tables: without a schema, names of more tables: those of plugins, and those that were renamed.

    Raises:
        ConfigurationError: both.

    Returns:
        The function; a table that it leaves is neither created, changed nor dropped.

    Example:
        >>> include_object = leave_better_auth(tables=["organization", "member", "invitation"])
        >>> from sqlalchemy import MetaData, Table
        >>> include_object(Table("user", MetaData()), "user", "table", True, None)
        False
    """
    if schema is not None and tables:
        raise ConfigurationError("leave_better_auth() takes a schema, all of it, or the names of tables")
    names = BETTER_AUTH_TABLES | frozenset(tables)

    def include_object(item: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
        table = item if kind == "table" else getattr(item, "table", None)
        if table is None:
            return True
        if schema is not None:
            return bool(table.schema != schema)
        return table.schema is not None or table.name not in names

    return include_object
