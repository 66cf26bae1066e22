"""What happens to a session that has a principal, and to each statement on its way to the database.

Private half of the annex ``sqlalchemy``. Everything here is a listener to one of SQLAlchemy's own events, for
every session, mapper and engine of the process; those without a scope are let through, unless they touch
rows that have an owner. In the order in which a statement meets them: ``_confine``, ``_stamp``, ``_enter``,
``_rewrite``, ``_prove``. The first four make it right, the last one does not believe them.

Deliberately not done: no owner is read from a row that was loaded, one by one. The proof comes before it.
"""

import copy
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import (
    BindParameter,
    Connection,
    Delete,
    Engine,
    Insert,
    String,
    Update,
    and_,
    bindparam,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.orm import (
    FromStatement,
    LoaderCriteriaOption,
    Mapper,
    ORMExecuteState,
    Session,
    SessionTransaction,
    object_session,
)
from sqlalchemy.orm.interfaces import CriteriaOption
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from ._sqlalchemy_conditions import OWNER
from ._sqlalchemy_owners import ATTRIBUTES, ScopeError, owner_column
from ._sqlalchemy_proof import judge
from ._sqlalchemy_rls import SETTING

_PROVEN: Final = "_jwt_auth_bridge_proven"
_ENTER: Final = select(func.set_config(SETTING, bindparam("subject", type_=String), True))


class _Mine(LoaderCriteriaOption):
    """The owner as a criterion on one model, made anew for each entity and alias of it that a query has."""

    __slots__ = ("attribute", "owner")

    # Many are made for each bulk UPDATE, and few are asked: the expression waits until then.
    def __init__(self, mapper: Mapper[Any], attribute: str, owner: BindParameter[str]) -> None:
        self.entity, self.root_entity = mapper, None
        self.deferred_where_criteria, self.include_aliases, self.propagate_to_loaders = False, True, True
        self.attribute, self.owner = attribute, owner

    def _resolve_where_criteria(self, ext_info: Any) -> Any:
        self.where_criteria = getattr(ext_info.entity, self.attribute) == self.owner
        return super()._resolve_where_criteria(ext_info)


class _Confine(CriteriaOption):
    """The owner as a criterion on every owned model, however a query comes to it; one option for all models.

    The owner is part of the statement and of its cache key: a cache of results keeps users apart as well.
    """

    __slots__ = ("owner",)
    _traverse_internals = [("owner", visitors.InternalTraversal.dp_clauseelement)]  # noqa: RUF012
    # A load of a relationship is executed by the session too, and gets the option of that session's user.
    propagate_to_loaders = False

    def __init__(self, subject: str) -> None:
        self.owner: BindParameter[str] = bindparam(OWNER, subject, type_=String())

    def process_compile_state(self, compile_state: Any) -> None:
        self.get_global_criteria(compile_state.global_attributes)

    def process_compile_state_replaced_entities(self, compile_state: Any, _mapper_entities: Any) -> None:
        self.get_global_criteria(compile_state.global_attributes)

    def get_global_criteria(self, attributes: dict[Any, Any]) -> None:
        for mapper, attribute in list(ATTRIBUTES.items()):
            if hasattr(mapper.class_, attribute):  # else its registry was disposed of
                option = _Mine(mapper, attribute, self.owner)
                attributes.setdefault(("additional_entity_criteria", mapper), []).append(option)


class Scope:
    """One user, as a session and its connections know it.

    Attributes:
        subject: the user's ID.
        option: the criterion for ORM queries.
        owner: the bound parameter that every condition on an owner compares with.
    """

    __slots__ = ("option", "owner", "subject")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.option = _Confine(subject)
        self.owner = self.option.owner

    def is_mine(self, value: object) -> bool:
        """Tells whether a value is this user; a string of the app's own class has no say in it."""
        return isinstance(value, str) and str.__eq__(value, self.subject)

    def is_other(self, value: object) -> bool:
        """Tells whether an attribute's value is an owner, and not this one."""
        return value is not None and not self.is_mine(value)


SESSIONS: Final[WeakKeyDictionary[Session, Scope]] = WeakKeyDictionary()
"""Each scoped session, for the rest of its life."""

UNSCOPED: Final[WeakSet[Engine]] = WeakSet()
"""The engines that have leave to do without."""

_CONNECTIONS: Final[WeakKeyDictionary[Connection, Scope]] = WeakKeyDictionary()
_IN_USE: Final[WeakKeyDictionary[Session, list[Connection]]] = WeakKeyDictionary()


@event.listens_for(Session, "before_attach")
def _refuse_foreign(session: Session, instance: object) -> None:
    scope = SESSIONS.get(session)
    state: Any = inspect(instance)
    attribute = ATTRIBUTES.get(state.mapper)
    if scope is None or attribute is None:
        return
    if scope.is_other(state.dict.get(attribute)):
        raise ScopeError(f"this {state.class_.__name__} is another user's")
    if state.key is None:
        return
    known = set(state.dict) - {"_sa_instance_state"}
    if attribute not in known and known - _key_of(state.mapper):
        raise ScopeError(
            f"this {state.class_.__name__} comes with values and without its owner; load it here"
        )
    # Nothing loaded and nothing expired: merge(load=False) is about to fill it with what it was given.
    if not state.expired_attributes and not known:
        raise ScopeError("merge(load=False) can not be confined; merge without it")


def _key_of(mapper: Mapper[Any]) -> set[str]:
    """What an object has that was made of its key alone; the class says what kind of row it is."""
    known = {*mapper.primary_key, mapper.polymorphic_on}
    return {one.key for one in mapper.column_attrs if not known.isdisjoint(one.columns)}


@event.listens_for(Session, "do_orm_execute")
def _confine(state: ORMExecuteState) -> None:
    scope = SESSIONS.get(state.session)
    _stay(state.session, scope)
    if scope is None:
        return
    statement: Any = state.statement
    if not state.is_orm_statement:
        raise ScopeError(
            "text() and Core statements can not be confined; query the models, with select_from(Model) where"
            " nothing but functions of its columns is selected"
        )
    if isinstance(statement, FromStatement) and not state.is_column_load:
        raise ScopeError("from_statement() can not be confined; query the model itself")
    statement = statement.options(scope.option)
    # SQLAlchemy adds no criteria where it loads columns of an object that it has.
    mapper = state.bind_mapper
    if state.is_column_load and mapper is not None and mapper in ATTRIBUTES:
        if isinstance(statement, FromStatement):  # columns of a joined subclass's table alone
            query: Any = statement.element
            statement.element = query.where(*_mine(query.get_final_froms(), scope))
        else:
            statement = statement.where(*_mine(mapper.tables, scope))
    state.statement = statement


def _mine(tables: Any, scope: Scope) -> list[Any]:
    return [table.c[owner_column(table)] == scope.owner for table in tables]


@event.listens_for(Mapper, "before_insert")
def _stamp(mapper: Mapper[Any], _connection: Connection, instance: Any) -> None:
    attribute = ATTRIBUTES.get(mapper)
    session = None if attribute is None else object_session(instance)
    scope = None if session is None else SESSIONS.get(session)
    if attribute is not None and scope is not None:
        value = inspect(instance).dict.get(attribute)
        if value is None:
            setattr(instance, attribute, scope.subject)
        elif scope.is_other(value):
            raise ScopeError(f"this {type(instance).__name__} is another user's")


def _stay(session: Session, scope: Scope | None) -> None:
    """Several sessions on one connection, in one transaction: it is the user's whose session came last."""
    for connection in _IN_USE.get(session, ()):
        last = _CONNECTIONS.get(connection)
        if last is not None and (scope is None or last.subject != scope.subject):
            raise ScopeError("another user's session came to this session's connection; give each its own")


# A flush and the bulk methods begin one within the session's own, and ask nobody else.
@event.listens_for(Session, "after_transaction_create")
def _begin(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is not None:
        _stay(session, SESSIONS.get(session))


@event.listens_for(Session, "after_transaction_end")
def _leave(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        scope = SESSIONS.get(session)
        for connection in _IN_USE.pop(session, ()):
            if _CONNECTIONS.get(connection) is scope:
                _CONNECTIONS.pop(connection, None)


@event.listens_for(Session, "after_begin")
def _enter(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    scope = SESSIONS.get(session)
    used = _IN_USE.setdefault(session, [])
    if connection not in used:  # savepoints
        used.append(connection)
    if scope is None:
        _CONNECTIONS.pop(connection, None)
        return
    _CONNECTIONS[connection] = scope
    if connection.engine in UNSCOPED:
        raise ScopeError("this session is a user's, and the engine is for work without one")
    # Local to the transaction: nothing outlives it in a pooled connection.
    if connection.dialect.name == "postgresql" and not transaction.nested:
        connection.execute(_ENTER, {"subject": scope.subject})


@event.listens_for(Engine, "before_execute", retval=True)
def _rewrite(connection: Connection, statement: Any, many: Any, one: Any, _options: Any) -> Any:
    scope = _CONNECTIONS.get(connection)
    if scope is None or not isinstance(statement, (Insert, Update, Delete)):
        return statement, many, one
    name = owner_column(statement.table)
    if not name:
        return statement, many, one
    column = statement.table.c[name]
    if not isinstance(statement, Insert):
        return statement.where(column == scope.owner), many, one
    if all(getattr(key, "key", key) != column.key for key in statement._values or ()):
        mine = {column.key: scope.subject}
        rows = [row if row.get(column.key) is not None else {**row, **mine} for row in many or [one]]
        many, one = (rows, {}) if many else ([], rows[0])
    conflict = copy.copy(getattr(statement, "_post_values_clause", None))
    if conflict is not None and hasattr(conflict, "update_whereclause"):
        where = conflict.update_whereclause
        owner = column == scope.owner
        conflict.update_whereclause = owner if where is None else and_(where, owner)
        statement = statement.execution_options()  # a copy
        statement._post_values_clause = conflict
    return statement, many, one


@event.listens_for(Engine, "before_cursor_execute")
def _prove(connection: Connection, _cursor: Any, _sql: Any, _values: Any, context: Any, _many: Any) -> None:
    scope = _CONNECTIONS.get(connection)
    compiled = getattr(context, "compiled", None)
    if not isinstance(compiled, SQLCompiler):
        if scope is not None:
            raise ScopeError("SQL for the driver and DDL can not be confined; use the session")
        return
    verdict = judge(compiled)
    if scope is None:
        if verdict.owned and connection.engine not in UNSCOPED:
            raise ScopeError(
                "this touches rows that have an owner, and there is no principal: scope(session, principal)"
                " before the session's first query, or use an unscoped session"
            )
        return
    if verdict.refusal is not None:
        raise ScopeError(verdict.refusal)
    # A long INSERT comes here once for each of its batches, with the rows of all.
    if not getattr(context, _PROVEN, False):
        for row in context.compiled_parameters:
            if any(name in row and not scope.is_mine(row[name]) for name in verdict.same) or any(
                not scope.is_mine(row.get(name)) for name in verdict.must
            ):
                raise ScopeError("this statement names another user as the owner")
        setattr(context, _PROVEN, True)
