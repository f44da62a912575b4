"""What is printed, on streams whose encoding need not have the characters that idstorm uses.

A run that passed must not end as a bug because a terminal is Latin-1. A character that the encoding does not have is
printed as one that it has, or, where it comes from the user, written out as in `\\u20ac`.
"""

from __future__ import annotations

import codecs
import io
import sys

import click

_PLAIN = {"✓": "+", "✗": "x", "–": "-", "…": "...", "·": "|", "×": "x", "─": "-", "│": "|", "├": "+", "└": "+"}
_BRAILLE = range(0x2800, 0x2900)  # of which rich makes its spinner
_HANDLER = "idstorm.plain"
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")  # of Python: any other handler is a user's own wish


def spare_the_streams() -> None:
    """Let stdout and stderr replace what they cannot encode, instead of raising an error."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _DEFAULTS:
            stream.reconfigure(errors=_HANDLER)


def say(text: str, *, err: bool = False) -> None:
    """Print a line. `click.echo` by itself would write UTF-8 where the stream is said to be ASCII."""
    click.echo(text, file=sys.stderr if err else sys.stdout)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_written_out, error.object[error.start : error.end])), error.end


def _written_out(character: str) -> str:
    if ord(character) in _BRAILLE:
        return "*"
    return _PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
