"""Random UUIDs are made by the application, and need no database to be unique.

122 random bits: after a billion ids the chance that any two are alike is about one in ten quintillion. What can go
wrong is the source of randomness (a generator whose state is copied when a process forks), or a column that stores
them shortened. Neither a start nor gaps nor order mean anything here.

https://www.rfc-editor.org/rfc/rfc9562#section-5.4
https://docs.python.org/3/library/uuid.html#uuid.uuid4
"""

import uuid

from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, single_use, unique


class Event(Row):
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)


uuid4 = Scenario(model=Event, deletes=0.1, claims=[holds(unique, single_use, durable, faithful, accepted)])
