"""The README and the pages of docs/ tell the truth: their commands run, their tables are those of the code."""

from __future__ import annotations

import re
import shlex
from glob import glob
from pathlib import Path

import pytest

from audit.planted import CLEAN, made
from idstorm.extensions import DIALECTS
from idstorm.findings.audit import KINDS
from idstorm.findings.checks import CHECKS
from idstorm.findings.results import EXIT_CODES
from running import Idstorm
from servers import SERVERS, On, database

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BLOCKS = [
    re.sub(r" +#.*", "", block).splitlines()
    for page in PAGES.values()
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
]
TOGETHER = [
    commands
    for block in BLOCKS
    if block[0].startswith("idstorm")
    for commands in ([block] if any("results/" in command for command in block) else [[command] for command in block])
]
"""Commands that are to be run one after another: those of a block, where one of them needs the results of another."""
CI, STORMING = PAGES[ROOT / "docs/ci.md"], PAGES[ROOT / "docs/storming.md"]
(PROFILES,) = re.findall(r"```toml\n(.*?)```", CI, re.DOTALL)
CODES = {"idstorm run max_plus_one --set begin=immediate": 3, "idstorm run examples/order_numbers.py": 1}
"""Of commands that are shown for what they do not pass: how they begin, and their exit code."""
FEWER = ["--scenario", "sequence_start", "--on", "sqlite"]
"""Added to the command that makes the matrix: the whole of it is stormed by the tests of the catalogue's claims."""

pytestmark = pytest.mark.thorough


def shop(idstorm: Idstorm) -> None:
    """Make the database of the page on audits, and the report of an earlier audit."""
    with made(On("sqlite"), CLEAN["sqlite"], idstorm.folder):
        (idstorm.folder / "app.db").rename(idstorm.folder / "shop.db")
        assert idstorm("audit", "--on", "sqlite:///shop.db", "--json", "today.json").code == 0


@pytest.mark.parametrize("block", TOGETHER, ids=lambda b: b[0][8:48])
def test_every_command_does_what_it_is_shown_for(idstorm: Idstorm, block: list[str]) -> None:
    (idstorm.folder / "examples").symlink_to(ROOT / "examples")
    idstorm.write("pyproject.toml", PROFILES)
    words = [*" ".join(block).split(), *(re.findall(r"\w+", PROFILES) if "--profile" in block[0] else [])]
    environ = {name: url for dialect in SERVERS if dialect in words for name, url in database(dialect).environ.items()}
    if "sqlite:///shop.db" in words:
        shop(idstorm)
    for command in block:
        program, *words = shlex.split(command)
        assert program == "idstorm"
        words += FEWER if words[0] == "matrix" else []
        paths = (path for word in words for path in (glob(str(idstorm.folder / word)) if "*" in word else [word]))
        briefly = {"IDSTORM_INSERTS": "600"} if words[0] == "run" and not {"-n", "-T", "--profile"} & set(words) else {}
        ran = idstorm(*paths, **environ, **briefly)
        code = next((code for begins, code in CODES.items() if command.startswith(begins)), 0)
        assert ran.code == code, f"{command}\n{ran.out}{ran.err}"


def test_docker_is_asked_for_what_the_compose_file_has() -> None:
    assert ["docker compose up -d --wait"] in BLOCKS
    assert (ROOT / "docker-compose.yml").is_file()


def test_every_file_that_is_linked_to_is_there() -> None:
    linked = {
        (page.parent / path).resolve()
        for page, text in PAGES.items()
        for path in re.findall(r"\]\(([^)#]+)\)", text)
        if "://" not in path
    }
    assert {ROOT / "examples/github-actions.yml", ROOT / "docs/extending.md"} <= linked
    assert all(path.exists() for path in linked)


def test_every_make_target_that_is_shown_is_there() -> None:
    shown = {command.split()[1] for block in BLOCKS for command in block if command.startswith("make")}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"storm", "test"} <= shown <= targets


def test_the_exit_codes_are_those_of_the_code() -> None:
    for code, meaning in EXIT_CODES.items():
        assert f"| {int(code)} | {meaning} |" in CI


def test_every_check_is_described() -> None:
    for page in (README, PAGES[ROOT / "docs/checks.md"]):
        assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(CHECKS)


def test_the_readme_is_a_front_door() -> None:
    assert len(README.splitlines()) <= 160


def test_every_page_is_reached_from_the_readme() -> None:
    assert {path.name for path in PAGES} - {"README.md"} <= set(re.findall(r"docs/(\w+\.md)", README))


def test_every_dialect_is_spoken_of() -> None:
    assert all(dialect in README.lower() for dialect in DIALECTS)


def test_every_kind_of_finding_of_an_audit_is_described() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGES[ROOT / "docs/audit.md"], re.MULTILINE)
    assert rows == [(kind.name, str(kind.severity)) for kind in KINDS.values()]


def test_the_check_that_is_shown_is_the_one_in_the_examples() -> None:
    (shown,) = re.findall(r"```python\n(@check.*?)```", PAGES[ROOT / "docs/extending.md"], re.DOTALL)
    assert shown in (ROOT / "examples/own_check.py").read_text()


def test_the_scenario_that_is_shown_is_the_one_in_the_examples() -> None:
    shown = next(
        block for block in re.findall(r"```python\n(.*?)```", STORMING, re.DOTALL) if "Scenario(model=" in block
    )
    lines = [re.sub(r" +#.*", "", line) for line in shown.splitlines() if line]
    assert lines == [line for line in (ROOT / "examples/invoices.py").read_text().splitlines() if line]


def test_the_architecture_has_the_layers_that_are_checked() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    (section,) = re.findall(r"^## The layers\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    shown = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in section.splitlines() if row.startswith("| `")]
    (contract,) = re.findall(r'type = "layers".*?layers = \[(.*?)\]', (ROOT / "pyproject.toml").read_text(), re.DOTALL)
    assert shown == [re.findall(r"\w+", layer) for layer in re.findall(r'"(.*?)"', contract)]
