"""The page of two runs that are compared: what is different, and the pictures of both beside each other."""

from __future__ import annotations

from collections.abc import Mapping

from idstorm.findings.changes import Changes
from idstorm.findings.drawing import Drawing
from idstorm.findings.verdict import Report
from idstorm.report.changes import GROUPS, last_words
from idstorm.report.cleaned import cleaned
from idstorm.report.page.gallery import pictures_of
from idstorm.report.page.rendering import render
from idstorm.report.text import target_words

Drawings = Mapping[str, Drawing]


def changes_page(changes: Changes, reports: tuple[Report, Report], drawings: tuple[Drawings, Drawings]) -> str:
    """Return the page. `drawings` has the pictures of the storms of both reports, by their names."""
    changes, reports = cleaned(changes), cleaned(reports)
    sides = [
        {(storm.scenario, str(storm.target["name"])): (storm, drawn.get(storm.storm)) for storm in report.storms}
        for report, drawn in zip(reports, drawings, strict=True)
    ]
    both = [
        (f"{old[0].scenario} on {target_words(old[0])}", list(pictures_of(old[1])), list(pictures_of(new[1])))
        for key, old in sides[0].items()
        if (new := sides[1].get(key)) is not None and (old[1] or new[1])
    ]
    groups = [(heading, some) for heading, field in GROUPS.items() if (some := getattr(changes, field))]
    return render("changes", changes=changes, groups=groups, both=both, last=last_words(changes))
