"""Two ways to number orders. Both pass every test that places one order after another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from shop.models import Counter, Order


def from_counter(session: Any) -> int:
    """The next number of a counter whose row stays locked until COMMIT: whoever comes next waits."""
    session.execute(update(Counter).filter_by(name="order").values(value=Counter.value + 1))
    return int(session.scalar(select(Counter.value).filter_by(name="order")))


def from_max(session: Any) -> int:
    """One more than the highest number so far, of which another customer may be told at the same moment: a race."""
    return (session.scalar(select(func.max(Order.number))) or 0) + 1


NUMBERS = {"counter": from_counter, "max": from_max}
