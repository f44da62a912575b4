"""Finding the programs for a private server: on the machine, in a wheel, or where a variable points.

A program is asked what it is, since its name proves nothing: on Debian `mysqld` is a link to mariadbd.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from idstorm.databases.private.programs import Programs, loader_of
from idstorm.databases.private.recipe import Recipe
from idstorm.databases.registry import DATABASES
from idstorm.errors import UsageError

_PATIENCE = 20  # seconds for a program to tell its version


def find(dialect: str, environ: Mapping[str, str] = os.environ) -> Programs | None:
    """Return the server programs to use for a dialect, or None where there are none, or no recipe for a server.

    Raises UsageError where a variable points at a program that is not of this dialect: it is never skipped.
    """
    return look(dialect, environ)[0]


def look(dialect: str, environ: Mapping[str, str] = os.environ) -> tuple[Programs | None, list[str]]:
    """Return what `find` does, and a sentence for each program that was skipped. Raises UsageError."""
    recipe = DATABASES[dialect].recipe
    if recipe is None:
        return None, []
    if path := environ.get(recipe.variable):
        return _ask(dialect, recipe, Path(path).absolute(), f"${recipe.variable}"), []
    passed = list[str]()
    for program, where in recipe.candidates(environ):
        if program.exists():
            try:
                return _ask(dialect, recipe, program, where), passed
            except UsageError as error:
                passed.append(str(error))
    return None, list(dict.fromkeys(passed))


def _ask(dialect: str, recipe: Recipe, program: Path, where: str) -> Programs:
    """Return the programs that a candidate leads to. Raises UsageError if it is not a server of this dialect."""
    server = program
    try:
        server = recipe.server_beside(program.resolve(strict=True))
        asked = subprocess.run(
            [*loader_of(server.parents[1]), str(server), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{where}: {server} does not tell its version: {reason}") from error
    said = (asked.stdout or asked.stderr).strip()
    version = recipe.version_in(said)
    if asked.returncode or (version is None and _of_another(said) is None):
        raise UsageError(f"{where}: {server} does not tell the version of a server: {said[-200:] or 'it says nothing'}")
    if version is None:
        raise UsageError(f"{where}: {server} says it is {_of_another(said)}, not {dialect}")
    home = server.parents[1]
    libraries = home.parent.parent / f"{home.parent.name}.libs"  # where wheels keep what they were linked against
    trees = (home.parent, libraries) if libraries.is_dir() else (home,)
    return Programs(dialect, version, server, where, trees)


def _of_another(said: str) -> str | None:
    """Return the dialect and version in a program's output; None where no recipe knows it."""
    for name, database in DATABASES.items():
        if database.recipe is not None and (version := database.recipe.version_in(said)):
            return f"{name} {version}"
    return None
