"""Who owns which rows: models and tables say it once, everything else asks here.

Private half of the annex ``sqlalchemy``, its first room. A model is known by its mapper and by the name of
its table, so that another ``Table`` object, or another class over the same table, is no way around. A table
that refers to an owned table and names no owner belongs to somebody as well, nobody can say to whom: it
counts as owned and can not be confined. Law: OWASP API1:2023.
"""

import re
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import MetaData, Table, TypeDecorator, event, inspect
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.mapper import _all_registries
from sqlalchemy.sql.selectable import FromClause, TableClause
from sqlalchemy.sql.sqltypes import NullType, String

from .errors import BridgeError, ConfigurationError

Owned = TypeVar("Owned")

NO_OWNER: Final = ""
"""In place of a column's name: the rows belong to somebody, and the table does not say to whom."""

Name = tuple[str, str | None]
"""Table and schema, in lower case."""

COLUMNS: Final[dict[Name, str]] = {}
"""Each owned table → key of its owner column. It only ever grows."""

ATTRIBUTES: Final[WeakKeyDictionary[Mapper[Any], str]] = WeakKeyDictionary()
"""Each owned model's mapper → name of the attribute that holds the owner."""


_METADATA: Final[WeakSet[MetaData]] = WeakSet()
"""Where the app's tables are declared, with their references."""

_ALIKE: Final = re.compile(r"nocase|rtrim|(^|[_-])ci($|[_-])", re.IGNORECASE)
"""Collations for which two users are the same."""


class ScopeError(BridgeError):
    """A query would leave its user's rows, or can not be shown to stay within them: a mistake in the program.

    The statement was not sent. ``hint`` and the message are the same sentence.

    *Does not* travel to a client: nothing answers it, so the app answers 500, and somebody repairs the query.

    Example:
        >>> ScopeError("text() can not be confined").status
        0
    """

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.code = "scope_violated"
        self.hint = message


def OwnedBy(attribute: str) -> Any:
    """Makes the mixin that says which attribute of a model holds its owner.

    Args:
        attribute: name of the mapped attribute; a string column, never null.

    Returns:
        A base class. ``__owned_by__ = "user_id"`` in the model's body says the same, and type checkers, which
        can not follow a base class that is made by a call, have nothing against it.

    Raises:
        ConfigurationError: when the model is mapped, and has no such column or can not be confined.

    Example:
        >>> from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        >>> class Base(DeclarativeBase):
        ...     pass
        >>> class Memo(OwnedBy("user_id"), Base):
        ...     __tablename__ = "memo"
        ...     id: Mapped[int] = mapped_column(primary_key=True)
        ...     user_id: Mapped[str]
    """
    return type("OwnedBy", (), {"__owned_by__": attribute, "__doc__": f"Owned by its {attribute}."})


def owned(model: Owned, attribute: str) -> Owned:
    """Says who owns a model that one can not edit, or a plain table, like the one between two models.

    Args:
        model: a mapped class, or a ``Table``.
        attribute: the attribute of the model, or the column of the table, that holds the owner.

    Returns:
        The model.

    Raises:
        ConfigurationError: it has no such column, or can not be confined.

    Example:
        >>> from sqlalchemy import Column, MetaData, String, Table
        >>> label = owned(Table("memo_label", MetaData(), Column("user_id", String)), "user_id")
    """
    if isinstance(model, Table):
        _own(model, attribute)
        return model
    mapper = inspect(model, raiseerr=False)
    if not isinstance(mapper, Mapper):
        raise ConfigurationError(f"owned() takes a mapped class or a Table, and {model!r} is neither")
    for each in mapper.self_and_descendants:
        _own_model(each, attribute)
    return model


def owner_column(table: FromClause) -> str | None:
    """Gives the name of a table's owner column, ``NO_OWNER``, or ``None`` where the table belongs to all.

    Args:
        table: a table or an alias of one; anything else belongs to all.
    """
    source: Any = table
    while not isinstance(source, TableClause):
        source = getattr(source, "element", None)
        if not isinstance(source, FromClause):
            return None
    column = owner_of(name_of(source))
    return NO_OWNER if column is None and _refers_to_owned(source) else column


