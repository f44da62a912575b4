"""What idstorm chooses for the columns of a model that says nothing of storms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, validates

from idstorm.errors import ScenarioError
from idstorm.model.tables import make_tables
from idstorm.model.work import Work, work_of
from idstorm.scenario import Scenario
from running import Idstorm
from servers import On


class Base(DeclarativeBase):
    pass


class Tenant(Base):
    __tablename__ = "tenant"
    id: Mapped[int] = mapped_column(primary_key=True)
    opened: Mapped[datetime | None]
    closes: Mapped[datetime] = mapped_column(
        default=lambda context: context.get_current_parameters()["opened"] or datetime(2026, 1, 1)
    )


class Document(Base):
    __tablename__ = "document"
    __table_args__ = (sa.UniqueConstraint("code", "version", name="one_version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(12))
    version: Mapped[int] = mapped_column(default=1)


class Page(Base):
    __tablename__ = "page"
    __table_args__ = (sa.UniqueConstraint("slug", "lang"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(sa.String(12))
    lang: Mapped[str] = mapped_column(sa.String(2), server_default="en")


class Revision(Base):
    __tablename__ = "revision"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(sa.ForeignKey(Tenant.id), default=1_000)
    number: Mapped[int] = mapped_column(server_default=sa.text("1"))


class Kind(Base):
    __tablename__ = "kind"
    __table_args__ = (sa.UniqueConstraint("type", "rank"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(sa.String(10))
    rank: Mapped[int]
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "kind"}  # noqa: RUF012


class Stamped(Base):
    __tablename__ = "stamped"
    __table_args__ = (sa.UniqueConstraint("shop", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    shop: Mapped[int]
    key: Mapped[str] = mapped_column(sa.String(40), server_default=sa.text("(hex(randomblob(16)))"))


class Workspace(Base):
    __tablename__ = "workspace"
    name: Mapped[str] = mapped_column(sa.String(63), primary_key=True, default="default")
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Tag(Base):
    __tablename__ = "tag"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "main", name="one_main"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(sa.ForeignKey(Tenant.id))
    main: Mapped[bool] = mapped_column(default=False)


class Nameless:
    def __init__(self, name: str | None = None) -> None:
        self.name = name


class Association(Nameless, Base):
    __tablename__ = "association"
    id: Mapped[int] = mapped_column(primary_key=True)
    peek: Mapped[str] = mapped_column(sa.String(200))

    def __init__(self, hid: int | None = None, **others: Any) -> None:
        Nameless.__init__(self, **others)


class Deaf(Base):
    __tablename__ = "deaf"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(30))

    def __init__(self, **_: Any) -> None:
        pass


class Strict(Base):
    __tablename__ = "strict"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(sa.ForeignKey(Tenant.id))

    @validates("tenant_id")
    def positive(self, _: str, value: int) -> int:
        assert value > 0
        return value


class Animal(Base):
    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    name: Mapped[str] = mapped_column(sa.String(30), unique=True)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012


class Dog(Animal):
    __tablename__ = "dog"
    id: Mapped[int] = mapped_column(sa.ForeignKey(Animal.id), primary_key=True)
    bark: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


class Puppy(Dog):
    __tablename__ = "puppy"
    id: Mapped[int] = mapped_column(sa.ForeignKey(Dog.id), primary_key=True)
    weeks: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "puppy"}  # noqa: RUF012


class Leash(Base):
    __tablename__ = "leash"
    id: Mapped[int] = mapped_column(primary_key=True)
    dog_id: Mapped[int] = mapped_column(sa.ForeignKey(Dog.id))


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """A database in memory, with foreign keys on."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = ON"))
    yield engine
    engine.dispose()


def made(engine: sa.Engine, model: type[Any], **options: Any) -> Work:
    scenario = Scenario(model, **options)
    work = work_of(scenario)

    make_tables(scenario, work, engine, lambda _: nullcontext(), "")
    return work


def inserted(engine: sa.Engine, work: Work, rows: int = 3) -> list[Any]:
    with Session(engine) as session:
        ids = work.insert(session, range(rows))
        session.commit()
    return list(ids)


