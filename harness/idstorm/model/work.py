"""What a mapped model says: which column is the id, which can carry a token, how rows are inserted and deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Mapper, Session

from idstorm.databases.uniques import modelled, written
from idstorm.errors import ScenarioError
from idstorm.model.awaiting import awaiting
from idstorm.model.deleting import DeleteRows, default_delete, own_delete
from idstorm.model.filling import keys_of, plain_type
from idstorm.model.naming import checks_of, names_of
from idstorm.model.rows import Rows, qualified
from idstorm.model.schema import tables_of
from idstorm.model.token import carrier_of, column_of, token_of
from idstorm.record.keyed import Key
from idstorm.record.plan import Generator
from idstorm.scenario.scenario import Column, Insert, Scenario


@dataclass(frozen=True)
class Work:
    """A scenario with its defaults filled in."""

    insert: Insert
    delete: DeleteRows
    ids: tuple[sa.Column[Any], ...]
    token: sa.ColumnElement[Any] | None
    generator: Generator | None
    rows: Rows | None  #: fills the rows, if the scenario has no insert of its own
    tables: tuple[sa.Table, ...] | None = None  #: the tables to make; None: all of the model's MetaData
    present: sa.ColumnElement[bool] | None = None  #: which rows count as there; None: all
    key: Key | None = None  #: makes of an id what is counted; None: the id itself is, if it is a number
    scope: int = 0  #: how many of the ids' columns, from the first, are the scope

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen for a model that was not written for storms."""
        if self.rows is None:
            return ()
        kept = [] if self.token is None or self.token_name.endswith(".token") else [self.token_name]
        return (*(f"the token is kept in {one}" for one in kept), *self.rows.notes)

    @property
    def token_name(self) -> str:
        """The token's column as `table.column`."""
        assert self.token is not None
        return qualified(carrier_of(self.token))

    @property
    def hint(self) -> str:
        """A hint for when the database or the model rejects the values that rows were filled with."""
        if self.rows is None or not self.rows.columns:
            return ""
        checks = "".join(f"\n  {one}" for one in checks_of(self.rows.columns))
        return (
            f"; idstorm itself had filled {', '.join(map(qualified, self.rows.columns))}: where that is not what the "
            "model wants, write a scenario with an insert of your own, Scenario(model=…, insert=…)"
            + (f"; the table asks for{checks}" if checks else "")
        )

    @property
    def filled(self) -> dict[str, tuple[str, ...]]:
        """Each key that holds the id, under each name that databases give it, with the members that idstorm filled."""
        ours = set() if self.rows is None else set(self.rows.columns)
        filled = dict[str, tuple[str, ...]]()
        for key in keys_of(self.ids[0].table) if isinstance(self.ids[0].table, sa.Table) else ():
            members = tuple(qualified(column) for column in key.columns if column in ours)
            if members and set(key.columns) & set(self.ids):
                filled |= dict.fromkeys(names_of(key), members)
        return filled

    @property
    def sequence(self) -> str | None:
        """The sequence that the model names for its ids, if any."""
        return next((one.default.name for one in self.ids if isinstance(one.default, sa.Sequence)), None)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The unique keys of the model, including the id's own."""
        return constraints_of(self.ids)

    @property
    def id_names(self) -> tuple[str, ...]:
        """The id's columns as `table.column`."""
        return tuple(qualified(column) for column in self.ids)


def work_of(scenario: Scenario) -> Work:
    """Return what a client does for a scenario. Raises ScenarioError where the model does not allow it."""
    mapper: Mapper[Any] = sa.inspect(scenario.mapped)
    if not isinstance(mapper.local_table, sa.Table):
        raise ScenarioError(f"{scenario.mapped.__name__} is not mapped to a table")
    tables = tables_of(scenario, mapper)
    places = [table.name for table in tables or scenario.metadata.tables.values()]
    twice = sorted({name for name in places if places.count(name) > 1})
    if twice:
        raise ScenarioError(f"{', '.join(twice)} is in several schemas, and a storm has only one for its tables")
    ids = id_columns(scenario, mapper)
    token = token_of(scenario, mapper, ids)
    carrier = None if token is None else carrier_of(token)
    own = scenario.insert is not None or scenario.client is not None
    rows = None if own else Rows(scenario.mapped, mapper, carrier, prepared=scenario.setup is not None)
    return Work(
        insert=_default_insert(mapper, ids, rows) if scenario.insert is None else awaiting(scenario.insert),
        delete=default_delete(mapper, ids, token) if scenario.delete is None else own_delete(scenario.delete),
        ids=ids,
        token=token,
        generator=generator_of(ids) if scenario.generated else None,
        rows=rows,
        tables=tables,
        present=_present(scenario, ids),
        key=scenario.key,
        scope=len(_several(scenario.scope)),
    )


