"""What parts of a URL may be shown, and who is at fault when a connection fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from idstorm.errors import EnvironmentFault, IdstormError, UsageError
from idstorm.redaction import redact

_SECRET_WORDS = ("pass", "pwd", "secret", "token", "key")


def secrets_of(url: sa.URL) -> tuple[str, ...]:
    """Return every secret of a URL, in plain and in URL-quoted form: these must not be shown."""
    plain = [str(url.password)] if url.password else []
    for name, value in url.query.items():
        values = [value] if isinstance(value, str) else value
        plain += [one for one in values if _is_secret(name) or _is_secret(one)]
    return tuple({form for secret in plain for form in (secret, quote(secret, safe=""), quote_plus(secret))})


def mask(url: sa.URL) -> str:
    """Return a URL as text without its secrets, wherever it holds them."""
    hidden = {name: "***" for name, value in url.query.items() if _is_secret(name) or _is_secret(str(value))}
    return url.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def words_of(error: BaseException, url: sa.URL) -> str:
    """Return what an error says, or the driver's error beneath it, without the secrets of a URL."""
    return redact(str(getattr(error, "orig", None) or error).strip(), secrets_of(url))


@contextmanager
def reaching(url: sa.URL) -> Iterator[None]:
    """Turn errors in connecting to a database into EnvironmentFault, or UsageError, without the URL's secrets."""
    try:
        yield
    except sa.exc.ArgumentError as error:
        raise UsageError(redact(str(error), secrets_of(url))) from error
    except sa.exc.SQLAlchemyError as error:
        raise EnvironmentFault(f"{mask(url)} is out of reach: {words_of(error, url)}") from error


@contextmanager
def fitting(url: sa.URL) -> Iterator[None]:
    """Turn a driver's own failure before there is a connection into a UsageError without the URL's secrets.

    SQLAlchemy passes on errors of any kind: a keyword that the driver does not take, an attribute that it lacks.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, IdstormError):
        raise
    except Exception as error:
        words = redact(f"{type(error).__name__}: {error}", secrets_of(url))
        raise UsageError(
            f"{url.drivername}:// cannot be stormed, since its driver does not do what idstorm needs ({words}): use "
            f"another, such as the one that {url.get_backend_name()}:// gets"
        ) from error


def _is_secret(text: str) -> bool:
    return any(word in text.lower() for word in _SECRET_WORDS)
