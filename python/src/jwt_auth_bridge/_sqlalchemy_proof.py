"""The proof: does this SQL, as it will be sent, stay within one user's rows?

Private half of the annex ``sqlalchemy``. SQLAlchemy can be asked to add a criterion to every query, and there
are forms in which it does not. Nothing here trusts that it did. While a statement is compiled, each place
where a table's rows enter is looked at: an owned table must meet ``owner = :jwt_auth_bridge_owner`` in a
condition that every row of it has to fulfil, in the same SELECT, UPDATE or DELETE. What was found is kept
with the compiled statement, which SQLAlchemy caches: a statement is judged once, not at each execution.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Alias, Delete, Insert, Select, Table, Update, UpdateBase, inspect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import FromStatement
from sqlalchemy.sql import elements, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ColumnClause
from sqlalchemy.sql.selectable import FromClause, TableClause, TableSample

from ._sqlalchemy_conditions import OWNER, conjuncts, is_confined, names_owner
from ._sqlalchemy_owners import ATTRIBUTES, COLUMNS, NO_OWNER, Name, name_of, owner_column, owner_of

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
    statement: Any = compiled.statement
    unseen = _NOTES not in vars(compiled)
    notes = _notes(compiled)
    if unseen:
        notes.free |= _tables_of(statement)
    refusals = list(notes.refusals)
    same, must = [OWNER], []
    late = any(owner_of(name) is not None for name in notes.free)
    if late:
        refusals.append("who owns a table was said after this statement was first used; say it before")
    # An INSERT's target is the one table whose name is written without asking anybody.
    inner = [cte.element.table for cte in compiled.ctes or () if isinstance(cte.element, UpdateBase)]
    within = any(_owner(table, compiled) is not None for table in inner)
    if within:
        refusals.append("INSERT, UPDATE and DELETE within another statement can not be confined")
    for default in (each.default for each in (*compiled.insert_prefetch, *compiled.update_prefetch)):
        if default is not None and default.is_clause_element:
            refusals.append(
                "a column's default that is executed by itself, before the row, can not be confined"
            )
    change = statement.element if isinstance(statement, FromStatement) else statement
    target = getattr(change, "table", None) if compiled.isinsert or compiled.isupdate else None
    column = None if target is None else _owner(target, compiled)
    if column and target is not None:
        key = target.c[column].key
        if compiled.isinsert:
            must.append(key)
            refusals += _refuse_insert(change, target.c[column])
        else:
            same.append(key)
        if not _is_parameter(compiled, key):
            refusals.append(f"{column} can be set to nothing but its user")
    elif column == NO_OWNER:
        refusals.append(_nameless(target))
    others = getattr(compiled.compile_state, "_extra_froms", ())
    if any(getattr(name, "table", None) in others for name in _assigned(compiled)):
        refusals.append("an UPDATE that sets columns of two tables can not be confined; update one of them")
    owned = notes.owned or late or within or column is not None or _is_text_for_owned(statement)
    return Verdict(owned, refusals[0] if refusals else None, tuple(same), tuple(must), len(COLUMNS))


def _tables_of(statement: Any) -> set[Name]:
    """The tables of a statement that was compiled before this module was there to take notes."""
    return {name_of(each) for each in visitors.iterate(statement) if isinstance(each, TableClause)}


def _owner(table: FromClause, compiler: SQLCompiler) -> str | None:
    """``owner_column``; where schemas are translated, a table's name may mean that of any schema."""
    column = owner_column(table)
    if column is None and getattr(compiler, "schema_translate_map", None):
        name = getattr(table, "name", "").lower()
        return NO_OWNER if any(own == name for own, _ in COLUMNS) else None
    return column


def _is_parameter(compiled: SQLCompiler, key: str) -> bool:
    """Whether a column, where ``values()`` sets it, is set to the parameter that has its name."""
    values = [value for name, value in _assigned(compiled).items() if getattr(name, "key", name) == key]
    # SQLAlchemy gives a parameter without a name of its own that of the column.
    return all(isinstance(each, BindParameter) and (each.unique or each.key == key) for each in values)


