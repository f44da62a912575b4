"""One TLS context for all connections by PyMySQL.

Unless it is told otherwise, PyMySQL takes TLS where the server has it, and does not check the certificate. For each
connection it reads all certificates of the machine first, which is some six times the work of connecting. A storm opens
dozens of connections.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import sqlalchemy as sa

_SAID = ("ssl", "read_default")  # how the names of arguments begin that may say something about TLS
_FIRST = (1, 2)  # the version from which PyMySQL takes TLS unasked
_NO_TLS = 2026  # what PyMySQL itself raises where a server has none


def share_context(engine: sa.Engine) -> None:
    """Let the connections of an engine share a context, if it uses PyMySQL and nothing is said about TLS."""
    if engine.dialect.driver != "pymysql" or engine.dialect.loaded_dbapi.VERSION < _FIRST:
        return
    has_tls = True

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, words: Any, arguments: dict[str, Any]) -> Any:
        nonlocal has_tls
        if not has_tls or any(name.startswith(_SAID) for name in arguments):
            return None
        try:
            return dialect.connect(*words, **{**arguments, "ssl": _context()})
        except dialect.loaded_dbapi.OperationalError as error:
            if error.args[:1] != (_NO_TLS,):
                raise
            has_tls = False  # PyMySQL's own way does without it
            return None


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
