"""A service of FastAPI, with an AsyncSession for each request, as uvicorn serves it."""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import String
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from idstorm.apps import asgi_app, posting
from idstorm.scenario import Scenario, durable, faithful, holds, unique

engine = create_async_engine(os.environ.get("DATABASE_URL", "sqlite+aiosqlite://"))
make_session = async_sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(40))


class Wanted(BaseModel):
    reference: str


async def session() -> AsyncIterator[AsyncSession]:
    async with make_session.begin() as opened:
        yield opened


# Without scope="function" the session would be committed after the answer: an order could be promised and then be lost.
@app.post("/orders")
async def place(wanted: Wanted, db: Annotated[AsyncSession, Depends(session, scope="function")]) -> dict[str, object]:
    order = Order(reference=wanted.reference)
    db.add(order)
    await db.flush()
    return {"order": {"id": order.id}}


orders = Scenario(
    Order,
    token=Order.reference,
    environment=asgi_app(f"{__file__}:app"),
    client=posting("/orders", id="order.id", body=lambda token: {"reference": str(token)}),
    claims=[holds(unique, durable, faithful)],
)
