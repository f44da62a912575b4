"""`idstorm schema`: what idstorm writes is as the JSON Schemas say, and what they refuse is not what it writes."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from running import Idstorm

SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "docs/schemas").iterdir()}


def faults(name: str, data: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[name]).iter_errors(data)]


def test_the_schemas_of_the_docs_are_those_of_the_code(idstorm: Idstorm) -> None:
    names = idstorm("schema").out.split()
    assert set(names) == SCHEMAS.keys()
    for name in names:
        assert json.loads(idstorm("schema", name).out) == SCHEMAS[name], f"idstorm schema {name} > docs/schemas/…"
        Draft202012Validator.check_schema(SCHEMAS[name])


def test_what_a_run_writes_is_as_its_schemas_say(idstorm: Idstorm) -> None:
    assert idstorm("run", "autoincrement", "-n", "400", "--fail-if", "gapless.missing > 9").code == 0
    assert idstorm("explore", "max_plus_one:max_plus_one").code == 0
    stormed, explored = sorted(path for path in (idstorm.folder / "results").iterdir() if path.is_dir())
    written = [*stormed.rglob("*.json"), *explored.rglob("*.json")]
    assert {path.stem for path in written} == {"report", "run", "plan", "ending", "explored"}
    for path in written:
        assert faults(path.stem, json.loads(path.read_text())) == [], path
    for command, words in {"compare": [str(stormed), str(stormed)], "trend": []}.items():
        assert faults(command, json.loads(idstorm(command, *words, "--json", "-").out)) == []
    with closing(sqlite3.connect(idstorm.folder / "app.db")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    assert faults("audit", json.loads(idstorm("audit", "--on", "sqlite:///app.db", "--json", "-").out)) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report", {"format": 2}),
        ("run", {"what": "another"}),
        ("profiles", {"profiles": {"ci": {"insert": 5}}}),
        ("profiles", {"profile": {}}),
    ],
)
def test_what_is_something_else_is_refused(name: str, data: Any) -> None:
    assert faults(name, data)


def test_profiles_may_have_what_a_command_line_has() -> None:
    profiles = """
        [profiles.ci]
        scenarios = ["autoincrement", "shop.models:Order"]
        on = "sqlite"
        time = "30s"
        clients = 16
        control = true
        fail-if = ["gapless.ratio > 0.05"]
        set = { begin = "immediate" }
    """
    assert faults("profiles", tomllib.loads(profiles)) == []


def test_a_schema_that_is_not_there_gets_one_sentence(idstorm: Idstorm) -> None:
    ran = idstorm("schema", "reports")
    assert (ran.code, "there is no schema of reports: there are report, audit" in ran.err) == (2, True)
