"""What opens a joined database: known to the processes that met it, never written down."""

from __future__ import annotations

import sqlalchemy as sa

from idstorm.join.keyring import met, remember, unlock


def test_a_url_is_opened_by_those_who_met_it() -> None:
    url = sa.make_url("postgresql+psycopg://shop:p%26w@db.internal/orders?sslpassword=s%2Fp")
    shown = remember(url)
    assert "p&w" not in shown
    assert "s/p" not in shown
    assert unlock(shown, met()) == url


def test_the_database_of_another_worker_is_opened_as_the_same_user_of_the_same_server() -> None:
    keyring = {"mysql://u:***@h/test_gw0": "mysql://u:secret@h/test_gw0"}
    assert unlock("mysql://u:***@h/test_gw1", keyring) == sa.make_url("mysql://u:secret@h/test_gw1")
    assert unlock("mysql://other:***@h/test_gw0", keyring) is None
    assert unlock("mysql://u:***@elsewhere/test_gw0", keyring) is None


def test_a_url_without_a_secret_needs_nobody() -> None:
    assert unlock(remember(sa.make_url("sqlite:////tmp/shop.db")), {}) == sa.make_url("sqlite:////tmp/shop.db")
