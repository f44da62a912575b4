"""`Row`: a base for models written to be stormed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class _Base(DeclarativeBase):
    pass


_metadata: dict[str, MetaData] = {}


class Row(_Base):
    """A declarative base that brings the column `token`, and keeps the tables of each module apart.

    Without a `__tablename__` the table is named like the class, in lower case.
    """

    __abstract__ = True

    token: Mapped[int | None] = mapped_column(BigInteger, sort_order=1_000)

    def __init_subclass__(cls, **options: Any) -> None:
        own = vars(cls)
        if not own.get("__abstract__"):
            if "metadata" not in own:
                cls.metadata = _metadata.setdefault(cls.__module__, MetaData())
            if not hasattr(cls, "__tablename__") and "__table__" not in own:
                cls.__tablename__ = cls.__name__.lower()
        super().__init_subclass__(**options)
