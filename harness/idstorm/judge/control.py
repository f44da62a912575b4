"""The result of a control: passed if the fault that it stormed was seen."""

from __future__ import annotations

from dataclasses import fields

from idstorm.errors import UnreadableRun
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Control, StormReport


def control(storm: StormReport) -> Control:
    """Return the report of a storm of a known fault. Its own claims decide nothing.

    Raises UnreadableRun where it was not judged for `unique` and `pressure`.
    """
    if storm.verdicts and not {"unique", "pressure"} <= storm.verdicts.keys():
        raise UnreadableRun(f"{storm.storm} is not a control: its plan makes no claim about unique or about pressure")
    unique = storm.verdicts.get("unique")
    seen = unique is not None and unique.status is Status.BROKEN
    kept = {field.name: getattr(storm, field.name) for field in fields(StormReport)}
    return Control(
        **{**kept, "result": Result.PASSED if seen else Result.INCONCLUSIVE},
        duplicated=unique.figures["duplicated"] if unique is not None and seen else 0,
        reason=None if seen else _reason(storm),
    )


def _reason(storm: StormReport) -> str:
    """Return why nothing was seen: the storm did not run, could not have found anything, or found nothing."""
    if storm.ending is not None:
        return storm.ending
    unique, pressure = storm.verdicts["unique"], storm.verdicts["pressure"]
    if pressure.reason is not None:
        return f"the known fault was not seen: {pressure.reason}"
    return f"the known fault was not seen: {unique.reason or 'no id was told twice'}"
