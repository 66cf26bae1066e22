"""Which conditions bind every row of a table, where a SELECT, UPDATE or DELETE uses it.

Private half of the annex ``sqlalchemy``, the reasoning of its proof. Pure functions on what SQLAlchemy is
about to render. Law: SQL's three-valued WHERE and ON (ISO/IEC 9075-2, "where clause", "joined table").

A condition binds every row of a table where it stands, joined by AND alone, in WHERE, or in the ON of a join
that needs it: either side of an inner join, the right side of a left one, no side of a full one.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import String
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ColumnClause
from sqlalchemy.sql.selectable import FromClause, FromGrouping, Join

from ._sqlalchemy_owners import owner_column

OWNER: Final = "jwt_auth_bridge_owner"
"""Name of the bound parameter that holds the scope's user."""


def is_confined(element: FromClause, column: str, entry: Any, seen: tuple[FromClause, ...] = ()) -> bool:
    """Whether every row of one table or alias that this SELECT, UPDATE or DELETE uses has the right owner."""
    for condition in _conditions(element, entry["selectable"], entry["asfrom_froms"]):
        if names_owner(condition, element, column):
            return True
        # What equals the owner of a confined row is that owner: composite foreign keys.
        other = _equals(condition, element, column)
        table = getattr(other, "table", None)
        if (
            table is not None
            and table not in seen
            and owner_column(table) == other.key
            and is_confined(table, other.key, entry, (*seen, element))
        ):
            return True
    return False


def _conditions(element: FromClause, statement: Any, froms: Iterable[FromClause]) -> Iterator[Any]:
    yield from conjuncts(getattr(statement, "whereclause", None))
    for join in froms:
        if (
            isinstance(join, Join)
            and not join.full
            and (element in _leaves(join.right) or (not join.isouter and element in _leaves(join.left)))
        ):
            yield from conjuncts(join.onclause)


def _leaves(source: FromClause) -> list[FromClause]:
    if isinstance(source, FromGrouping):
        return _leaves(source.element)
    return [*_leaves(source.left), *_leaves(source.right)] if isinstance(source, Join) else [source]


def conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for each in condition.clauses:
            yield from conjuncts(each)
    elif condition is not None:
        yield condition


def names_owner(condition: Any, element: FromClause, column: str) -> bool:
    other = _equals(condition, element, column)
    # Any other type may send something else than the value that is compared.
    return isinstance(other, BindParameter) and other.key == OWNER and type(other.type) is String


def _equals(condition: Any, element: FromClause, column: str) -> Any:
    """The other side of ``element.column = …``, where the condition is that."""
    if isinstance(condition, BinaryExpression) and condition.operator is operators.eq:
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(one, ColumnClause) and one.table == element and one.key == column:
                return other
    return None
