"""Users' own checks: found again by where they were written, with their findings validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from idstorm.errors import ScenarioError
from idstorm.findings.checks import CHECKS, Check, own_check
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.record.plan import Claim

_LARGEST = 10**80  # no id is larger, and Python writes no number of thousands of digits


def checks_of(claims: Mapping[str, Claim]) -> list[Check]:
    """Return the checks that these claims are about, in the order of every report; none is left out.

    A check whose code is missing is unknown. A plan from before a check existed is judged without it.
    """
    ours = [check for name, check in CHECKS.items() if name in claims and claims[name].own is None]
    known = {check.name for check in ours}
    return [*ours, *(_other(name, claim) for name, claim in claims.items() if name not in known)]


def _other(name: str, claim: Claim) -> Check:
    """Return a check that is not one of idstorm's."""
    if claim.own is None:
        reason = "this version of idstorm has no such check: upgrade to judge it"
        return Check(name, "a check of another idstorm", lambda _: Finding(Status.UNKNOWN, reason=reason), origin=name)
    here = own_check(name)
    if here is not None and _place(here.origin, here.file) == _place(claim.own.origin, claim.own.file):
        return replace(here, judge=partial(_sound, here))
    reason = f"its code is not here: name its file, {Path(claim.own.file).name}, with `idstorm check --checks`"
    absent = Finding(Status.UNKNOWN, reason=reason)
    meaning = claim.own.meaning or "a check of a user's own"  # in a damaged plan, it may be empty
    return Check(name, meaning, lambda _: absent, origin=claim.own.origin)


def _place(origin: str, file: str) -> tuple[str, str]:
    """Return what identifies a check wherever its file is: the names of the file and of the function."""
    return Path(file).name, origin.rpartition(":")[2]


def _sound(check: Check, evidence: Evidence) -> Finding:
    """Return what a user's own check finds, as any report can hold it. Raises ScenarioError for anything else."""
    found = check.judge(evidence)
    if not isinstance(found, Finding):
        raise ScenarioError(f"{check.name} has to return a Finding, and returned {found!r}")
    figures = {name: _plain(value) for name, value in found.figures.items()}
    for name, value in figures.items():
        if name not in check.figures:
            raise ScenarioError(f"{check.name} found a figure {name!r}: declare it with its unit, after figures=")
        if not isinstance(value, int | float) or not isfinite(value):
            raise ScenarioError(f"the figure {name!r} of {check.name} has to be a number, not {value!r}")
    if not all(isinstance(witness, Mapping) for witness in found.witnesses):
        raise ScenarioError(f"each witness of {check.name} has to be a dict, such as evidence.describe(row) returns")
    if found.status is Status.BROKEN and not found.witnesses:
        raise ScenarioError(f"{check.name} is broken without a witness: add a row that shows it")
    witnesses = tuple(_plain(witness) for witness in found.witnesses[:WITNESSES])
    return Finding(Status(found.status), figures, witnesses, None if found.reason is None else str(found.reason))


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    match value:
        case np.generic():
            return _plain(value.item())
        case np.ndarray():
            return _plain(value.tolist())
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(one) for one in value]
        case int() if abs(value) > _LARGEST:
            return f"a number of {value.bit_length()} bits"
        case None | bool() | int() | float() | str():
            return value
    return str(value)
