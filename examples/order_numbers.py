"""Order numbers by max(number) + 1: each test of this application passes, and two customers are told one number."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]


def place_order(session: Session) -> Order:
    last = session.scalar(select(func.max(Order.number))) or 0
    order = Order(number=last + 1)
    session.add(order)
    session.flush()
    return order
