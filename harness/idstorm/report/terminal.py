"""A report for the terminal: one screen for each storm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Repeats, Report, StormReport, UntilBroken, Verdict
from idstorm.report.cleaned import cleaned
from idstorm.report.matrix_table import matrix_table
from idstorm.report.schedule import exploration_words, explore_words, level_words, schedule_tables
from idstorm.report.side_by_side import side_by_side
from idstorm.report.text import (
    MARKS,
    STYLES,
    control_words,
    failing_words,
    figure_words,
    gate_words,
    look_of,
    stopped,
    target_words,
    why_words,
    witness_words,
)

_SHOWN, _SHOWN_VERBOSE = 1, 24
_ERRORS_SHOWN = 4
_STORMS_NAMED = 12
_SUMMED_UP = 4  # storms, from which on a table says what became of each
_ALWAYS = ("complete", "visible")  # how far an exploration went, and how far a reader lagged, is always news
_FIRST = (Result.FAILED, Result.INCONCLUSIVE, Result.PASSED, Result.NA)


def show(console: Console, report: Report, *, verbose: bool = False, quiet: bool = False) -> None:
    """Print a report. `quiet` prints only its last line, `verbose` adds facts and more witnesses."""
    report = cleaned(report)
    if not quiet:
        for control, words in zip(report.controls, control_words(report), strict=True):
            console.print(Text(f"{words}\n", STYLES[control.result]), soft_wrap=True)
    if not quiet and report.matrix is not None:
        console.print(matrix_table(report.matrix))
    if not quiet and (report.matrix is None or verbose):
        for storm in (*report.storms, *report.repeats) if verbose else _worth_a_screen(report):
            console.print(_storm(storm, verbose=verbose))
        if _is_summed_up(report):
            console.print(_summary(report.decisive))
        for words in level_words(report.storms):
            console.print(Text(f"{words}\n", "bold"), soft_wrap=True)
        for comparison in report.comparisons:
            console.print(side_by_side(comparison))
    console.print(_last_lines(report, quiet=quiet), soft_wrap=True)


def complaints(report: Report) -> list[str]:
    """Return a line for each storm that did not take place or end as planned, and each control that did not pass."""
    controls = zip(report.controls, control_words(report), strict=True)
    return [
        *(f"Error: {words}" for control, words in controls if control.result is not Result.PASSED),
        *(f"Error: {storm.scenario}: {storm.ending}" for storm in stopped(report)),
        *([f"Error: {report.unwritten}"] if report.unwritten is not None else []),
    ]


def _last_lines(report: Report, *, quiet: bool) -> Text:
    text = Text()
    text.append(report.result.upper(), STYLES[report.result])
    text.append(f"  {report.folder}" if report.folder else "")
    if not quiet and report.until_broken is not None:
        text = Text.assemble(_until_broken(report, report.until_broken), "\n", text)
    if not quiet and report.unwritten is not None:
        text.append(f"\n{report.unwritten}", "yellow")
    text.append_text(_why(report, quiet=quiet))
    if not quiet:
        text.append(f"\nagain  {report.command}", "dim")
    return text


def _why(report: Report, *, quiet: bool) -> Text:
    """Name the storms that decided the result, where there are several, or nothing else is printed."""
    judged = [storm for storm in report.decisive if storm.ending is None]  # of others, `complaints` says it
    text, deciding = Text(), [storm for storm in judged if storm.result is report.result and why_words(storm)]
    if quiet or (len(report.decisive) > 1 and not _is_summed_up(report)):
        for storm in deciding[:_STORMS_NAMED]:
            text.append(f"\n{MARKS[storm.result]} {storm.scenario} on {storm.target['name']}: {why_words(storm)}")
        if len(deciding) > _STORMS_NAMED:
            text.append(f"\n  and {len(deciding) - _STORMS_NAMED:,} more")
    return text


def _is_summed_up(report: Report) -> bool:
    """Whether there are so many storms that a table says what became of each. A matrix is a table itself."""
    return (
        report.matrix is None
        and len(report.decisive) >= _SUMMED_UP
        and all(storm.explored is None for storm in report.decisive)
    )


def _worth_a_screen(report: Report) -> Iterable[StormReport]:
    """Return the storms with a screen of their own: of many, those that did not come out as claimed."""
    wrong = (Result.FAILED, Result.INCONCLUSIVE)
    return [storm for storm in report.decisive if storm.result in wrong or not _is_summed_up(report)]


def _summary(storms: Iterable[StormReport]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "scenario", "target", "rows/s", "why"):
        table.add_column(name, overflow="fold", justify="right" if name == "rows/s" else "left")
    for storm in storms:
        rate = f"{storm.operations['per_second']:,.0f}" if "per_second" in storm.operations else ""
        failing = failing_words(storm.operations) if storm.operations else ""
        why = (storm.ending or "").partition("\n")[0] or why_words(storm) or failing
        broken = [name for name, one in storm.verdicts.items() if one.status is Status.BROKEN]
        mark, style = look_of(storm.result, Status.BROKEN if broken else None)
        if storm.result is Result.PASSED:
            lawful = [f"{', '.join(broken)} broken, as claimed or as it may"] if broken else []
            why = "; ".join([*lawful, *filter(None, [failing]), *storm.notes])
        table.add_row(Text(mark, style), storm.scenario, str(storm.target["name"]), rate, Text(why))
    return Group(table, Text())


def _until_broken(report: Report, until: UntilBroken) -> Text:
    seconds = "" if until.seconds is None else f"{until.seconds:g} s"
    broke = next((storm for storm in report.storms if storm.storm == until.storm), None)
    if broke is None:
        times = max((len(repeats.repetitions) for repeats in report.repeats), default=0)
        return Text(
            ", ".join(filter(None, [f"nothing broke in {_count(times, 'repetition', 'repetitions')}", seconds]))
        )
    where = f"in repetition {until.repetition} of {broke.scenario} on {broke.target['name']}: {', '.join(until.checks)}"
    return Text(f"broken {where}{seconds and f', after {seconds}'}")


def _storm(storm: StormReport, *, verbose: bool) -> RenderableType:
    parts: list[RenderableType] = [_headline(storm)]
    if storm.ending is None and (why := why_words(storm)):
        parts.append(Text(why, "bold"))
    if words := failing_words(storm.operations):
        parts.append(Text(words, "bold yellow"))
    if storm.explored is not None and not storm.operations:
        parts.append(Text(exploration_words(storm.explored), "dim"))
    elif storm.fleet:
        parts.append(Text(_fleet(storm), "dim"))
    if storm.ending is not None:
        parts.append(Text(storm.ending, "yellow"))
    parts += [Text(note, "yellow") for note in storm.notes]
    if storm.verdicts:
        parts.append(Padding(_verdicts(storm.verdicts, verbose=verbose), (1, 0)))
    if account := list(_account(storm, verbose=verbose)):
        parts.append(_labelled(account))
    if storm.explored is not None:
        parts += [Text(exploration_words(storm.explored), "dim")] if storm.operations else []
        parts += schedule_tables(storm.explored)
    return Group(*parts, Text())


def _labelled(lines: Iterable[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=10)
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(Text(label, text.style), text)
    return table


def _account(storm: StormReport, *, verbose: bool) -> Iterator[tuple[str, Text]]:
    """Yield what a storm did besides its verdicts, each with its label."""
    if storm.operations:
        yield from _operations(storm.operations)
        yield from _gaps(storm.verdicts.get("gapless"))
        yield from (("gate", Text(gate_words(gate), STYLES[gate.result])) for gate in storm.gates)
    if storm.explored is None and (words := explore_words(storm)):
        yield "next", Text(words, "dim")
    if verbose and (facts := storm.target.get("facts")):
        yield "facts", Text(", ".join(f"{name}={value}" for name, value in facts.items()), "dim")


def _headline(storm: StormReport) -> Text:
    text = Text()
    text.append(f"{storm.scenario}", "bold")
    text.append(f" on {target_words(storm)}")
    text.append(f"  {storm.result.upper()}", STYLES[storm.result])
    return text


def _fleet(storm: StormReport) -> str:
    fleet = storm.fleet
    parts = [
        _count(fleet["processes"], "process", "processes"),
        _count(fleet["clients"], "client", "clients"),
        _count(fleet["batch"], "row an operation", "rows an operation"),
        f"seed {fleet['seed']}",
    ]
    if isinstance(storm, Repeats):
        parts.append(_count(len(storm.repetitions), "repetition", "repetitions"))
    if fleet.get("isolation"):
        parts.append(fleet["isolation"])
    parts += [f"{name}={value}" for name, value in fleet["settings"].items()]
    return " · ".join(parts)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _verdicts(verdicts: Mapping[str, Verdict], *, verbose: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    told = dict(sorted(verdicts.items(), key=lambda one: _FIRST.index(one[1].result)))
    quiet = {} if verbose else {name: verdict for name, verdict in told.items() if _is_no_news(name, verdict)}
    for name, verdict in (told if quiet else verdicts).items():
        if name in quiet:
            continue
        mark, style = look_of(verdict.result, verdict.status)
        table.add_row(Text(mark, style), name, Text(_status(verdict), style), _details(name, verdict))
        if verdict.status is Status.BROKEN:
            for witness in verdict.witnesses[: _SHOWN_VERBOSE if verbose else _SHOWN]:
                table.add_row("", "", "", Text(witness_words(witness), "dim"))
    for result, words in ((Result.PASSED, "held"), (Result.NA, "n/a")):
        if names := [name for name, verdict in quiet.items() if verdict.result is result]:
            table.add_row(Text(MARKS[result], STYLES[result]), words, "", Text(", ".join(names), STYLES[result]))
    return table


def _is_no_news(name: str, verdict: Verdict) -> bool:
    """Whether a check only held, or means nothing here, as most do."""
    held = verdict.status is Status.HELD and verdict.result is Result.PASSED
    return (held and name not in _ALWAYS) or verdict.result is Result.NA


def _status(verdict: Verdict) -> str:
    """The status, and the claim where the two differ."""
    expected = {"holds": Status.HELD, "breaks": Status.BROKEN}.get(verdict.claim)
    if verdict.claim == "breaks" and verdict.status is expected:
        return "broken, as claimed"
    if verdict.claim == "may_break" and verdict.status is Status.BROKEN:
        return "broken, as it may"
    return str(verdict.status)


def _details(name: str, verdict: Verdict) -> Text:
    text = Text(figure_words(name, verdict))
    if verdict.reason:
        text.append(("; " if len(text) else "") + verdict.reason, "yellow" if verdict.result != Result.NA else "dim")
    elif verdict.status is Status.BROKEN and verdict.why:
        text.append(f"; {verdict.why}", "dim")
    return text


def _operations(operations: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    yield (
        "operations",
        Text(
            f"{operations['attempted']:,} rows attempted, {operations['acknowledged']:,} acknowledged, "
            f"{operations['failed']:,} failed ({operations['rolled_back']:,} rolled back on purpose), "
            f"{operations['unknown']:,} unknown"
        ),
    )
    latency = ", ".join(f"{name} {value:g} ms" for name, value in operations["latency_ms"].items())
    rate = f"{operations['per_second']:,.0f} rows/s over {operations['seconds']:.1f} s"
    yield "rate", Text(f"{rate}; latency {latency}")
    kinds = [f"{count:,} × {code}" for code, count in operations["errors"]["by_code"].items()]
    more = [f"and {len(kinds) - _ERRORS_SHOWN} more kinds"] if len(kinds) > _ERRORS_SHOWN else []
    if kinds:
        yield "errors", Text("\n".join([*kinds[:_ERRORS_SHOWN], *more]), "yellow")


def _gaps(verdict: Verdict | None) -> Iterator[tuple[str, Text]]:
    if verdict is None or not verdict.figures.get("missing"):
        return
    figures = verdict.figures
    charged = ", ".join(f"{number:,} {cause.replace('_', ' ')}" for cause, number in figures["ledger"].items())
    words = (
        f"{figures['missing']:,} ids missing in {figures['gaps']:,} gaps, "
        f"{figures['ratio']:.2%} of the range, the largest {figures['largest']:,}: {charged}"
    )
    yield "gaps", Text(words)
