"""What the tests of the shop share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from shop import create_app, make_tables


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make the tables once, before any test worker starts."""
    if not hasattr(session.config, "workerinput"):
        make_tables(create_app())


@pytest.fixture(scope="session")
def app() -> Flask:
    """The application."""
    return create_app()


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    """A browser."""
    with app.test_client() as client:
        yield client
