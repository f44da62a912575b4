"""The tables of the shop."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Gives the models their types."""


db = SQLAlchemy(model_class=Base)


class Customer(db.Model):  # type: ignore[name-defined, misc]
    """Somebody who orders."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)


class Order(db.Model):  # type: ignore[name-defined, misc]
    """An order. Its id comes from the database, its number from the shop."""

    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    amount: Mapped[int]
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    customer: Mapped[Customer] = relationship()


class Counter(db.Model):  # type: ignore[name-defined, misc]
    """The last number that was given away."""

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int]