@pytest.mark.parametrize(
    ("model", "varied"),
    [
        (Document, "document.code"),
        (Page, "page.slug"),
        (Revision, "revision.number"),
        (Kind, "kind.rank"),
        (Workspace, "workspace.number"),
        (Association, None),
        (Deaf, None),
        (Strict, None),
        (Puppy, None),
        (Leash, None),
        (Stamped, None),
    ],
)
def test_several_rows_of_a_model_can_be_inserted(engine: sa.Engine, model: type[Any], varied: str | None) -> None:
    work = made(engine, model)
    assert len(set(inserted(engine, work))) == 3
    if varied:
        (column,) = (one for one in sa.inspect(model).local_table.columns if f"{one.table.name}.{one.name}" == varied)
        with engine.connect() as connection:
            assert len(set(connection.scalars(sa.select(column)))) == 3
        assert varied in work.notes[-1] or varied in work.notes[-2]


def test_where_nothing_in_a_key_can_differ_it_is_said_before_anything_is_stormed() -> None:
    with pytest.raises(ScenarioError, match=r"tag\.tenant_id: each row needs a row of tenant of its own"):
        work_of(Scenario(Tag))


class Lost(DeclarativeBase):
    pass


class Orphan(Lost):
    __tablename__ = "orphan"
    id: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped[int] = mapped_column(sa.ForeignKey("nowhere.id"))


def test_a_foreign_key_to_what_nothing_maps_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"orphan\.other: it refers to nowhere\.id, which nothing maps: import"):
        work_of(Scenario(Orphan))
    assert work_of(Scenario(Orphan, insert=lambda session, tokens: [])).tables is None  # to make the tables will fail


def test_the_keys_of_the_id_in_which_something_was_filled_are_in_the_plan() -> None:
    filled = work_of(Scenario(Document, id="code")).filled
    assert filled['"one_version"'] == filled["document.code, document.version"] == ("document.code",)
    assert work_of(Scenario(Document)).filled == {}
    assert work_of(Scenario(Workspace)).filled["'workspace.PRIMARY'"] == ("workspace.number",)


@pytest.mark.parametrize("by", [None, "name"])
def test_a_delete_takes_the_row_from_every_table_of_the_model(engine: sa.Engine, by: str | None) -> None:
    work = made(engine, Puppy, id=by)
    one, other, third = inserted(engine, work)
    with Session(engine) as session:
        work.delete(session, [one, third])
        session.commit()
        for table in ("animal", "dog", "puppy"):
            assert session.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 1
        assert session.scalars(sa.select(work.ids[0])).all() == [other]


def test_only_the_tables_that_a_model_refers_to_are_made(engine: sa.Engine) -> None:
    made(engine, Leash)
    assert set(sa.inspect(engine).get_table_names()) == {"leash", "dog", "animal"}


def test_all_tables_are_made_for_a_scenario_with_code_of_its_own(engine: sa.Engine) -> None:
    made(engine, Leash, setup=lambda connection: None)
    assert {"leash", "tenant", "page"} <= set(sa.inspect(engine).get_table_names())


AUDITED = """
    from sqlalchemy import *
    from sqlalchemy.orm import *

    class Base(DeclarativeBase):
        pass

    class Audit(Base):
        __tablename__ = "audit"
        id: Mapped[int] = mapped_column(primary_key=True)
        what: Mapped[int]

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str] = mapped_column(String(30))

    @event.listens_for(Order, "after_insert")
    def audit(mapper, connection, order):
        connection.execute(insert(Audit.__table__).values(what=order.id))
    """

TWICE = """
    from sqlalchemy import *
    from sqlalchemy.orm import *

    class Base(DeclarativeBase):
        pass

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Artifact(Base):
        __tablename__ = "artifact"
        __table_args__ = (Index("ix_key", "key"), Index("ix_key", "id"))
        id: Mapped[int] = mapped_column(primary_key=True)
        key: Mapped[str] = mapped_column(String(30))
    """


def test_a_model_whose_events_write_to_another_table_has_that_one_made_too(idstorm: Idstorm) -> None:
    idstorm.write("models.py", AUDITED)
    assert idstorm.storm("models:Order").code == 0


def test_a_table_that_cannot_be_made_concerns_its_own_model_alone(idstorm: Idstorm, anywhere: On) -> None:
    idstorm.write("models.py", TWICE)
    on = ("--on", anywhere.dialect)
    assert idstorm.storm("models:Order", *on, **anywhere.environ).code == 0
    ran = idstorm("run", "models:Artifact", *on, **anywhere.environ)
    assert ran.code == 2
    assert "making the tables failed at\nCREATE INDEX ix_key ON artifact" in ran.err
