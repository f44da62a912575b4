"""A hundred objects in one INSERT: each must get its own id back.

`session.add_all()` sends the rows of one flush in a few multi-row statements ("insertmanyvalues"), and RETURNING brings
the ids back in one result. SQL does not promise the order of that result. SQLAlchemy therefore adds a sentinel column
where it has to and sorts by it, or falls back to one row at a time; MySQL, without RETURNING, numbers each row alone.
If any of that were wrong, the table would look perfect and the objects would carry each other's ids.

https://docs.sqlalchemy.org/en/20/core/connections.html#insert-many-values-behavior-for-insert-statements
https://docs.sqlalchemy.org/en/20/core/connections.html#correlating-returning-rows-to-parameter-sets
https://www.postgresql.org/docs/current/dml-returning.html
"""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, explained, faithful, holds, starts_at, unique


class Contact(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), default="Alice")


bulk = Scenario(
    model=Contact,
    batch=100,
    claims=[holds(unique, durable, faithful, accepted, starts_at, explained)],
)
