"""The proof: does this SQL, as it will be sent, stay within one user's rows?

Private half of the annex ``sqlalchemy``. SQLAlchemy can be asked to add a criterion to every query, and there
are forms in which it does not. Nothing here trusts that it did. While a statement is compiled, each place
where a table's rows enter is looked at: an owned table must meet ``owner = :jwt_auth_bridge_owner`` in a
condition that every row of it has to fulfil, in the same SELECT, UPDATE or DELETE. What was found is kept
with the compiled statement, which SQLAlchemy caches: a statement is judged once, not at each execution.

A condition binds every row of a table where it stands, joined by AND alone, in WHERE, or in the ON of a join
that needs it: either side of an inner join, the right side of a left one, no side of a full one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table, UpdateBase, inspect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import FromStatement
from sqlalchemy.sql import elements, operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ColumnClause
from sqlalchemy.sql.selectable import FromClause, FromGrouping, Join, TableClause

from ._sqlalchemy_owners import ATTRIBUTES, COLUMNS, NO_OWNER, Name, name_of, owner_column, owner_of

OWNER: Final = "jwt_auth_bridge_owner"
"""Name of the bound parameter that holds the scope's user."""

_NOTES: Final = "_jwt_auth_bridge_notes"
_VERDICT: Final = "_jwt_auth_bridge_verdict"
_HARMLESS_LITERAL: Final = re.compile(r"\*|[0-9]+|'%'")
"""What SQLAlchemy itself writes without quotes: ``count(*)``, ``exists (select 1``, ``LIKE '%'``."""


