"""The end of every command that produces a report, and the options that these commands share."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

import click

from idstorm import atomic
from idstorm.cli.streams import Screened, StdoutLost, Unminded, command, lose_stdout, say

if TYPE_CHECKING:
    from rich.console import Console

    from idstorm.commands.check import Checked
    from idstorm.findings.audit import AuditReport
    from idstorm.findings.verdict import Report


FORMATS = {
    "json": "the report as JSON",
    "junit": "JUnit XML, a test case for each check",
    "markdown": "a summary as Markdown (of a matrix, the table)",
    "html": "a page with pictures, which is one file",
}
"""The forms in which a report may be written to a file, each by an option of its name, with what that is."""

Texts = Mapping[str, Callable[[], str]]
"""How a report is written in each of these forms."""


@dataclass(frozen=True)
class Outputs:
    """Where a report goes besides the terminal, and how much of it is printed there."""

    files: Mapping[str, str]  #: the name of a file, or - for stdout, by form
    quiet: bool
    verbose: bool

    @property
    def take_stdout(self) -> bool:
        """Whether one of them takes stdout, so that nothing else may be written there."""
        return "-" in self.files.values()


results_option = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where the run's folder is created.",
)


def report_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that ends with the report of a run, which it receives as `outputs`."""
    return _with_options(command, FORMATS)


def audit_report_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add those of the command that ends with the report of an audit, of which there is no page."""
    return _with_options(command, {form: what for form, what in FORMATS.items() if form != "html"})


def _with_options(command: Callable[..., None], formats: Mapping[str, str]) -> Callable[..., None]:
    @wraps(command)
    def with_outputs(*, quiet: bool, verbose: bool, **others: Any) -> None:
        asked = {form: others.pop(f"{form}_file") for form in formats}
        files = {form: file for form, file in asked.items() if file is not None}
        on_stdout = [f"--{form} -" for form, file in files.items() if file == "-"]
        if len(on_stdout) > 1:
            raise click.UsageError(
                f"{' and '.join(on_stdout)} cannot be used together: stdout can hold only one of them"
            )
        if not others.get("only_show"):
            for form, file in files.items():
                _try(file, f"--{form}")
        command(outputs=Outputs(files, quiet, verbose), **others)

    decorated: Callable[..., None] = with_outputs
    decorated = click.option("-v", "--verbose", is_flag=True, help="Print facts and more witnesses.")(decorated)
    decorated = click.option("-q", "--quiet", is_flag=True, help="Print only the result.")(decorated)
    for form, what in reversed([*formats.items()]):
        decorated = _file(form, what)(decorated)
    return decorated


def _try(name: str, option: str) -> None:
    """Raise EnvironmentFault if a report cannot be written, before the storm begins."""
    if name == "-":
        return
    from idstorm.record import store

    path = Path(name).resolve()
    with store.writing(path, option):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if path.is_file() or not path.exists():
            atomic.try_to_write(path)


def _file(form: str, what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    help_ = f"Also write {what}; - writes it to stdout, and nothing else."
    return click.option(f"--{form}", f"{form}_file", metavar="FILE", help=help_)


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    file = Unminded(sys.stderr) if stderr else Screened(sys.stdout)
    return Console(file=cast(TextIO, file), highlight=False, emoji=False, markup=False)


def finish(report: Report, outputs: Outputs) -> NoReturn:
    """Show a report, write the files asked for, and exit with the report's exit code."""
    with _telling() as untold:
        _write(_texts(report.to_json(), [report], {}), outputs, untold)
        _show(report, outputs, untold)
    _end(report.exit_code, untold, written=report.unwritten is None)


def finish_audit(report: AuditReport, outputs: Outputs) -> NoReturn:
    """Show the report of an audit, write the files asked for, and exit with its exit code."""
    from idstorm.report.audit.github import workflow_commands
    from idstorm.report.audit.junit import junit
    from idstorm.report.audit.markdown import markdown, pieces
    from idstorm.report.audit.terminal import show

    with _telling() as untold:
        texts = {"json": _json(report.to_json()), "junit": lambda: junit(report), "markdown": lambda: markdown(report)}
        _write(texts, outputs, untold)
        with _losing_stdout(untold):
            show(console(stderr=outputs.take_stdout), report, verbose=outputs.verbose, quiet=outputs.quiet)
            sys.stdout.flush()
        _tell_github(lambda: workflow_commands(report), lambda: pieces(report))
    _end(report.exit_code, untold)


def finish_all(checked: Checked, outputs: Outputs) -> NoReturn:
    """Show several reports, write the files asked for, and exit with their combined exit code."""
    with _telling() as untold:
        _write(_texts(checked.to_json(), checked.reports, checked.unreadable), outputs, untold)
        for report in checked.reports:
            _show(report, outputs, untold)
        for path in checked.skipped:
            say(f"{path} is skipped: it is a file, not the folder of a run", err=True)
        for reason in checked.unreadable.values():
            say(f"Error: {reason}", err=True)
        counts = Counter(str(report.result) for report in checked.reports)
        counts["unreadable"] = len(checked.unreadable)
        words = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        say(f"{checked.result.upper()}  {counts.total()} runs: {words}", err=outputs.take_stdout)
    _end(checked.exit_code, untold)


