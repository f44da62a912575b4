"""A transaction that is rolled back takes its id with it, or gives it back.

Every tenth transaction here is rolled back after its id was seen. PostgreSQL, MySQL and MariaDB never hand such an id
out again: their generators do not take part in transactions, so each rollback leaves a gap. SQLite keeps its counter in
the table itself, so after a rollback the same id goes to the next client. Both are allowed, because an id belongs to no
client until its COMMIT has returned. An application that has already sent it somewhere (a file name, an e-mail, another
service) learns the difference the hard way.

https://www.postgresql.org/docs/current/functions-sequence.html
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://www.sqlite.org/autoinc.html
"""

from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, explained, faithful, gapless, holds, may_break, unique


class Order(Row):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)


rollbacks = Scenario(
    model=Order,
    rollback=0.1,
    claims=[
        holds(unique, durable, faithful, accepted),
        may_break(gapless, why="a generator does not take part in transactions"),
        holds(gapless, when={"sqlite"}, why="the counter is the table itself, and is rolled back with it"),
        holds(explained),
    ],
)
