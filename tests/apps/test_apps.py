"""A web application is really served while a storm lasts, and its clients read the id in its answers."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from running import Idstorm, eventually, workers_at_work
from servers import On

EXAMPLE = Path(__file__).parents[2] / "examples" / "service.py"
SHOP = """
import os
from flask import Flask, request
from sqlalchemy import BigInteger, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger)

def create_app():
    app = Flask(__name__)
    engine = create_engine(os.environ["SHOP_DATABASE"])

    @app.post("/orders")
    def place():
        token = request.get_json()["token"]
        if token % 4 == 3 and os.environ["PICKY"] == "yes":
            return {"sorry": "not this one"}, 409
        with Session(engine) as session:
            order = Order(token=token)
            session.add(order)
            session.commit()
            return {"orders": [{"id": order.id}]}

    return app
"""
STORM = """
from idstorm.apps import posting, wsgi_app
from idstorm.scenario import Scenario, durable, faithful, holds, may_break, accepted
from shop import Order

mine = Scenario(
    Order,
    environment=wsgi_app("{app}", url_in="SHOP_DATABASE", environ={{"PICKY": "{picky}"}}),
    client=posting("/orders", id="{id}"),
    failing=0.5,
    claims=[holds(durable, faithful), may_break(accepted, why="some are refused")],
)
"""


def written(idstorm: Idstorm, *, app: str = "shop:create_app()", picky: str = "no", id_: str = "orders.0.id") -> str:
    idstorm.write("shop.py", SHOP)
    return idstorm.write("mine.py", STORM.format(app=app, picky=picky, id=id_))


def test_an_application_of_flask_is_stormed_by_gunicorn(idstorm: Idstorm, postgresql: On) -> None:
    ran = idstorm.storm(written(idstorm), "-n", "400", "--on", "postgresql", **postgresql.environ)
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["durable"]["status"]) == (0, "held"), ran.err


def test_a_service_of_fastapi_is_stormed_by_uvicorn(idstorm: Idstorm) -> None:
    ran = idstorm.storm(str(EXAMPLE), "-n", "400", "--on", "sqlite+aiosqlite:///shop.db")
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["durable"]["status"]) == (0, "held"), ran.err


def test_what_is_answered_with_409_was_certainly_not_done(idstorm: Idstorm) -> None:
    (storm,) = idstorm.storm(written(idstorm, picky="yes"), "-n", "600").report["storms"]
    assert storm["operations"]["failed"] > 100
    assert storm["operations"]["unknown"] == 0
    assert storm["verdicts"]["durable"]["status"] == "held"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"app": "shop:nowhere"}, "has no attribute 'nowhere'"),
        ({"id_": "order.id"}, "which has no order.id: say where it is"),
    ],
)
def test_an_application_that_cannot_be_stormed_is_quoted(idstorm: Idstorm, change: dict[str, str], says: str) -> None:
    ran = idstorm("run", written(idstorm, **change), "-n", "400")
    assert (ran.code, says in ran.err) == (2, True), ran.err


def serves(command: str) -> bool:
    """Whether it is gunicorn, which calls itself by another name where setproctitle is installed."""
    return "serve.py" in command or command.startswith("gunicorn")


@pytest.mark.release
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_all_its_processes_end_with_idstorm(idstorm: Idstorm, end: signal.Signals) -> None:
    with idstorm.started("run", written(idstorm), "-T", "60s") as process:
        workers_at_work(process, idstorm.folder, operations=50)
        servers = [one for one in process.children(recursive=True) if serves(" ".join(one.cmdline()))]
        assert len(servers) == 3
        process.send_signal(end)
        process.wait()
        eventually(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in servers))
