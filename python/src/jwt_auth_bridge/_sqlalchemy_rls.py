"""Row-level security: PostgreSQL itself keeps a row from everybody but its owner.

Private half of the annexes ``sqlalchemy`` and ``alembic``: the second wall. It gives statements, runs none.
The user is a setting of the transaction, ``app.user_id``, which the query scope makes; it is empty, not null,
in a connection that once had it, and both mean nobody. Law: PostgreSQL's "Row Security Policies" (5.9).
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapper

from ._sqlalchemy_owners import owner_column
from .errors import ConfigurationError

SETTING: Final = "app.user_id"
"""Name of the setting that holds the user, for one transaction."""

_POLICY: Final = "jwt_auth_bridge_owner"
_CHECK: Final = "jwt_auth_bridge_owner_not_empty"
_QUOTE: Final = postgresql.dialect(paramstyle="named").identifier_preparer.quote  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class RowLevelSecurity:
    """The statements that put a table behind row-level security, and those that take it out again.

    Attributes:
        enable: in order of execution, by the table's owner.
        disable: undoes ``enable``, in order.
    """

    enable: tuple[str, ...]
    disable: tuple[str, ...]


def rls_policy(model: Any, column: str | None = None, *, schema: str | None = None) -> RowLevelSecurity:
    """Gives the DDL that confines a table to the rows of ``app.user_id``.

    Args:
        model: a mapped class, a ``Table``, or a table's name.
        column: the owner column; may be left out where the model is owned.
        schema: the table's schema, where ``model`` is a name.

    Returns:
        ENABLE and FORCE, so that the table's owner is confined as well, one policy for all commands, and a
        CHECK that no row has the empty owner. Identifiers are quoted.

    Raises:
        ConfigurationError: no table, or no owner column.

    *Does not* confine a superuser, a role with BYPASSRLS, TRUNCATE, or a view that is not
    ``WITH (security_invoker)``: give the API's role none of these. A foreign key or a unique constraint still
    answers for rows that nobody may see.

    Example:
        >>> rls_policy("task", "user_id", schema="api").enable[0]
        'ALTER TABLE api.task ENABLE ROW LEVEL SECURITY'
    """
    if not isinstance(model, str):
        mapper = inspect(model, raiseerr=False)
        table = mapper.local_table if isinstance(mapper, Mapper) else model
        if not isinstance(table, Table):
            raise ConfigurationError(f"rls_policy() takes a model, a Table or a table's name, not {model!r}")
        column = column or owner_column(table)
        if not column or column not in table.c:
            raise ConfigurationError(
                f"table {table} is not owned, or has no column {column or 'for the owner'}"
            )
        model, schema, column = table.name, table.schema, table.c[column].name
    if not column:
        raise ConfigurationError("rls_policy() takes the owner column, where it takes a table's name")
    name = f"{_QUOTE(schema)}.{_QUOTE(model)}" if schema else _QUOTE(model)
    owner = _QUOTE(column)
    # In a subquery, so that it is evaluated once for a statement and not for every row.
    mine = f"{owner} = NULLIF((SELECT current_setting('{SETTING}', true)), '')"
    return RowLevelSecurity(
        enable=(
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {_POLICY} ON {name} USING ({mine}) WITH CHECK ({mine})",
            f"ALTER TABLE {name} ADD CONSTRAINT {_CHECK} CHECK ({owner} <> '')",
        ),
        disable=(
            f"ALTER TABLE {name} DROP CONSTRAINT {_CHECK}",
            f"DROP POLICY {_POLICY} ON {name}",
            f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY",
        ),
    )