@dataclass
class _Notes:
    """What the compiler met on its way."""

    free: set[Name] = field(default_factory=set)
    owned: bool = False
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a compiled statement.

    Attributes:
        owned: whether it touches rows that belong to somebody.
        refusal: why it can not run within a scope, or ``None``.
        same: bound parameters that must be the scope's user, where there are such.
        must: bound parameters that must be there, and be the scope's user.
    """

    owned: bool
    refusal: str | None
    same: tuple[str, ...]
    must: tuple[str, ...]
    known: int


def judge(compiled: SQLCompiler) -> Verdict:
    """Judges a compiled statement, once.

    Args:
        compiled: what SQLAlchemy is about to execute.
    """
    verdict: Verdict | None = getattr(compiled, _VERDICT, None)
    if verdict is None or verdict.known != len(COLUMNS):
        verdict = _judge(compiled)
        setattr(compiled, _VERDICT, verdict)
    return verdict


def _judge(compiled: SQLCompiler) -> Verdict:
    notes = _notes(compiled)
    refusals = list(notes.refusals)
    same, must = [OWNER], []
    late = any(owner_of(name) is not None for name in notes.free)
    if late:
        refusals.append("who owns a table was said after this statement was first used; say it before")
    # An INSERT's target is the one table whose name is written without asking anybody.
    inner = [cte.element.table for cte in compiled.ctes or () if isinstance(cte.element, UpdateBase)]
    within = any(owner_column(table) is not None for table in inner)
    if within:
        refusals.append("INSERT, UPDATE and DELETE within another statement can not be confined")
    for default in (each.default for each in (*compiled.insert_prefetch, *compiled.update_prefetch)):
        if default is not None and default.is_clause_element:
            refusals.append(
                "a column's default that is executed by itself, before the row, can not be confined"
            )
    target = getattr(compiled.statement, "table", None) if compiled.isinsert or compiled.isupdate else None
    column = None if target is None else owner_column(target)
    if column and target is not None:
        key = target.c[column].key
        if compiled.isinsert:
            must.append(key)
            refusals += _refuse_insert(compiled.statement, target.c[column])
        else:
            same.append(key)
        if not _is_parameter(compiled, key):
            refusals.append(f"{column} can be set to nothing but its user")
    elif column == NO_OWNER:
        refusals.append(_nameless(target))
    owned = notes.owned or late or within or column is not None or _is_text_for_owned(compiled.statement)
    return Verdict(owned, refusals[0] if refusals else None, tuple(same), tuple(must), len(COLUMNS))


def _is_parameter(compiled: SQLCompiler, key: str) -> bool:
    """Whether a column, where ``values()`` sets it, is set to the parameter that has its name."""
    assigned = getattr(compiled.compile_state, "_dict_parameters", None) or {}
    values = [value for name, value in assigned.items() if getattr(name, "key", name) == key]
    # SQLAlchemy gives a parameter without a name of its own that of the column.
    return all(isinstance(each, BindParameter) and (each.unique or each.key == key) for each in values)


def _is_text_for_owned(statement: Any) -> bool:
    if not isinstance(statement, FromStatement):
        return False
    entities = (inspect(each["entity"], raiseerr=False) for each in statement.column_descriptions)
    return any(getattr(entity, "mapper", None) in ATTRIBUTES for entity in entities)


def _refuse_insert(statement: Any, column: Any) -> Iterator[str]:
    if statement.select is not None:
        yield "INSERT from a SELECT can not be confined; load the rows, and add them"
    if statement._multi_values:
        yield "values() with several rows can not be confined; give them to execute() as its second argument"
    conflict = getattr(statement, "_post_values_clause", None)
    if conflict is None or conflict.__visit_name__ == "on_conflict_do_nothing":
        return
    conditions = list(_conjuncts(getattr(conflict, "update_whereclause", None)))
    if not any(_names_owner(each, column.table, column.key) for each in conditions):
        yield "what this INSERT does with a row that is already there can not be confined"
        return
    names = {str(getattr(name, "key", name)).lower() for name in dict(conflict.update_values_to_set)}
    if names & {column.key.lower(), column.name.lower()}:
        yield f"{column.name} can be set to nothing but its user"


def _nameless(table: Any) -> str:
    return f"table {table} names no owner, and refers to one that does: give it the owner, and owned()"


@compiles(TableClause)
@compiles(Table)
def _visit_table(table: TableClause, compiler: SQLCompiler, **kw: Any) -> Any:
    if kw.get("asfrom"):
        notes = _notes(compiler)
        alias = kw.get("enclosing_alias")
        element = alias if alias is not None and alias.element is table else table
        column = owner_column(table)
        entry: Any = compiler.stack[-1] if compiler.stack else {"selectable": None, "asfrom_froms": ()}
        if any(getattr(entry["selectable"], name, None) for name in ("_hints", "_statement_hints")):
            notes.refusals.append("a hint can not be confined; it is text within the statement")
        if column is None:
            notes.free.add(name_of(table))
        else:
            notes.owned = True
            if not (column and _is_confined(element, column, entry)):
                notes.refusals.append(
                    f"table {table.fullname} is used here for all users: not by its model, by a model that is"
                    " not owned, or in a form that SQLAlchemy does not confine (before 2.1: every exists(),"
                    " any() and has()); query the owned model in another way"
                    if column
                    else _nameless(table)
                )
    return compiler.visit_table(table, **kw)  # type: ignore[no-untyped-call]


def _visit_text(text: Any, compiler: SQLCompiler, **kw: Any) -> Any:
    _notes(compiler).refusals.append("text() can not be confined; write it as an expression")
    return getattr(compiler, f"visit_{text.__visit_name__}")(text, **kw)


for _name in ("TextClause", "TString"):  # TString is new in SQLAlchemy 2.1
    if hasattr(elements, _name):
        compiles(getattr(elements, _name))(_visit_text)


@compiles(ColumnClause)
def _visit_column(column: ColumnClause[Any], compiler: SQLCompiler, **kw: Any) -> Any:
    if column.is_literal and not _HARMLESS_LITERAL.fullmatch(column.name):
        _notes(compiler).refusals.append("literal_column() can not be confined; write it as an expression")
    return compiler.visit_column(column, **kw)


def _notes(compiler: SQLCompiler) -> _Notes:
    return vars(compiler).setdefault(_NOTES, _Notes())  # type: ignore[no-any-return]


def _is_confined(element: FromClause, column: str, entry: Any, seen: tuple[FromClause, ...] = ()) -> bool:
    """Whether every row of one table or alias that this SELECT, UPDATE or DELETE uses has the right owner."""
    for condition in _conditions(element, entry["selectable"], entry["asfrom_froms"]):
        if _names_owner(condition, element, column):
            return True
        # What equals the owner of a confined row is that owner: composite foreign keys.
        other = _equals(condition, element, column)
        table = getattr(other, "table", None)
        if (
            table is not None
            and table not in seen
            and owner_column(table) == other.key
            and _is_confined(table, other.key, entry, (*seen, element))
        ):
            return True
    return False


def _conditions(element: FromClause, statement: Any, froms: Iterable[FromClause]) -> Iterator[Any]:
    yield from _conjuncts(getattr(statement, "whereclause", None))
    for join in froms:
        if (
            isinstance(join, Join)
            and not join.full
            and (element in _leaves(join.right) or (not join.isouter and element in _leaves(join.left)))
        ):
            yield from _conjuncts(join.onclause)


def _leaves(source: FromClause) -> list[FromClause]:
    if isinstance(source, FromGrouping):
        return _leaves(source.element)
    return [*_leaves(source.left), *_leaves(source.right)] if isinstance(source, Join) else [source]


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for each in condition.clauses:
            yield from _conjuncts(each)
    elif condition is not None:
        yield condition


def _names_owner(condition: Any, element: FromClause, column: str) -> bool:
    other = _equals(condition, element, column)
    return isinstance(other, BindParameter) and other.key == OWNER


def _equals(condition: Any, element: FromClause, column: str) -> Any:
    """The other side of ``element.column = …``, where the condition is that."""
    if isinstance(condition, BinaryExpression) and condition.operator is operators.eq:
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(one, ColumnClause) and one.table == element and one.key == column:
                return other
    return None
