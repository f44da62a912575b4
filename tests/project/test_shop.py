"""The example of docs/pytest.md: the shop passes its gate, and with one real race in it, it does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from servers import database
from suites import QUICKLY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pytest.md").read_text()

pytestmark = pytest.mark.thorough


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.release)])
def environ(request: pytest.FixtureRequest) -> Iterator[Mapping[str, str]]:
    """Where the shop keeps its orders: a file of its own, or a schema of its own."""
    on = database("postgresql")
    if request.param == "sqlite":
        yield on.environ
        return
    assert on.url is not None
    with on.engine().connect() as connection:
        connection.execute(sa.schema.CreateSchema("shop"))
        url = on.url.update_query_dict({"options": "-csearch_path=shop"})
        yield {**on.environ, "SHOP_URL": url.render_as_string(hide_password=False)}
        connection.execute(sa.schema.DropSchema("shop", cascade=True))


def visit(folder: Path, environ: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the shop's own tests, in a copy of it."""
    shutil.copytree(ROOT / "examples" / "shop", folder / "shop", ignore=shutil.ignore_patterns("*.db", "__pycache__"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SHOP_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "4", *QUICKLY, f"--basetemp={folder / 'base'}", *words],
        cwd=folder / "shop",
        env={**kept, **environ},
        capture_output=True,
        text=True,
    )


def storms(out: str) -> dict[str, Any]:
    (folder,) = set(re.findall(r"(/\S+/runs/[\w-]+)", out))
    return {storm["scenario"]: storm for storm in json.loads((Path(folder) / "report.json").read_text())["storms"]}


def test_the_shop_passes_its_gate(tmp_path: Path, environ: Mapping[str, str]) -> None:
    words = [] if "SHOP_URL" in environ else ["tests/test_checkout.py"]
    ran = visit(tmp_path, environ, *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {name: storm["result"] for name, storm in storms(ran.stdout).items()} == {
        "Order": "passed",
        "Order.number": "passed",
    }


def test_a_shop_that_numbers_by_the_maximum_falls_and_the_race_is_named(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    ran = visit(tmp_path, {**environ, "SHOP_NUMBERS": "max"}, "tests/test_checkout.py")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "30 passed" in ran.stdout
    assert re.search(r"Order\.number on .*FAILED", ran.stdout)
    assert re.search(r"unique +broken +duplicated \d+", ran.stdout)
    found = storms(ran.stdout)
    assert found["Order"]["result"] == "passed"
    assert {name for name, verdict in found["Order.number"]["verdicts"].items() if verdict["result"] == "failed"} == {
        "unique"
    }


def test_the_page_shows_the_shop_as_it_is() -> None:
    files = "\n".join(path.read_text() for path in (ROOT / "examples/shop").rglob("*.py"))
    shown = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(shown) == 2
    for line in "".join(shown).splitlines():
        assert re.sub(r" +#.*", "", line) in files
    assert "pytest -n 4" in PAGE
    assert "SHOP_NUMBERS=max pytest -n 4 tests/test_checkout.py" in PAGE
