"""The tests' own models: what an app with two users may look like, and what none should look like."""

from typing import ClassVar

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    column_property,
    declared_attr,
    mapped_column,
    registry,
    relationship,
)

from jwt_auth_bridge.sqlalchemy import OwnedBy, owned


class Base(DeclarativeBase):
    pass


class Keyed:
    """A server-made key, an owner, and the two together for others to refer to."""

    @declared_attr.directive
    def __table_args__(cls):
        return (UniqueConstraint("user_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(start=1000), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(default="")


class User(Base):
    """Belongs to all."""

    __tablename__ = "person"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    tasks: Mapped[list["Task"]] = relationship(
        primaryjoin="User.id == foreign(Task.user_id)", viewonly=True, order_by="Task.id"
    )
    joined: Mapped[list["Task"]] = relationship(
        primaryjoin="User.id == foreign(Task.user_id)", viewonly=True, lazy="joined", join_depth=1
    )


class Project(OwnedBy("user_id"), Keyed, Base):
    __tablename__ = "project"
    tasks: Mapped[list["Task"]] = relationship(back_populates="project", order_by="Task.id")
    by_key: Mapped[list["Task"]] = relationship(
        primaryjoin="Project.id == foreign(Task.project_id)", viewonly=True
    )
    dynamic: DynamicMapped["Task"] = relationship(
        primaryjoin="Project.id == foreign(Task.project_id)", viewonly=True
    )
    write_only: WriteOnlyMapped["Task"] = relationship(
        primaryjoin="Project.id == foreign(Task.project_id)", viewonly=True
    )


class Task(OwnedBy("user_id"), Keyed, Base):
    __tablename__ = "task"
    __table_args__ = (
        UniqueConstraint("user_id", "id"),
        ForeignKeyConstraint(["user_id", "project_id"], ["project.user_id", "project.id"]),
    )
    project_id: Mapped[int | None]
    body: Mapped[str] = mapped_column(String(255), default="", deferred=True)
    project: Mapped["Project | None"] = relationship(back_populates="tasks")
    tags: Mapped[list["Tag"]] = relationship(secondary=lambda: task_tag, back_populates="tasks")
    tag_titles = association_proxy("tags", "title")
    comments: Mapped[list["Comment"]] = relationship(viewonly=True)
    labels: Mapped[list["Label"]] = relationship(secondary=lambda: task_label)

    @hybrid_property
    def shout(self):
        return self.title + "!"

    @shout.inplace.expression
    @classmethod
    def _shout(cls):
        return cls.title + "!"


class Tag(OwnedBy("user_id"), Keyed, Base):
    __tablename__ = "tag"
    tasks: Mapped[list["Task"]] = relationship(secondary=lambda: task_tag, back_populates="tags")


task_tag = owned(
    Table(
        "task_tag",
        Base.metadata,
        Column("user_id", String(255), primary_key=True),
        Column("task_id", primary_key=True),
        Column("tag_id", primary_key=True),
        ForeignKeyConstraint(["user_id", "task_id"], ["task.user_id", "task.id"]),
        ForeignKeyConstraint(["user_id", "tag_id"], ["tag.user_id", "tag.id"]),
    ),
    "user_id",
)


class Label(Base):
    """Belongs to all; which task has it does not, and the table between them does not say whose it is."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(Identity(start=1000), primary_key=True)
    title: Mapped[str]


task_label = Table(
    "task_label",
    Base.metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("label_id", ForeignKey("label.id"), primary_key=True),
)


class Comment(Base):
    """Refers to an owned row and names no owner: a mistake."""

    __tablename__ = "comment"
    id: Mapped[int] = mapped_column(Identity(start=1000), primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    title: Mapped[str]


class Preference(OwnedBy("user_id"), Base):
    """The owner is part of the key."""

    __tablename__ = "preference"
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]


class Item(OwnedBy("user_id"), Base):
    __tablename__ = "item"
    __table_args__ = (UniqueConstraint("user_id", "id"),)
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "item"}
    id: Mapped[int] = mapped_column(Identity(start=1000), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str]
    title: Mapped[str] = mapped_column(default="")

    @hybrid_property
    def holder(self):
        return self.user_id

    @holder.inplace.update_expression
    @classmethod
    def _holder(cls, value):
        return [(cls.user_id, value)]


class Reminder(Item):
    """Inherits within the table."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "reminder"}
    due: Mapped[str | None]


class Note(Item):
    """Inherits with a table of its own, which carries the owner as well."""

    __tablename__ = "note"
    __table_args__ = (ForeignKeyConstraint(["user_id", "id"], ["item.user_id", "item.id"]),)
    __mapper_args__: ClassVar = {"polymorphic_identity": "note"}
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(default="")


class Counted(Base):
    """Belongs to all, and counts with Core what does not."""

    __tablename__ = "counted"
    id: Mapped[int] = mapped_column(Identity(start=1000), primary_key=True)
    latest: Mapped[str | None] = column_property(select(func.max(Task.__table__.c.title)).scalar_subquery())


User.latest = column_property(
    select(func.max(Task.title)).where(Task.user_id == User.id).correlate_except(Task).scalar_subquery(),
    deferred=True,
)


class Window:
    """A class over an owned table that nobody declared."""


class Foreign:
    """A class that one can not edit; neither attribute nor column is called what the table calls it."""


registry().map_imperatively(Window, Task.__table__)
foreign = Table(
    "foreign_task",
    Base.metadata,
    Column("id", Integer, Identity(start=1000), primary_key=True),
    Column("owner", String(255), key="holder", nullable=False),
    Column("title", String(255)),
)
registry().map_imperatively(Foreign, foreign, properties={"belongs_to": foreign.c.holder})
owned(Foreign, "belongs_to")