def name_of(table: TableClause) -> Name:
    """Gives what a table is known by."""
    return table.name.lower(), table.schema and table.schema.lower()


def owner_of(name: Name) -> str | None:
    """Gives the key of the owner column of the table with a name, or ``None``.

    A name without a schema may mean the same table as one with it: that is up to the search path.
    """
    if name in COLUMNS:
        return COLUMNS[name]
    return next((COLUMNS[own] for own in COLUMNS if _may_be(own, name)), None)


def _may_be(one: Name, other: Name) -> bool:
    return one[0] == other[0] and (one[1] == other[1] or one[1] is None or other[1] is None)


@event.listens_for(Mapper, "after_mapper_constructed")
def _notice(mapper: Mapper[Any], model: type) -> None:
    _METADATA.update(table.metadata for table in mapper.tables if isinstance(table, Table))
    attribute = getattr(model, "__owned_by__", None)
    if attribute is None and mapper.inherits is not None:
        attribute = ATTRIBUTES.get(mapper.inherits)
    if attribute is not None:
        _own_model(mapper, attribute)


def _own_model(mapper: Mapper[Any], attribute: str) -> None:
    name = mapper.class_.__name__
    column = mapper.columns.get(attribute)
    if column is None:
        raise ConfigurationError(f"{name} is owned by {attribute}, and maps no column of that name")
    for table in mapper.tables:
        _own(table, column.key)
    if not isinstance(mapper.local_table, Table):
        raise ConfigurationError(f"{name} is owned, and mapped to no table but to a query")
    ATTRIBUTES[mapper] = attribute


def _own(table: FromClause, key: str) -> None:
    column = table.c.get(key)
    if column is None or not isinstance(table, TableClause):
        raise ConfigurationError(
            f"{table} is no table with a column {key}; every table of an owned model carries the owner, and"
            f" refers to the others by it too, like FOREIGN KEY ({key}, id)"
        )
    if isinstance(table, Table):
        _METADATA.add(table.metadata)
    # A foreign key's column has no type until the other table is known.
    kind = getattr(column.type, "impl", column.type)
    if not isinstance(kind, (String, NullType)):
        raise ConfigurationError(f"column {column} must hold strings, because a token's subject is one")
    kinds = (kind, *getattr(column.type, "_variant_mapping", {}).values())
    if any(isinstance(one, CITEXT) or _ALIKE.search(getattr(one, "collation", None) or "") for one in kinds):
        raise ConfigurationError(f"column {column} takes two users for one: no CITEXT, no such collation")
    if isinstance(column.type, TypeDecorator) and any(
        getattr(type(column.type), name) is not getattr(TypeDecorator, name)
        for name in ("process_bind_param", "bind_expression")
    ):
        raise ConfigurationError(
            f"column {column} has a type that changes the owner on its way; give it none"
        )
    if column.onupdate is not None:
        raise ConfigurationError(f"column {column} has onupdate; a row keeps its owner")
    if COLUMNS.setdefault(name_of(table), key) != key:
        raise ConfigurationError(f"table {table} is already owned, and not by {key}")


def _refers_to_owned(table: TableClause) -> bool:
    tables = [table]
    declared = (
        isinstance(table, Table) and table.metadata in _METADATA and table.metadata.tables.get(table.key)
    )
    if declared != table:  # by name alone, or said once more: the one that was declared has the references
        known = (each for metadata in list(_METADATA) for each in metadata.tables.values())
        tables += [each for each in known if _may_be(name_of(each), name_of(table))]
    return any(owner_of(_target(key)) is not None for each in tables for key in each.foreign_keys)


def _target(key: Any) -> Name:
    try:
        return name_of(key.column.table)
    except NoReferenceError:  # in another MetaData
        *schema, table, _ = key.target_fullname.split(".")
        return table.lower(), ".".join(schema).lower() or None


for _registry in _all_registries():  # models that were there before
    for _mapper in list(_registry.mappers):
        _notice(_mapper, _mapper.class_)
