"""A report as JUnit XML: a test suite for each storm, a test case for each check and gate.

What failed is a failure. What is inconclusive is an error, so that it is not taken for a pass or for a bug that was
found. What does not apply is skipped. What broke as claimed passes, with its witnesses as the output of the case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from io import BytesIO

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from idstorm.findings.results import Result
from idstorm.findings.verdict import Report, StormReport
from idstorm.report.items import Point, points_of
from idstorm.report.text import failing_words, target_words, visible

_RESULTS = {Result.FAILED: Failure, Result.INCONCLUSIVE: Error, Result.NA: Skipped}


def junit(*reports: Report, unreadable: Mapping[str, str] | None = None) -> str:
    """Return reports as JUnit XML, declared as UTF-8, with the reasons why other runs could not be read."""
    file, times = JUnitXml("idstorm"), Counter[tuple[str, str]]()
    for report, (storm, points) in ((each, one) for each in reports for one in points_of(each)):
        target = str(storm.target["name"])
        times[storm.scenario, target] += 1
        file.add_testsuite(_suite(report, storm, points, target, times[storm.scenario, target]))
    for folder, reason in (unreadable or {}).items():
        suite = TestSuite(one_line(folder))
        suite.add_testcase(
            case_of(Point("run", "readable", "the run can be read", Result.INCONCLUSIVE, reason), one_line(folder))
        )
        file.add_testsuite(suite)
    return as_text(file)


def as_text(file: JUnitXml) -> str:
    """Return JUnit XML as text, declared as UTF-8, with its statistics."""
    file.update_statistics()
    written = BytesIO()
    file.write(written)
    return written.getvalue().decode()


def _suite(report: Report, storm: StormReport, points: list[Point], target: str, time: int) -> TestSuite:
    scenario = storm.scenario if time == 1 else f"{storm.scenario} ({time})"  # viewers keep only one case per name
    suite = TestSuite(one_line(f"{scenario} on {target}"))
    about = {"run": report.run, "storm": storm.storm, "target": target_words(storm), "result": storm.result}
    failing = {"failing": words} if (words := failing_words(storm.operations)) else {}
    for name, value in {**about, **failing, "command": report.command}.items():
        suite.add_property(name, one_line(value))
    # Viewers take dots for packages: these three parts group well.
    group = ".".join(one_line(part).replace(".", "_") for part in ("idstorm", target, scenario))
    cases = [case_of(point, group) for point in points]
    cases[0].time = float(storm.operations.get("seconds", 0.0))  # the checks share a storm, and viewers add up cases
    suite.add_testcases(cases)
    return suite


def case_of(point: Point, group: str) -> TestCase:
    """Return a point as a test case of a group, whose name is dotted."""
    case = TestCase(one_line(point.name), group)
    text = visible("\n".join((f"{point.name}: {point.meaning}", *point.details, *point.witnesses)))
    if point.result in _RESULTS:
        result = _RESULTS[point.result](one_line(point.brief), point.kind)
        result.text = text
        case.result = result
    elif point.details:
        case.system_out = text
    return case


def one_line(text: str) -> str:
    """Return a text on one line, as an attribute needs it."""
    return " ".join(visible(text).split())
