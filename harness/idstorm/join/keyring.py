"""The URLs of joined databases with their passwords: kept only in memory, so that no journal holds a password."""

from __future__ import annotations

import sqlalchemy as sa

from idstorm.databases.urls import mask, secrets_of

Keyring = dict[str, str]
"""Maps each URL as it may be shown to the same URL with its secrets."""

_met: dict[str, str] = {}


def remember(url: sa.URL) -> str:
    """Keep a URL in the memory of this process, and return it in the form that a journal may hold."""
    shown = mask(url)
    if secrets_of(url):
        _met[shown] = url.render_as_string(hide_password=False)
    return shown


def met() -> Keyring:
    """Return the URLs with secrets that this process has met."""
    return dict(_met)


def unlock(shown: str, keyring: Keyring) -> sa.URL | None:
    """Return the URL that a journal shows, with its secrets; None: no remaining process knows them.

    A killed process has not handed its secrets on. Another that used the same server as the same user has the password.
    """
    if shown in keyring:
        return sa.make_url(keyring[shown])
    if "***" not in shown:
        return sa.make_url(shown)
    for other, key in keyring.items():
        if _without_database(other) == _without_database(shown):
            return sa.make_url(key).set(database=sa.make_url(shown).database)
    return None


def _without_database(shown: str) -> sa.URL:
    return sa.make_url(shown).set(database="")
