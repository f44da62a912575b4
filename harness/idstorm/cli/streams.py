"""Printing, on streams whose encoding may lack characters that idstorm uses.

A run that passed must not end with a traceback because a terminal is Latin-1. A character that the encoding lacks is
replaced by one that it has or, if it comes from the user, written out as in `\\u20ac`.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, TextIO, cast

import click


class StdoutLost(Exception):
    """Printed text cannot be delivered: stdout's reader has gone, or its disk is full.

    It is not an OSError, to tell it from others.
    """


_PLAIN = {"✓": "+", "✗": "x", "–": "-", "…": "...", "·": "|", "×": "x", "─": "-", "│": "|", "├": "+", "└": "+"}
_COMMANDS = re.compile(r"(?m)^\s*::|##\[")
_BRAILLE = range(0x2800, 0x2900)  # rich's spinner
_HANDLER = "idstorm.plain"
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")  # Python's own: any other handler is the user's choice


def spare_the_streams() -> None:
    """Make stdout and stderr replace characters that they cannot encode; send closed streams to os.devnull.

    Otherwise a file opened later would get a closed stream's file descriptor, and with it the printed text.
    """
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(nowhere)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _DEFAULTS:
            stream.reconfigure(errors=_HANDLER)
    sys.stdout = cast(TextIO, _Heard(sys.stdout))


def say(text: str, *, err: bool = False) -> None:
    """Print a line, its control characters escaped. Raises StdoutLost if stdout fails; errors of stderr are ignored.

    `click.echo` by itself would write UTF-8 to a stream declared as ASCII.
    """
    from idstorm.report.text import visible

    with suppress(OSError) if err else nullcontext():
        click.echo(no_command(visible(text)), file=sys.stderr if err else sys.stdout)


def command(text: str) -> None:
    """Print a GitHub workflow command on stderr, which GitHub reads as well: stdout may hold a file."""
    with suppress(OSError):
        click.echo(text, file=sys.stderr)


def no_command(text: str) -> str:
    """Return a text that GitHub Actions does not take for workflow commands.

    Their two forms are those of ActionCommand in github.com/actions/runner.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    return _COMMANDS.sub(lambda match: match[0].replace("::", r"\x3a:", 1).replace("##[", r"#\x23["), text)


class _Stream:
    """A stream that writes to another one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Heard(_Stream):
    """Stdout. Raises StdoutLost if it cannot be written."""

    def write(self, text: str) -> int:
        with _losing():
            return super().write(text)

    def flush(self) -> None:
        with _losing():
            super().flush()


@contextmanager
def _losing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StdoutLost(error.strerror or str(error)) from error


class Screened(_Stream):
    """A stream on which printed text is never a workflow command."""

    def write(self, text: str) -> int:
        super().write(no_command(text))
        return len(text)


class Unminded(Screened):
    """A stream whose write errors are ignored: no storm ends because a terminal has gone."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def lose_stdout() -> None:
    """Discard what is still buffered for stdout: at exit, Python would raise an error because of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_written_out, error.object[error.start : error.end])), error.end


def _written_out(character: str) -> str:
    if ord(character) in _BRAILLE:
        return "*"
    return _PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
