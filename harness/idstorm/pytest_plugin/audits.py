"""The fixture `idstorm_audit`: an audit of the database that a suite has made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from idstorm.findings.audit import AuditFinding, AuditReport

_WIDTH = 110


@dataclass(frozen=True, repr=False)
class AuditResult:
    """The result of an audit in a test. `str()` of it is the report as `idstorm audit` prints it."""

    report: AuditReport

    @property
    def passed(self) -> bool:
        """Whether nothing is an error, and everything could be read."""
        return self.report.result == "passed"

    @property
    def findings(self) -> tuple[AuditFinding, ...]:
        """What was found, the errors first, without what a baseline accepts."""
        return self.report.counted

    def __repr__(self) -> str:
        from idstorm.report.audit.words import summary
        from idstorm.report.text import visible

        errors = "".join(f"; {one.kind} {one.about}" for one in self.findings if one.severity == "error")
        return visible(f"<idstorm audit {self.report.result.upper()}: {summary(self.report)}{errors}>")

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        from idstorm.report.audit.terminal import show

        out = StringIO()
        show(
            Console(file=out, width=_WIDTH, highlight=False, emoji=False, markup=False, force_terminal=False),
            self.report,
        )
        return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


class Audits:
    """Audits databases, for one test."""

    def __call__(
        self,
        on: Any,
        *,
        fail_if: str | tuple[str, ...] = (),
        baseline: str | Path | None = None,
        since: str | Path | None = None,
        scan: bool = False,
        allow_unreadable: bool = False,
    ) -> AuditResult:
        """Audit a database, which is only read, and return the result.

        `on` is a URL, an Engine or a Connection of SQLAlchemy's, or a word with a variable, such as "postgresql". The
        options are those of `idstorm audit`. The test fails for what cannot be done as asked.
        """
        __tracebackhide__ = True
        from idstorm.commands.audit import AuditRequest, audit
        from idstorm.errors import EnvironmentFault, UsageError

        request = AuditRequest(
            on=_text_of(on),
            fail_if=(fail_if,) if isinstance(fail_if, str) else tuple(fail_if),
            since=None if since is None else Path(since),
            baseline=None if baseline is None else Path(baseline),
            scan=scan,
            allow_unreadable=allow_unreadable,
        )
        try:
            return AuditResult(audit(request))
        except (UsageError, EnvironmentFault) as error:
            raise pytest.fail.Exception(f"idstorm_audit: {error}", pytrace=False) from None


def _text_of(on: Any) -> str:
    """Return a target as the command line has it: that of an engine, a connection or a URL, with its password."""
    bound = getattr(on, "sync_engine", getattr(on, "engine", on))
    url = getattr(bound, "url", bound)
    if isinstance(url, str):
        return url
    if not hasattr(url, "render_as_string"):
        raise pytest.fail.Exception(
            f"idstorm_audit: {on!r} is not a URL, an Engine or a Connection of SQLAlchemy", pytrace=False
        )
    return str(url.render_as_string(hide_password=False))
