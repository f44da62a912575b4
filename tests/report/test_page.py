"""The page of a report: one file that asks for nothing, with a picture of each kind and every verdict in words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings

from idstorm.findings.verdict import Report
from idstorm.report.page.page import page
from judged import report, storm
from report.worlds import REPORTS
from running import STRANGERS_IDS, Idstorm


class Seen(HTMLParser):
    """What a page has: its tags, the addresses that it names, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.addresses, self.open, self.text = list[str](), list[str](), list[str](), ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attributes if name in ("src", "href", "data", "action")]
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def written(idstorm: Idstorm, *words: str) -> tuple[int, str, Seen]:
    ran = idstorm(*words, "--html", "page.html")
    text = (idstorm.folder / "page.html").read_text()
    return ran.code, text, Seen(text)


def asks_for_nothing(text: str, seen: Seen) -> bool:
    return all(one.startswith("#") for one in seen.addresses) and not re.search(r"url\(|@import|https?://", text)


def test_a_failed_run_is_one_file_with_its_pictures(idstorm: Idstorm) -> None:
    code, text, seen = written(idstorm, "run", idstorm.write("mine.py", STRANGERS_IDS), "-n", "400")
    assert (code, asks_for_nothing(text, seen)) == (1, True)
    assert {"script", "link", "img", "iframe"} & set(seen.tags) == set()
    assert seen.tags.count("svg") == 4
    assert 'class="bar culprit"' in text
    for words in ("FAILED", "faithful is broken", "A witness", "Ids over time", "Rate", "Latency"):
        assert words in seen.text
    assert len(text) < 500_000
    judged_again = written(idstorm, "check", str(idstorm.run_folder))
    assert judged_again[:2] == (code, text)


def test_an_exploration_has_its_schedule(idstorm: Idstorm) -> None:
    _, text, seen = written(idstorm, "explore", "max_plus_one:max_plus_one")
    assert asks_for_nothing(text, seen)
    assert "broken by schedule 2, with 1 preemption (ABBBAA)" in seen.text
    assert seen.text.count("INSERT INTO invoice") == 2


def test_a_matrix_has_its_table(idstorm: Idstorm) -> None:
    _, text, seen = written(idstorm, "matrix", "--scenario", "autoincrement", "--on", "sqlite", "-n", "400")
    assert asks_for_nothing(text, seen)
    assert "autoincrement" in seen.text


def test_several_runs_have_no_page(idstorm: Idstorm, tmp_path: Path) -> None:
    for _ in range(2):
        idstorm("run", "autoincrement", "-n", "40", "-q")
    runs = [str(path) for path in (idstorm.folder / "results").iterdir() if path.is_dir()]
    ran = idstorm("check", *runs, "--html", "page.html")
    assert (ran.code, "--html is the page of one run" in ran.err) == (2, True), ran.err


def test_names_are_escaped() -> None:
    name = "<script>alert(1)</script>"
    text = page(report(storm(name, "sqlite"), command=name), {})
    assert ("<script>" in text, text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2) == (False, True)


@settings(deadline=None)
@given(REPORTS)
def test_whatever_a_report_holds_is_text(made: Report) -> None:
    text = page(made, {})
    seen = Seen(text)
    assert asks_for_nothing(text.replace(made.command, ""), seen) or "http" in str(made)
    assert {"script", "img", "iframe"} & set(seen.tags) == set()
    assert str(made.result).upper() in seen.text