@contextmanager
def _telling() -> Iterator[list[str]]:
    """Yield a list for the reasons why something could not be written, stdout included."""
    untold = list[str]()
    with _losing_stdout(untold):
        yield untold
        sys.stdout.flush()


@contextmanager
def _losing_stdout(untold: list[str]) -> Iterator[None]:
    """Take up that stdout was lost, and let what is printed from then on go nowhere."""
    try:
        yield
    except StdoutLost as error:
        lose_stdout()
        untold.append(f"cannot write to stdout: {error}")


def _end(code: int, untold: Sequence[str], *, written: bool = True) -> NoReturn:
    """Say what could not be written, and exit. A failure stays a failure, even if it could not be written."""
    from idstorm.findings.results import exit_code_untold

    for reason in untold:
        say(f"Error: {reason}", err=True)
    sys.exit(code if written and not untold else exit_code_untold(code))


def _show(report: Report, outputs: Outputs, untold: list[str]) -> None:
    from idstorm.report import terminal

    out = console(stderr=outputs.take_stdout)
    with _losing_stdout(untold):  # what else is told of the report does not need it
        terminal.show(out, report, verbose=outputs.verbose, quiet=outputs.quiet)
        sys.stdout.flush()
    if outputs.quiet or not out.is_terminal:  # whoever keeps stdout for later still has to see what went wrong
        for line in terminal.complaints(report):
            say(line, err=True)
    from idstorm.report.github import workflow_commands
    from idstorm.report.markdown import pieces

    _tell_github(lambda: workflow_commands(report), lambda: pieces(report))


def _texts(data: Mapping[str, Any], reports: Sequence[Report], unreadable: Mapping[str, str]) -> Texts:
    """Return how runs, and what could not be read of others, are written in each form."""

    def junit() -> str:
        from idstorm.report.junit import junit

        return junit(*reports, unreadable=unreadable)

    def html() -> str:
        from idstorm.commands.page import page_of

        if len(reports) != 1:
            raise click.UsageError("--html is the page of one run: name one")
        return page_of(reports[0])

    return {"json": _json(data), "junit": junit, "markdown": lambda: _markdown(reports, unreadable), "html": html}


def _json(data: Mapping[str, Any]) -> Callable[[], str]:
    from idstorm.record.files import dumps

    return lambda: dumps(data) + "\n"


def _write(texts: Texts, outputs: Outputs, untold: list[str]) -> None:
    """Write the files asked for, as many as can be. Why one could not be written is added to `untold`."""
    from idstorm.record.store import enduring

    for form, name in outputs.files.items():
        with enduring(untold):
            write_text(texts[form](), name, f"--{form}")


def _markdown(reports: Sequence[Report], unreadable: Mapping[str, str]) -> str:
    from idstorm.report.markdown import markdown, unreadable_markdown
    from idstorm.report.matrix_table import matrix_markdown

    if len(reports) == 1 and not unreadable and reports[0].matrix is not None:
        return matrix_markdown(reports[0].matrix)
    pages = [unreadable_markdown(folder, reason) for folder, reason in unreadable.items()]
    return "\n".join([*map(markdown, reports), *pages])


def write_text(text: str, name: str, option: str) -> None:
    """Write a whole file or nothing; `-` is stdout. Raises EnvironmentFault, which names the option to change."""
    from idstorm.errors import EnvironmentFault
    from idstorm.record import store

    path = Path(name).resolve()
    if name == "-":
        try:
            click.echo(text.encode(), nl=False)  # as UTF-8 in any locale, as XML declares
        except OSError as error:
            lose_stdout()
            raise EnvironmentFault(f"cannot write to stdout: {error.strerror or error}") from error
        return
    with store.writing(path, option):
        if path.exists() and not path.is_file():  # a pipe or a device: renaming a file onto it would replace it
            path.write_text(text, encoding="utf-8")
        else:
            atomic.write_text(path, text)


def _tell_github(commands: Callable[[], Sequence[str]], summary: Callable[[], Iterable[str]]) -> None:
    """On GitHub Actions, annotate what went wrong, and try to add to the step's summary."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in commands():
            command(line)
    if place := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            _add_to_summary(list(summary()), Path(place))
        except OSError as error:
            say(f"the step's summary was not written: {error.strerror or error} ({place})", err=True)


def _add_to_summary(pieces: Sequence[str], summary: Path) -> None:
    from idstorm.report.github import SUMMARY_LIMIT, cut

    with summary.open("ab") as file:
        size = os.fstat(file.fileno()).st_size
        before = b"\n\n" if size else b""  # what is already there may not end in a newline
        text = cut(pieces, SUMMARY_LIMIT - size - len(before)).encode()
        if not text:
            raise OSError(f"{size:,} bytes are there already, and GitHub takes at most 1 MiB a step")
        file.write(before + text)
