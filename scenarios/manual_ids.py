"""Ids that are set by hand are refused or, worse, are not.

"Avoid manually setting ID values", tutorials say, without saying why. With `max(id) + 1` on the primary key, two
clients choose the same number; the constraint lets one of them in and refuses the other, which has to try again. (Since
11.6 MariaDB refuses it for another reason: what it has read is out of date.) Without a constraint both are stored. Ids
set by hand beside a generator do their damage later: a row is imported with the id that it has elsewhere, all is well,
and the generator eventually runs into it. PostgreSQL's and MariaDB's sequences do not learn of such ids; AUTO_INCREMENT
and SQLite's largest-plus-one do.

https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation
https://www.sqlite.org/autoinc.html
"""

from collections.abc import Sequence
from random import random
from time import sleep

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, faithful, holds, may_break, unique


class Article(Row):
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Line(Row):
    number: Mapped[int] = mapped_column(index=True)
    id: Mapped[int] = mapped_column(primary_key=True)


class Product(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def largest_article_plus_one(session: Session, tokens: Sequence[int]) -> list[int]:
    sleep(random() / 50)  # users do not come all at once: otherwise hardly any gets in
    first = (session.scalar(select(func.max(Article.id))) or 0) + 1
    articles = [Article(id=id_, token=token) for id_, token in enumerate(tokens, start=first)]
    session.add_all(articles)
    session.flush()
    return [article.id for article in articles]


def largest_number_plus_one(session: Session, tokens: Sequence[int]) -> list[int]:
    first = (session.scalar(select(func.max(Line.number))) or 0) + 1
    lines = [Line(number=number, token=token) for number, token in enumerate(tokens, start=first)]
    session.add_all(lines)
    session.flush()
    return [line.number for line in lines]


def every_tenth_by_hand(session: Session, tokens: Sequence[int]) -> list[int]:
    products = [Product(token=token) for token in tokens]
    for product, token in zip(products, tokens, strict=True):
        if token % 10 == 0:
            product.id = (session.scalar(select(func.max(Product.id))) or 0) + 5
    session.add_all(products)
    session.flush()
    return [product.id for product in products]


manual_ids = Scenario(
    model=Article,
    insert=largest_article_plus_one,
    least=3_000,  # of eight that come at once, the constraint lets one in
    claims=[
        holds(unique, durable, faithful, why="the primary key lets one of two in"),
        breaks(accepted, why="two clients read the same maximum, and the second is refused"),
        may_break(accepted, when={"lost_updates_refused"}, why="the second is mostly refused for its old snapshot"),
    ],
)

without_constraint = Scenario(
    model=Line,
    id=Line.number,
    insert=largest_number_plus_one,
    claims=[
        breaks(unique, why="two clients read the same maximum, and nothing refuses the second"),
        holds(durable, faithful),
    ],
)
"""The same on a column without a constraint, which stores both."""

mixed = Scenario(
    model=Product,
    insert=every_tenth_by_hand,
    generated=False,
    claims=[
        holds(unique, durable, faithful),
        may_break(accepted, why="two clients set the same id by hand at times"),
        breaks(accepted, when={"postgresql"}, why="the sequence does not learn of ids that were set by hand"),
    ],
)
"""A tenth of the rows have an id set by hand, the others one of the generator's."""
