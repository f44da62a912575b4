"""`make page`: the pages in a real browser, with the network cut off: a picture of each kind, no error, no request.

The browser is Chromium, from `CHROMIUM` or the path; without one, the tests are skipped. What each page looks
like is left in `build/pages`, to be looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from running import STRANGERS_IDS, Idstorm

SHOWN = Path(__file__).parents[1] / "build" / "pages"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

Scheme = Literal["light", "dark"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: name one by CHROMIUM")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a network."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of three runs, an exploration, a matrix, a comparison and a trend."""
    idstorm = Idstorm(tmp_path_factory.mktemp("pages"), patience=300)
    mine = idstorm.write("mine.py", STRANGERS_IDS)
    assert idstorm("run", mine, "-n", "600", "--html", "failed.html").code == 1
    assert idstorm("run", "outbox:gap_aware", "-n", "600", "--html", "passed.html").code == 0
    assert idstorm("run", "delete_reuse:autoincrement_keyword", "-n", "600", "--html", "deleted.html").code == 0
    assert idstorm("explore", "max_plus_one:max_plus_one", "--html", "explored.html").code == 0
    words = ("--scenario", "autoincrement", "--scenario", "max_plus_one:max_plus_one", "--on", "sqlite", "-n", "600")
    assert idstorm("matrix", *words, "--no-control", "--html", "matrix.html").code == 0
    runs = sorted(str(path) for path in (idstorm.folder / "results").iterdir() if path.is_dir())
    assert idstorm("compare", runs[0], runs[0], "--html", "compared.html").code == 0
    assert idstorm("trend", "--html", "trend.html").code == 0
    return idstorm.folder


MARKS = {
    "failed": {"rect.culprit": 1, "circle.culprit": 1, "rect.heat": 5, "rect.ok": 5, "line.p99": 1},
    "passed": {"rect.heat": 5, "rect.ok": 5, "line.median": 10, "svg[aria-label^=Share]": 1},
    "deleted": {"rect.cause-0": 5},
    "explored": {"table.schedule": 1},
    "matrix": {"table.matrix tr.line": 2, "fieldset.choice": 2},
    "compared": {".sides svg": 6},
    "trend": {"svg.curve": 3, "polyline.curve": 3},
}
"""Of each page, how many of some marks it has at least."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", MARKS)
def test_a_page_has_its_pictures_and_asks_for_nothing(
    browser: Browser, folder: Path, name: str, scheme: Scheme
) -> None:
    context = browser.new_context(offline=True, color_scheme=scheme)
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / f"{name}.html").as_uri())
    SHOWN.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOWN / f"{name}-{scheme}.png", full_page=True)
    assert (said, asked) == ([], [(folder / f"{name}.html").as_uri()])
    short = {
        mark: page.locator(mark).count() for mark, least in MARKS[name].items() if page.locator(mark).count() < least
    }
    assert short == {}
    assert _wider_than_the_window(page) is False
    context.close()


def _wider_than_the_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def test_verdicts_are_reached_by_headings_and_pictures_have_names(browser: Browser, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "failed.html").as_uri())
    assert page.get_by_role("heading", name="FAILED").count() >= 2
    assert page.get_by_role("row", name="faithful").count() >= 1
    pictures = page.get_by_role("img")
    assert [pictures.nth(one).get_attribute("aria-label") for one in range(pictures.count())].count(None) == 0


def test_a_matrix_is_narrowed_by_the_keyboard(browser: Browser, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "matrix.html").as_uri())
    lines = page.locator("table.matrix tr.line:visible")
    everything = lines.count()
    page.locator("#show-everything").focus()
    for _ in range(3):  # past what failed, and what could not be judged
        page.keyboard.press("ArrowDown")
    assert page.locator("#show-lawful").is_checked()
    assert 0 < lines.count() < everything
    assert "max_plus_one" in lines.first.inner_text()
