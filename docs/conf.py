"""How Sphinx makes the site of these pages: `make docs`.

The pages on every scenario and on every figure are made from the code, each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from idstorm import __version__, catalogue
from idstorm.catalogue import Found, Missing
from idstorm.findings.checks import CHECKS
from idstorm.report.essay import Claims, essay

HERE = Path(__file__).parent
MADE = HERE / "made"

project, author, release = "idstorm", "The idstorm developers", __version__
copyright = author  # noqa: A001  # Sphinx's name for it
extensions = ["myst_parser"]
html_theme, html_title = "furo", "idstorm"
exclude_patterns = ["*.py", "schemas"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository, which tests/project follows


def scenarios() -> Iterator[str]:
    """Yield the page on the catalogue: the essay of each file, with what its scenarios claim."""
    yield "# Every scenario\n\nMade from the files of `scenarios/`, each of which opens with its essay.\n"
    for name, group in groupby(catalogue.all_scenarios(), key=lambda one: one.name.partition(":")[0]):
        shown = [_shown(one) for one in group]
        yield f"\n## {name}\n\n```text\n" + essay(shown) + "\n```\n"


def _shown(one: Found | Missing) -> tuple[str, str, str, Sequence[Claims]]:
    if isinstance(one, Missing):
        return one.name, f"{one.essay}\n\n({one.reason})", "", ()
    return one.name, one.essay, one.summary, one.scenario.claims


def figures() -> Iterator[str]:
    """Yield the page on the checks: what each means, and its figures with their units."""
    yield "# Every check and its figures\n\nA `--fail-if` can limit each figure that is a number.\n"
    for check in CHECKS.values():
        yield f"\n## {check.name}\n\nHolds when {check.meaning}.\n"
        if check.figures:
            yield "\n| figure | unit |\n| --- | --- |\n"
            yield from (f"| `{check.name}.{name}` | {figure.unit} |\n" for name, figure in check.figures.items())


MADE.mkdir(exist_ok=True)
for _name, _page in {"scenarios": scenarios, "figures": figures}.items():
    (MADE / f"{_name}.md").write_text("".join(_page()), encoding="utf-8")
