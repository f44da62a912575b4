"""Surveys written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from idstorm.findings.audit import AuditReport
from idstorm.findings.gate import read_gate
from idstorm.judge.audit.audit import Asked
from idstorm.judge.audit.audit import audit as judge
from idstorm.record.survey import Column, Generator, Id, Remedy, Survey

INT, BIG = (1 << 31) - 1, (1 << 63) - 1
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGET = {"name": "there", "dialect": "postgresql", "driver": "psycopg", "server": "18", "url": "there"}


def sequence(name: str = "s", **more: Any) -> Generator:
    """A sequence of 64 bits that was not used."""
    return replace(Generator(name, "sequence", 1, BIG, 1, type="bigint"), **more)


def column(name: str = "id", **more: Any) -> Column:
    """A bigint of the table t, with a statement that mends it."""
    return replace(Column("t", name, "bigint", BIG, mend=Remedy("mend it", "a lock")), **more)


def audit(survey: Survey | Id, *gates: str, at: datetime = NOON, **more: Any) -> AuditReport:
    """The audit of a survey, or of a database with a single id."""
    read = Survey(tables=1, ids=(survey,)) if isinstance(survey, Id) else survey
    asked = Asked(tuple(map(read_gate, gates)), **more)
    return judge(read, asked, command="idstorm audit", at=at, target=TARGET)


def kinds(report: AuditReport) -> Mapping[str, str]:
    """What was found, with its severity, or that it is accepted."""
    return {one.kind: "accepted" if one.accepted else str(one.severity) for one in report.findings}
