"""The findings of docs/findings/ are what the databases do: each script is run where its page says that it was seen."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from idstorm.databases.registry import DATABASES
from servers import database

FOLDER = Path(__file__).parents[2] / "docs" / "findings"
PAGES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.md")) if path.stem != "index"}
CASES = [
    (page, dialect)
    for page, text in PAGES.items()
    for seen in re.findall(r"^Seen on: (.*)\.$", text, re.MULTILINE)
    for dialect in re.findall(r"[a-z]+", seen)
]

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize(("page", "dialect"), CASES)
def test_a_finding_is_still_to_be_seen(page: str, dialect: str, tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGES[page], re.DOTALL)
    (tmp_path / "finding.py").write_text(script)
    on = database(dialect)
    known = DATABASES[dialect]
    if on.url is None:
        ran = _run(tmp_path, f"sqlite:///{tmp_path / 'finding.db'}")
    else:
        with known.namespace(on.url, f"finding_{page.replace('-', '_')}") as url:
            ran = _run(tmp_path, url.render_as_string(hide_password=False))
    assert ran.returncode == 0, ran.stderr


def _run(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "finding.py", url]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_every_page_is_listed() -> None:
    listed = re.findall(r"\((\S+)\.md\)", (FOLDER / "index.md").read_text())
    assert sorted(listed) == list(PAGES)
