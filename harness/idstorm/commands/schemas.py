"""JSON Schemas of what idstorm writes, made from the dataclasses that it is read into again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from idstorm.findings.audit import AUDIT_FORMAT, AuditReport
from idstorm.findings.changes import Changes
from idstorm.findings.trend import Trend
from idstorm.findings.verdict import REPORT_FORMAT, Report
from idstorm.record.ending import ENDING_FORMAT, Ending
from idstorm.record.explored import Explored
from idstorm.record.origins import Origins
from idstorm.record.plan import Plan
from idstorm.record.provenance import Provenance
from idstorm.record.stamp import Stamp
from idstorm.record.store import FORMAT, MARK

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_STORM = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("name", "scenario", "target", "repeats")},
    "required": ["name", "scenario", "target"],
}


def schema_of(name: str) -> Schema:
    """Return the schema of what is written under this name, one of `SCHEMAS`."""
    return {"$schema": DRAFT, "title": f"idstorm: {name}", **SCHEMAS[name]()}


def _report() -> Schema:
    schema = _of(Report, REPORT_FORMAT)
    report = schema["$defs"]["Report"]
    for here_only in ("folder", "unwritten"):  # which say where the report lies, and are not part of it
        del report["properties"][here_only]
    report["required"].remove("folder")
    return schema


def _run() -> Schema:
    made = _of(Provenance)
    strings = {name: {"type": "string"} for name in ("run", "kind", "command", "explored")}
    return {
        "type": "object",
        "description": "A run: the command that made it, and its storms.",
        "properties": {
            "what": {"const": MARK},
            "format": {"const": FORMAT},
            **strings,
            "storms": {"type": "array", "items": _STORM},
            "controls": {"type": "array", "items": _STORM},
            "gates": {"type": "array", "items": {"type": "string"}},
            "made": {"$ref": made["$ref"]},
            "until_broken": {"const": True},
            "seconds": {"type": ["number", "null"]},
        },
        "required": ["what", "format", "run", "kind", "command", "storms", "gates"],
        "$defs": made["$defs"],
    }


def _of(shape: type, written: int | None = None, *, stamped: bool = False) -> Schema:
    """Return the schema of a dataclass; as a file, with its format, and the stamp that says where it belongs."""
    schema = msgspec.json.schema(shape)
    top = schema["$defs"][shape.__name__]
    if written is not None:
        top["properties"] = {"format": {"const": written}, **top["properties"]}
        top["required"] = ["format", *top.get("required", ())]
    if stamped:
        stamp = msgspec.json.schema(Stamp)
        del stamp["$defs"]["Stamp"]["properties"]["older"]
        schema["$defs"] |= stamp["$defs"]
        top["properties"]["stamp"] = {"$ref": stamp["$ref"]}
    return schema


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "report": _report,
    "audit": lambda: _of(AuditReport, AUDIT_FORMAT),
    "compare": lambda: _of(Changes, 1),
    "trend": lambda: _of(Trend, 1),
    "run": _run,
    "plan": lambda: _of(Plan, FORMAT, stamped=True),
    "ending": lambda: _of(Ending, ENDING_FORMAT, stamped=True),
    "explored": lambda: _of(Explored, FORMAT, stamped=True),
    "origins": lambda: _of(Origins, FORMAT, stamped=True),
}
"""What idstorm writes as JSON: its reports, and the files in the folder of a run."""
