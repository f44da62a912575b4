"""Reading the JSON report of an earlier audit back."""

from __future__ import annotations

from pathlib import Path

from idstorm.errors import UsageError
from idstorm.findings.audit import AUDIT_FORMAT, AUDIT_MARK, AuditReport
from idstorm.record.files import loads, read_text
from idstorm.record.shapes import read_as

_LARGEST = 1 << 28  # bytes: some 700 for each id


def read_audit(path: Path, option: str) -> AuditReport:
    """Return the report in a file. Raises UsageError, which names the option, for anything but an audit's report."""
    try:
        data = loads(read_text(path, _LARGEST))
    except OSError as error:
        raise UsageError(f"{option}: cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{option}: {path} is not the JSON report of an audit: {error}") from error
    if not isinstance(data, dict) or data.pop("what", None) != AUDIT_MARK:
        raise UsageError(f"{option}: {path} is not the JSON report of an audit: write one with idstorm audit --json")
    written = data.pop("format", None)
    if not isinstance(written, int) or written > AUDIT_FORMAT:
        raise UsageError(f"{option}: {path} was written by a newer idstorm (format {written}): upgrade to read it")
    data.pop("exit_code", None)
    try:
        return read_as(AuditReport, data)
    except ValueError as error:
        raise UsageError(f"{option}: {path} is damaged: {error}") from error
