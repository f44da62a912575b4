"""Functions of an application that insert, as `idstorm run` storms them by name."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]


def place_order(session: Session, note: str = "") -> Order:
    """Return the object; it may be flushed, committed, or neither."""
    order = Order(note=note)
    session.add(order)
    return order


def take_number(db: Session) -> int:
    """Return the id alone: --model has to say of which table."""
    order = Order()
    db.add(order)
    db.commit()
    return order.id


async def place_later(db: AsyncSession) -> Order:
    """Await, and commit."""
    order = Order()
    db.add(order)
    await db.commit()
    return order
