from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from idstorm.errors import ScenarioError
from idstorm.join.watched import Watched
from idstorm.scenario import Scenario


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]
    number: Mapped[int]
    gone: Mapped[bool]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"scope": Task.tenant}, "scope"),
        ({"key": int}, "key"),
        ({"present": Task.gone.is_(False)}, "present"),
        ({"scope": Task.tenant, "key": int}, "scope and key"),
    ],
)
def test_what_cannot_be_judged_of_joined_sessions_is_refused_and_not_ignored(more: dict[str, Any], named: str) -> None:
    with pytest.raises(ScenarioError, match=f"^{named} of a scenario cannot be judged of sessions that are joined"):
        Watched.of(Scenario(Task, id=Task.number, **more))
