"""PyMySQL's connections share a TLS context, and are as they would be without it."""

from __future__ import annotations

import ssl

import pytest
import sqlalchemy as sa

from idstorm.databases.mysql.tls import share_context
from idstorm.databases.private.server import PrivateServer
from servers import database, programs_for


def cipher(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return str(connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1])


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_server_with_tls_is_spoken_to_by_tls_and_no_certificate_is_read(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database(dialect).url
    assert url is not None
    plain, shared = (sa.create_engine(url, poolclass=sa.NullPool) for _ in range(2))
    share_context(shared)
    as_ever = cipher(plain)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: pytest.fail("certificates were read"))
    assert cipher(shared) == cipher(shared) == as_ever


def test_a_server_without_tls_is_spoken_to_without_it() -> None:
    with PrivateServer(programs_for("mariadb"), {"ssl": "0"}) as server:
        engine = sa.create_engine(server.url, poolclass=sa.NullPool)
        share_context(engine)
        assert cipher(engine) == cipher(engine) == ""


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_what_a_url_says_about_tls_is_heeded(dialect: str) -> None:
    url = database(dialect).url
    assert url is not None
    engine = sa.create_engine(url.update_query_dict({"ssl_disabled": "true"}), poolclass=sa.NullPool)
    share_context(engine)
    assert cipher(engine) == ""