def _present(scenario: Scenario, ids: tuple[sa.Column[Any], ...]) -> sa.ColumnElement[bool] | None:
    """Return the condition for rows that count as there. Raises ScenarioError where it is not one on the id's table."""
    if scenario.present is None:
        return None
    try:
        condition: sa.ColumnElement[bool] = sa.sql.coercions.expect(sa.sql.roles.WhereHavingRole, scenario.present)
    except sa.exc.ArgumentError as error:
        raise ScenarioError(
            f"present of a scenario has to be a condition, such as {scenario.mapped.__name__}.deleted_at.is_(None)"
        ) from error
    parts = list(sa.sql.visitors.iterate(condition))
    columns = [one for one in parts if isinstance(one, sa.Column)]
    others = [one for one in parts if isinstance(one, sa.FromClause | sa.SelectBase)]
    if others or not all(isinstance(one.table, sa.Table) for one in columns):
        raise ScenarioError("present of a scenario cannot ask for other rows, by a subquery or an alias")
    elsewhere = sorted({qualified(one) for one in columns if one.table.name != ids[0].table.name})
    if elsewhere:
        raise ScenarioError(
            f"present of a scenario has to be a condition on {ids[0].table.name}, not on {elsewhere[0]}"
        )
    return condition


def id_columns(scenario: Scenario, mapper: Mapper[Any]) -> tuple[sa.Column[Any], ...]:
    """Return the columns whose values are judged, those of the scope first.

    Raises ScenarioError where they are in several tables, or where the scope leaves no number to count.
    """
    if scenario.id is None:
        columns = tuple(column for column in mapper.primary_key if isinstance(column, sa.Column))
    else:
        columns = tuple(column_of(mapper, column) for column in _several(scenario.id))
    scope = tuple(column_of(mapper, column) for column in _several(scenario.scope))
    columns = (*scope, *(column for column in columns if column not in scope))
    if len({column.table for column in columns}) != 1:
        raise ScenarioError("the id of a scenario is a column, or several columns of one table")
    if scope or scenario.key is not None:
        _check_counted(columns[len(scope) :], mapper, keyed=scenario.key is not None)
    return columns


def _several(given: Column | Sequence[Column] | None) -> Sequence[Column]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str | InstrumentedAttribute | sa.Column) else given


def _check_counted(columns: Sequence[sa.Column[Any]], mapper: Mapper[Any], *, keyed: bool) -> None:
    """Raise ScenarioError unless there is one column to count within a scope, of whole numbers."""
    name = mapper.class_.__name__
    if len(columns) != 1:
        found = ", ".join(column.name for column in columns) or "none"
        raise ScenarioError(
            f"one column is counted, and besides its scope the id of {name} has {found}: name that column, "
            f"Scenario({name}, id=…, scope=…)"
        )
    if not keyed and not isinstance(plain_type(columns[0].type), sa.Integer | sa.Numeric):
        raise ScenarioError(
            f"{qualified(columns[0])} is counted within a scope, and is not a column of numbers: "
            "say what is counted in it, Scenario(key=…)"
        )


def _default_insert(mapper: Mapper[Any], ids: tuple[sa.Column[Any], ...], rows: Rows | None) -> Insert:
    id_of: Callable[[Any], Any] = attrgetter(*(mapper.get_property_by_column(column).key for column in ids))

    def insert(session: Session, tokens: Sequence[int]) -> list[Any]:
        assert rows is not None, "the scenario's own clients insert"
        made = [rows.row(token) for token in tokens]
        session.add_all(made)
        session.flush()
        return [id_of(one) for one in made]

    return insert


def constraints_of(ids: tuple[sa.Column[Any], ...]) -> tuple[str, ...]:
    """Return the unique keys of all tables of the id's MetaData, as `Unique` writes them."""
    table = ids[0].table
    assert isinstance(table, sa.Table)
    return written([qualified(column) for column in ids], modelled(table.metadata))


def references_of(id_: sa.Column[Any], dialect: sa.Dialect) -> list[tuple[sa.Column[Any], str]]:
    """Return the columns of the model's MetaData that refer to the id, each with its type in the database.

    Some of them may not be made for a storm, but in production all of them have to hold the ids.
    """
    assert isinstance(id_.table, sa.Table)
    name = f"{id_.table.fullname}.{id_.key}"
    return [
        (column, column.type.compile(dialect=dialect))
        for table in id_.table.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.Integer) and any(key.target_fullname == name for key in column.foreign_keys)
    ]


def generator_of(ids: tuple[sa.Column[Any], ...]) -> Generator | None:
    """Return what the model asks of the database's own generator, or None where the ids come from elsewhere."""
    if len(ids) != 1 or not isinstance(ids[0].table, sa.Table):
        return None
    column, default = ids[0], ids[0].default
    asked: Any = default if isinstance(default, sa.Sequence) else column.identity
    if asked is None and (default is not None or column is not column.table.autoincrement_column):
        return None
    start, increment = getattr(asked, "start", None), getattr(asked, "increment", None)
    return Generator(1 if start is None else start, increment or 1)
