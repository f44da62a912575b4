"""GitHub: an annotation for each kind of finding, and no more of a summary than it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Report
from idstorm.report.github import cut, workflow_commands
from idstorm.report.markdown import pieces
from judged import BROKEN, HELD, NA, UNKNOWN, report, storm, verdict
from report.worlds import REPORTS

TRIPPED = GateVerdict("gapless.ratio > 0.05", 0.2, Result.FAILED)
LONG = report(*(storm(f"mine:{number}", faithful=BROKEN) for number in range(100)))


def read(line: str) -> tuple[str, str, str]:
    """Return level, title and message as GitHub's runner reads a command."""
    command, _, message = line.removeprefix("::").partition("::")
    level, _, properties = command.partition(" ")
    title = properties.removeprefix("title=")
    assert line.startswith("::")
    assert properties.startswith("title=")
    assert not set(title + command) & set("\r\n,:")
    assert not set(message) & set("\r\n")
    for escaped, meant in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
        title = title.replace(escaped, meant)
        message = message.replace(escaped, meant) if meant not in ":," else message
    return level, title, message


def test_a_run_that_passed_is_not_annotated() -> None:
    assert workflow_commands(report(storm(unique=HELD, visible=NA))) == []


def test_a_kind_of_finding_is_told_once_with_the_storms_that_have_it() -> None:
    failed = [storm(f"mine:{number}", faithful=BROKEN, durable=UNKNOWN) for number in range(7)]
    error, warning = map(read, workflow_commands(report(*failed, storm("uuid4", faithful=HELD))))
    assert error == (
        "error",
        "idstorm: faithful failed",
        "faithful (the id told is the id of that row) failed in 7 of 8 storms\n"
        + "".join(
            f"mine:{number} on sqlite 3.40.1 (pysqlite): broken: misattributed 2; told 105, stored 104, client 0\n"
            for number in range(5)
        )
        + "and 2 more\nagain: idstorm run autoincrement --seed 7",
    )
    assert warning[:2] == ("warning", "idstorm: durable is inconclusive")
    assert "unknown: the census could not be read" in warning[2]


def test_what_failed_comes_before_what_is_inconclusive() -> None:
    commands = workflow_commands(report(storm(unique=UNKNOWN, durable=UNKNOWN, faithful=BROKEN, gates=(TRIPPED,))))
    assert [read(line)[:2] for line in commands] == [
        ("error", "idstorm: faithful failed"),
        ("error", "idstorm: gapless.ratio > 0.05 failed"),
        ("warning", "idstorm: unique is inconclusive"),
        ("warning", "idstorm: durable is inconclusive"),
    ]


def test_storms_that_did_not_start_are_a_warning() -> None:
    stopped = storm("mine", ending="not started: out of reach")
    assert [read(line) for line in workflow_commands(report(storm(unique=HELD), stopped))] == [
        (
            "warning",
            "idstorm: ending is inconclusive",
            "ending (the storm ended as planned) is inconclusive in 1 of 2 storms\n"
            "mine on sqlite 3.40.1 (pysqlite): not started: out of reach\nagain: idstorm run autoincrement --seed 7",
        )
    ]


@pytest.mark.parametrize("text", ["100%", "%0A", "a\r\nb", "::error::x", "a: b, c"])
def test_what_a_command_is_made_of_is_escaped(text: str) -> None:
    (line,) = workflow_commands(report(storm(text, faithful=verdict(Status.BROKEN, witnesses=({"told": text},)))))
    assert read(line)[2].splitlines()[1:-1] == f"{text} on sqlite 3.40.1 (pysqlite): broken; told {text}".splitlines()


@given(REPORTS)
def test_each_finding_is_told_at_most_once(made_up: Report) -> None:
    commands = [read(line) for line in workflow_commands(made_up)]
    assert len({(level, title) for level, title, _ in commands}) == len(commands)
    assert any(level == "error" for level, _, _ in commands) == (made_up.result is Result.FAILED)
    assert bool(commands) == (made_up.exit_code != 0)


def test_what_fits_is_left_as_it_is() -> None:
    whole = "".join(pieces(LONG))
    assert cut(list(pieces(LONG)), len(whole.encode())) == whole


def test_what_does_not_fit_is_left_out_in_whole_sections_and_counted() -> None:
    shown = cut(list(pieces(LONG)), 20_000)
    kept = shown.count("\n### ")
    assert 15_000 < len(shown.encode()) <= 20_000
    assert 0 < kept < 100
    assert shown.count("```") == 2 + 2 * kept
    assert f"Lines of the table left out: 0; sections on what went wrong left out: {100 - kept}." in shown


def test_a_table_that_does_not_fit_ends_with_a_row() -> None:
    shown = cut(list(pieces(LONG)), 2_000)
    table, _, said = shown.partition("\n\n_GitHub")
    rows = table.count("| `mine:")
    assert 0 < rows < 100
    assert table.endswith("| ✗ broken |")
    assert f"Lines of the table left out: {100 - rows}; sections on what went wrong left out: 100." in said


@given(REPORTS, st.integers(-10, 3_000))
def test_a_summary_never_takes_more_than_there_is_room_for(made_up: Report, room: int) -> None:
    shown = cut(list(pieces(made_up)), room)
    assert len(shown.encode()) <= max(0, room)
