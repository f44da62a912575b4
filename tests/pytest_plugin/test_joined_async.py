"""Suites of applications that use asyncio, or Flask-SQLAlchemy, join their sessions as well."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from suites import run_suite

APP = """
import asyncio
import anyio, pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import *
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from idstorm.scenario import Scenario

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]

numbers = Scenario(Order, id=Order.number)
sync = sa.create_engine("sqlite:///shop.db")
Base.metadata.create_all(sync)
engine = create_async_engine("sqlite+aiosqlite:///shop.db", connect_args={"timeout": 30}, poolclass=sa.NullPool)
maker = async_sessionmaker(engine)
scoped = async_scoped_session(maker, scopefunc=asyncio.current_task)

class Own(AsyncSession):
    pass

async def place(session):
    session.add(Order())
    await session.commit()

async def take_number(session):
    number = (await session.scalar(sa.select(sa.func.max(Order.number))) or 0) + 1
    await asyncio.sleep(0.002)
    session.add(Order(number=number))
    await session.commit()
"""
MARKS = {"asyncio": "@pytest.mark.asyncio", "anyio": "@pytest.mark.anyio"}
SESSIONS = {
    "a maker": ("maker", "maker()"),
    "a class": ("Own", "Own(engine)"),
    "a scoped session": ("scoped", "scoped()"),
}
TEST = """
from app import *

@pytest.fixture
def anyio_backend():
    return "asyncio"

{mark}
async def test_orders(idstorm_join):
    idstorm_join({model}, session={joined})

    async def request():
        async with {opened} as session:
            for _ in range(10):
                await {act}(session)

    await asyncio.gather(*[request() for _ in range(6)])
"""


def joined(pytester: pytest.Pytester, **words: str) -> dict[str, Any]:
    """Run a suite, and return the report on its only table."""
    pytester.makepyfile(app=APP, test_app=TEST.format(**words))
    result = run_suite(pytester, "-v", "-o", "idstorm_results=results")
    result.assert_outcomes(passed=1)
    (report,) = Path(pytester.path, "results").glob("*/report.json")
    (storm,) = json.loads(report.read_text())["storms"]
    assert isinstance(storm, dict)
    return storm


@pytest.mark.parametrize("runner", MARKS)
@pytest.mark.parametrize("session", SESSIONS)
def test_the_sessions_of_tasks_are_clients(pytester: pytest.Pytester, runner: str, session: str) -> None:
    target, opened = SESSIONS[session]
    storm = joined(pytester, mark=MARKS[runner], model="Order", joined=target, opened=opened, act="place")
    assert storm["operations"]["acknowledged"] == 60
    assert {storm["verdicts"][name]["status"] for name in ("unique", "durable")} == {"held"}


def test_a_race_between_tasks_of_one_test_is_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        app=APP,
        test_app=TEST.format(
            mark=MARKS["asyncio"], model="numbers", joined="maker", opened="maker()", act="take_number"
        ),
    )
    result = run_suite(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"unique +broken", result.stdout.str())


def test_no_other_session_is_heard(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        app=APP,
        test_app="""
            from app import *

            def test_apart(idstorm_join):
                from idstorm.pytest_plugin.joinable import heard_of
                heard = {heard_of(one) for one in (maker, Own, async_sessionmaker(engine))}
                assert len(heard) == 3
                assert Session not in heard
                assert heard_of(maker) in heard
                assert heard_of(scoped) is heard_of(maker)
                assert type(maker().sync_session) is heard_of(maker)
            """,
    )
    run_suite(pytester).assert_outcomes(passed=1)


FLASK = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

db = SQLAlchemy(model_class=Base)

class Order(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:////{folder}/shop.db"
db.init_app(app)
with app.app_context():
    db.create_all()

def test_orders(idstorm_join):
    idstorm_join(Order, session=db)
    for _ in range(3):
        with app.app_context():
            db.session.add_all([Order() for _ in range(5)])
            db.session.commit()
"""


def test_the_db_of_flask_sqlalchemy_is_joined(pytester: pytest.Pytester) -> None:
    pytest.importorskip("flask_sqlalchemy")
    pytester.makepyfile(test_flask=FLASK.replace("{folder}", str(pytester.path)))
    run_suite(pytester, "-o", "idstorm_results=results").assert_outcomes(passed=1)
    (report,) = Path(pytester.path, "results").glob("*/report.json")
    assert json.loads(report.read_text())["storms"][0]["operations"]["acknowledged"] == 15
