"""A table that Alembic makes, stormed as the migrations leave it, and described by a Table of Core."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table

from idstorm.scenario import Scenario, accepted, durable, faithful, holds, unique

orders = Table(
    "orders",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("note", String(50)),
    Column("reference", String(20)),
)


def upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


migrated = Scenario(
    orders,
    token=orders.c.reference,
    tables=upgrade,
    claims=[holds(unique, accepted, durable, faithful)],
)
