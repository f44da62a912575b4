"""What can be stormed from here, with what, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping

import sqlalchemy as sa

from idstorm.databases import targets
from idstorm.databases.urls import mask
from idstorm.errors import IdstormError


def diagnose(dialect: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return what there is to say of one dialect, a line each."""
    if dialect not in targets.DATABASES:
        return [f"–  {dialect:11} not yet: this idstorm cannot storm it"]
    variable = f"IDSTORM_{dialect.upper()}_URL"
    try:
        address = targets.resolve(dialect, environ)
        with address.database.namespace(address.url, "doctor") as url:
            engine = sa.create_engine(url, poolclass=sa.NullPool)
            with engine.connect() as connection:
                server, driver = address.database.server(connection), engine.dialect.driver
    except (IdstormError, sa.exc.SQLAlchemyError) as error:
        return [f"✗  {dialect:11} {getattr(error, 'orig', None) or error}"]
    where = f"{variable} = {mask(address.url)}" if variable in environ else "a fresh file in a temporary folder"
    return [f"✓  {dialect:11} {server}, by {driver} with SQLAlchemy {sa.__version__}: {where}"]