def _assigned(compiled: SQLCompiler) -> dict[Any, Any]:
    return getattr(compiled.compile_state, "_dict_parameters", None) or {}


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
    conditions = list(conjuncts(getattr(conflict, "update_whereclause", None)))
    if not any(names_owner(each, column.table, column.key) for each in conditions):
        yield "what this INSERT does with a row that is already there can not be confined"
        return
    names = {str(getattr(name, "key", name)).lower() for name in dict(conflict.update_values_to_set)}
    if names & {column.key.lower(), column.name.lower()}:
        yield f"{column.name} can be set to nothing but its user"


def _nameless(table: Any) -> str:
    return (
        f"table {table} names no owner, and refers to one that does, or may be one by schema_translate_map:"
        " give it the owner, and owned()"
    )


@compiles(TableClause)
@compiles(Table)
def _visit_table(table: TableClause, compiler: SQLCompiler, **kw: Any) -> Any:
    if kw.get("asfrom"):
        notes = _notes(compiler)
        alias = kw.get("enclosing_alias")
        element = alias if alias is not None and alias.element is table else table
        column = _owner(table, compiler)
        entry: Any = compiler.stack[-1] if compiler.stack else {"selectable": None, "asfrom_froms": ()}
        if column is None:
            notes.free.add(name_of(table))
            if _is_text(table.name) or _is_text(table.schema):
                notes.refusals.append("a table's name with quote=False can not be confined; it is text")
        else:
            notes.owned = True
            if not (column and is_confined(element, column, entry)):
                notes.refusals.append(
                    f"table {table.fullname} is used here for all users: not by its model, by a model that is"
                    " not owned, or in a form that SQLAlchemy does not confine (before 2.1: every exists(),"
                    " any() and has()); query the owned model in another way"
                    if column
                    else _nameless(table)
                )
    return compiler.visit_table(table, **kw)  # type: ignore[no-untyped-call]


def _visit_alias(alias: Any, compiler: SQLCompiler, **kw: Any) -> Any:
    outer = kw.get("enclosing_alias")
    # Only the outer name is written: what a condition says of the inner one, it says of another table.
    if outer is not None and outer.element is alias and owner_column(alias) is not None:
        _notes(compiler).refusals.append("an alias of an alias can not be confined; give the model one")
    return getattr(compiler, f"visit_{alias.__visit_name__}")(alias, **kw)


compiles(Alias)(_visit_alias)
compiles(TableSample)(_visit_alias)


def _visit_statement(statement: Any, compiler: SQLCompiler, **kw: Any) -> Any:
    notes = _notes(compiler)
    if any(getattr(statement, name, None) for name in ("_hints", "_statement_hints")):
        notes.refusals.append("a hint can not be confined; it is text within the statement")
    return getattr(compiler, f"visit_{statement.__visit_name__}")(statement, **kw)


for _kind in (Select, Insert, Update, Delete):
    compiles(_kind)(_visit_statement)


def _visit_text(text: Any, compiler: SQLCompiler, **kw: Any) -> Any:
    _notes(compiler).refusals.append("text() can not be confined; write it as an expression")
    return getattr(compiler, f"visit_{text.__visit_name__}")(text, **kw)


for _name in ("TextClause", "TString"):  # TString is new in SQLAlchemy 2.1
    if hasattr(elements, _name):
        compiles(getattr(elements, _name))(_visit_text)


@compiles(elements.Extract)
def _visit_extract(extract: Any, compiler: SQLCompiler, **kw: Any) -> Any:
    if not extract.field.isidentifier():
        _notes(compiler).refusals.append("extract() of something else than a field can not be confined")
    return compiler.visit_extract(extract, **kw)  # type: ignore[no-untyped-call]


@compiles(ColumnClause)
def _visit_column(column: ColumnClause[Any], compiler: SQLCompiler, **kw: Any) -> Any:
    if (column.is_literal and not _HARMLESS_LITERAL.fullmatch(column.name)) or _is_text(column.name):
        _notes(compiler).refusals.append("literal_column() can not be confined; write it as an expression")
    return compiler.visit_column(column, **kw)


def _is_text(name: str | None) -> bool:
    """Whether a name is sent as it is, and is more than a name."""
    return name is not None and getattr(name, "quote", None) is False and not name.isidentifier()


def _notes(compiler: SQLCompiler) -> _Notes:
    return vars(compiler).setdefault(_NOTES, _Notes())  # type: ignore[no-any-return]
