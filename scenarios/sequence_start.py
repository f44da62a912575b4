"""`Sequence('user_id_seq', start=100, increment=1)`: a request that half of the databases ignore.

Where there are sequences, the first id is 100. SQLite and MySQL have none, and SQLAlchemy silently leaves all of it
out: the ids begin with 1. A test that only checks whether there is an id does not notice. Where the increment is 10, to
leave room or to keep several databases apart, what is left out is the whole point.

https://docs.sqlalchemy.org/en/20/core/defaults.html#defining-sequences
https://www.postgresql.org/docs/current/sql-createsequence.html
https://mariadb.com/kb/en/create-sequence/
"""

from sqlalchemy import Column, Integer, Sequence

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, faithful, holds, starts_at, unique


class User(Row):
    __tablename__ = "users"

    id = Column(Integer, Sequence("user_id_seq", start=100, increment=1), primary_key=True)


class SparseUser(Row):
    __tablename__ = "sparse_users"

    id = Column(Integer, Sequence("sparse_user_id_seq", start=100, increment=10), primary_key=True)


CLAIMS = [
    holds(unique, durable, faithful, accepted),
    holds(starts_at, when={"sequences"}),
    breaks(starts_at, when={"sqlite", "mysql"}, why="SQLAlchemy silently leaves the sequence out"),
]

sequence_start = Scenario(model=User, claims=CLAIMS)

by_tens = Scenario(model=SparseUser, claims=CLAIMS)
"""An increment of 10."""
