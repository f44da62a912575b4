"""The summary in Markdown: a table, and what went wrong; whatever a user's text holds, it stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from markdown_it import MarkdownIt
from markdown_it.token import Token

from idstorm.findings.gate import GateVerdict
from idstorm.findings.matrix import Cell, Line, Matrix
from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import Report
from idstorm.report.markdown import markdown
from idstorm.report.matrix_table import matrix_markdown
from idstorm.report.text import target_words, visible
from judged import BROKEN, HELD, NA, UNKNOWN, report, storm, verdict
from report.worlds import REPORTS, TEXTS

TRIPPED = GateVerdict("gapless.ratio > 0.05", 0.2, Result.FAILED)


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def table(text: str) -> list[list[str]]:
    """Return the cells of the table as a reader sees them. Fails where one holds more than text and code."""
    rows: list[list[str]] = []
    for token in parsed(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level == 4:
            assert {child.type for child in token.children or ()} <= {"text", "text_special", "code_inline"}
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def in_a_line(text: str) -> str:
    return " ".join(visible(text).split())


def test_the_table_shows_each_storm_with_the_status_of_each_check() -> None:
    passed = storm("uuid4", unique=HELD, faithful=HELD, visible=NA)
    failed = storm("mine", unique=verdict(Status.BROKEN, Stance.BREAKS), faithful=BROKEN, gates=(TRIPPED,))
    elsewhere = storm("identity", ending="not applicable: sqlite has no identity")
    assert table(markdown(report(passed, failed, elsewhere))) == [
        ["scenario", "target", "result", "unique", "faithful", "visible", "gapless.ratio > 0.05"],
        ["uuid4", "sqlite 3.40.1 (pysqlite)", "✓ passed", "✓ held", "✓ held", "–", ""],
        ["mine", "sqlite 3.40.1 (pysqlite)", "✗ failed", "~ broken", "✗ broken", "", "✗ 0.2"],
        ["identity", "sqlite 3.40.1 (pysqlite)", "– not applicable: sqlite has no identity", "", "", "", ""],
    ]


def test_a_run_that_passed_says_so_and_how_to_repeat_it() -> None:
    lines = markdown(report(storm(unique=HELD))).splitlines()
    assert lines[0] == "## idstorm: PASSED"
    assert "The run is `20261124-054226-fb17`, and again:" in lines
    assert "idstorm run autoincrement --seed 7" in lines
    assert not any(line.startswith("###") for line in lines)


def test_what_failed_or_is_inconclusive_has_its_reason_and_first_witnesses() -> None:
    many = verdict(Status.BROKEN, witnesses=tuple({"id": number} for number in range(1, 6)))
    shown = markdown(report(storm("mine", unique=many, durable=UNKNOWN, faithful=HELD, gates=(TRIPPED,))))
    _, _, section = shown.partition("### ✗ `mine` on sqlite 3.40.1 (pysqlite)\n\n")
    assert section.splitlines() == [
        "```text",
        "✗ unique: no id was told to two rows",
        "  broken (claim: holds)",
        "  id 1",
        "  id 2",
        "  id 3",
        "  more witnesses: 2",
        "",
        "? durable: every acknowledged row is there, once",
        "  unknown (claim: holds)",
        "  the census could not be read: out of reach",
        "",
        "✗ gapless.ratio > 0.05: a limit that the run keeps to",
        "  gapless.ratio > 0.05 fails the run: it is 0.2",
        "```",
    ]


def test_a_storm_that_came_to_nothing_says_why() -> None:
    shown = markdown(report(storm("mine", ending="at fault: no such table\nTraceback (your code)")))
    assert "### ? `mine` on" in shown
    assert "  at fault: no such table\n  Traceback (your code)\n" in shown


@pytest.mark.parametrize(
    "text", ["a|b", "a\n| b |", "<b>x</b>", "`x`", "``", "*x* _y_ ~~z~~", "__x__", "[x](y)", "&lt;", "a\\|b"]
)
def test_markup_in_a_users_text_is_text(text: str) -> None:
    shown = table(markdown(report(storm(text, text, unique=HELD), storm(ending=f"not applicable: {text}"))))
    assert shown[1][0] == in_a_line(text)
    assert shown[2][2] == f"– not applicable: {text.splitlines()[0]}"


def test_a_reason_and_a_command_do_not_end_the_block_that_they_stand_in() -> None:
    unknown = verdict(Status.UNKNOWN, reason="```\n# out\n````")
    shown = markdown(report(storm(unique=unknown), command="idstorm run '```\n# out'"))
    command, section = (token.content for token in parsed(shown) if token.type == "fence")
    assert command == "idstorm run '```\n# out'\n"
    assert section.endswith("  ```\n  # out\n  ````\n")


@given(REPORTS)
def test_whatever_is_in_a_report_the_summary_keeps_its_form(made_up: Report) -> None:
    text = markdown(made_up)
    head, *rows = table(text)
    assert [in_a_line(row[0]) for row in rows] == [in_a_line(each.scenario) for each in made_up.storms]
    assert [in_a_line(row[1]) for row in rows] == [in_a_line(target_words(each)) for each in made_up.storms]
    assert {len(row) for row in rows} == {len(head)}
    sections = [token for token in parsed(text) if token.type == "heading_open" and token.tag == "h3"]
    fences = [token for token in parsed(text) if token.type == "fence"]
    assert len(sections) == len(fences) - 1 <= len(made_up.storms)
    assert bool(sections) == (made_up.exit_code != 0)


@given(TEXTS)
def test_a_matrix_keeps_its_form_whatever_was_seen(text: str) -> None:
    cell = Cell(Stance.BREAKS, Status.BROKEN, Result.PASSED, text)
    shown = table(matrix_markdown(Matrix((text,), (Line(text, "unique", (cell,)),))))
    assert [[in_a_line(cell) for cell in row] for row in shown] == [
        ["scenario", "checks", in_a_line(text)],
        [in_a_line(text), "unique", in_a_line(f"breaks ~ {text}")],
    ]
