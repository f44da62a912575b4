"""The commands about runs that are stored: `results`, `compare` and `trend`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import click

from idstorm.cli.reports import console, write_text
from idstorm.cli.streams import say
from idstorm.quantities import parse_duration

_DAY = 86_400.0


@click.command()
@click.argument("folder", default="results", type=click.Path(path_type=Path))
@click.option("--newest", type=click.IntRange(0), metavar="N", help="Remove all but the newest N.")
@click.option("--older", metavar="AGE", help="Remove what is older: 30d, or 12h. With --newest, what is both.")
@click.option("--even-failed", is_flag=True, help="Also what failed, or has no result.")
@click.option("--prune", is_flag=True, help="Really remove it: else it is only listed.")
def results(folder: Path, newest: int | None, older: str | None, *, even_failed: bool, prune: bool) -> None:
    """List the runs that are stored in FOLDER, the newest first, and remove old ones."""
    from idstorm.commands.results import remove, stored_runs, to_remove

    chosen = newest is not None or older is not None
    if prune and not chosen:
        raise click.UsageError("--prune goes with --newest or --older, which say what to remove")
    seconds = None if older is None else _age(older)
    runs, unreadable = stored_runs(folder)
    if chosen:
        runs = to_remove(runs, newest=newest, seconds=seconds, even_failed=even_failed)
    for run in runs:
        if prune:
            remove(run)
        result = "no result" if run.result is None else str(run.result)
        storms = f"{run.storms:,} {'storm' if run.storms == 1 else 'storms'}"
        say(
            f"{_local(run.began)}  {run.kind:8} {result:13} {storms:12} {_bytes(run.size):>9}  {run.folder}"
            + "".join(f"  {word}" for word in (run.commit, run.label) if word is not None)
        )
    for path in unreadable:
        say(f"cannot be read: {path}; `idstorm check` says why", err=True)
    total = f"{len(runs):,} {'run' if len(runs) == 1 else 'runs'}, {_bytes(sum(run.size for run in runs))}"
    say(f"{total} removed" if prune else f"{total}: --prune removes them" if chosen and runs else total)


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--fail-if-worse", is_flag=True, help="Exit with 1 if a check is broken or unknown that had held.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Also write it as JSON; - writes it to stdout, and nothing else."
)
@click.option("--html", "html_file", metavar="FILE", help="Also write a page that shows both, picture beside picture.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the last line.")
def compare(
    before: Path, after: Path, *, fail_if_worse: bool, json_file: str | None, html_file: str | None, quiet: bool
) -> None:
    """Show what is different in the run AFTER from the run BEFORE: conditions, verdicts, rates.

    Both are judged again. A rate is called different only if each storm was repeated, and no repetition of one side is
    within those of the other.
    """
    from idstorm.commands.compare import compare as compared
    from idstorm.findings.results import ExitCode
    from idstorm.record.files import dumps
    from idstorm.report.changes import show_changes

    found = compared(before, after)
    _write({"--json": (json_file, lambda: dumps(found.changes.to_json()) + "\n"), "--html": (html_file, found.page)})
    if "-" not in (json_file, html_file):
        show_changes(console(), found.changes, quiet=quiet)
    sys.exit(ExitCode.FAILED if fail_if_worse and found.changes.worse else ExitCode.PASSED)


@click.command()
@click.argument("folder", default="results", type=click.Path(path_type=Path))
@click.option(
    "--figure", "figures", multiple=True, metavar="FIGURE", help="What to follow, as `idstorm figures` lists."
)
@click.option("--label", metavar="TEXT", help="Only runs that were made with this --label.")
@click.option(
    "--json", "json_file", metavar="FILE", help="Also write it as JSON; - writes it to stdout, and nothing else."
)
@click.option("--html", "html_file", metavar="FILE", help="Also write a page with a curve for each figure.")
def trend(
    folder: Path, figures: tuple[str, ...], label: str | None, *, json_file: str | None, html_file: str | None
) -> None:
    """Show what the runs in FOLDER have found, one after another: results, and figures such as the rate.

    What counts is the report that is stored with each run.
    """
    from idstorm.commands.trend import FIGURES, trend_of
    from idstorm.record.files import dumps
    from idstorm.report.page.trend import trend_page
    from idstorm.report.trend import show_trend

    found = trend_of(folder, figures or FIGURES, label)
    _write(
        {"--json": (json_file, lambda: dumps(found.to_json()) + "\n"), "--html": (html_file, lambda: trend_page(found))}
    )
    if "-" not in (json_file, html_file):
        show_trend(console(), found)


def _write(texts: Mapping[str, tuple[str | None, Callable[[], str]]]) -> None:
    """Write the files asked for, by the option of each. Raises UsageError where two of them want stdout."""
    if len(on_stdout := [f"{option} -" for option, (file, _) in texts.items() if file == "-"]) > 1:
        raise click.UsageError(f"{' and '.join(on_stdout)} cannot be used together: stdout can hold only one of them")
    for option, (file, text) in texts.items():
        if file is not None:
            write_text(text(), file, option)


def _age(text: str) -> float:
    """Return an age in seconds. Raises UsageError."""
    days = text.removesuffix("d")
    return float(days) * _DAY if days != text and days.isdecimal() and int(days) else parse_duration(text)


def _local(when: datetime) -> str:
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1_000:
            return f"{size:.0f} {unit}"
        size /= 1_000
    return f"{size:,.1f} GB"
