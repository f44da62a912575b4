"""Importing the code of users' own checks that a stored run names, if it is at hand and may be trusted.

A run may be untrusted, and names files and modules that would be imported: only a file at or below the current
directory, and outside the run, is the user's own for certain; a module is looked for where `idstorm run` would.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from idstorm.errors import IdstormError, UsageError
from idstorm.findings.checks import own_check
from idstorm.record.plan import Plan
from idstorm.record.store import Run
from idstorm.record.stored import read_plan


def bring_own_checks(run: Run) -> None:
    """Import the scenarios of a run that claim something of checks that are not registered. What fails is left out."""
    for entry in (*run.controls, *run.storms):
        with suppress(IdstormError, OSError):  # what cannot be read is reported when it is judged
            plan = read_plan(run, entry)
            if plan is not None and _lacks_some(plan) and _is_ours(plan.reference, run):
                _bring(plan.reference)


def _lacks_some(plan: Plan) -> bool:
    own = {name: claim.own for name, claim in plan.claims.items() if claim.own is not None}
    here = {name: own_check(name) for name in own}
    return any(check is None or check.origin != own[name].origin for name, check in here.items())


def _is_ours(reference: str, run: Run) -> bool:
    where = Path(reference.rpartition(":")[0])
    if where.suffix != ".py":
        return bool(reference)
    path, folder = where.resolve(), run.folder.resolve()
    return path.is_relative_to(Path.cwd()) and not path.is_relative_to(folder)


def _bring(reference: str) -> None:
    from idstorm import catalogue  # and SQLAlchemy with it, which no other run needs to be judged again

    catalogue.current_directory_first()
    with suppress(UsageError):
        catalogue.find(reference)
