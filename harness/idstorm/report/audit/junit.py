"""An audit as JUnit XML: a test case for each kind of finding, each gate, and what could not be read."""

from __future__ import annotations

from junitparser import JUnitXml, TestSuite

from idstorm.findings.audit import AuditReport
from idstorm.report.audit.words import points_of
from idstorm.report.junit import as_text, case_of, one_line


def junit(report: AuditReport) -> str:
    """Return a report as JUnit XML, declared as UTF-8. Warnings and notes are the output of a case that passed."""
    target = one_line(report.target["name"])
    suite = TestSuite(f"audit of {target}")
    for name, value in {"at": report.at, "result": report.result, "command": report.command}.items():
        suite.add_property(name, one_line(value))
    suite.add_testcases([case_of(point, f"idstorm.audit.{target.replace('.', '_')}") for point in points_of(report)])
    file = JUnitXml("idstorm")
    file.add_testsuite(suite)
    return as_text(file)
