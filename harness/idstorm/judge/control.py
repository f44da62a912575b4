"""What a control comes to: passed where the fault that it stormed was seen."""

from __future__ import annotations

from dataclasses import fields

from idstorm.errors import UnreadableRun
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Control, StormReport


def control(storm: StormReport) -> Control:
    """Return the report of a storm of what is known to break. What it claims of itself decides nothing.

    Raises UnreadableRun where it was not judged for what a control is there for.
    """
    if storm.verdicts and not {"unique", "pressure"} <= storm.verdicts.keys():
        raise UnreadableRun(f"{storm.storm} is not a control: its plan claims nothing of unique, or of pressure")
    unique = storm.verdicts.get("unique")
    seen = unique is not None and unique.status is Status.BROKEN
    kept = {field.name: getattr(storm, field.name) for field in fields(StormReport)}
    return Control(
        **{**kept, "result": Result.PASSED if seen else Result.INCONCLUSIVE},
        duplicated=unique.figures["duplicated"] if unique is not None and seen else 0,
        reason=None if seen else _reason(storm),
    )


def _reason(storm: StormReport) -> str:
    """Return why nothing was seen: the storm did not come to be, or could not have found anything, or found nothing."""
    if storm.ending is not None:
        return storm.ending
    unique, pressure = storm.verdicts["unique"], storm.verdicts["pressure"]
    if pressure.reason is not None:
        return f"what is known to break was not seen to: {pressure.reason}"
    return f"what is known to break was not seen to: {unique.reason or 'no id was told twice'}"
