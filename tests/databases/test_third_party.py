"""What another distribution adds by its entry points is stormed, claimed about and listed like idstorm's own."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

from running import Idstorm, Ran
from servers import On, database

pytestmark = pytest.mark.release  # packages are installed

DATABASE = """
    from idstorm.databases.postgresql import PostgreSQL

    class Elephant(PostgreSQL):
        name = "elephant"
        schemes = ("elephant",)
        how_to_get = "ask the zoo"
"""
SCENARIO = '''
    """Calves are numbered by a sequence."""
    from sqlalchemy import Sequence
    from sqlalchemy.orm import Mapped, mapped_column

    from idstorm.scenario import Row, Scenario, holds, may_break, ordered

    class Calf(Row):
        id: Mapped[int] = mapped_column(Sequence("calf_id"), primary_key=True)

    calves = Scenario(
        model=Calf,
        claims=[
            may_break(ordered, why="in general"),
            holds(ordered, when={"sequences"}, why="where there are sequences"),
            may_break(ordered, when={"elephant"}, why="elephants do not queue"),
        ],
        server={"elephant": {"fsync": "on"}},
    )
'''


class Zoo:
    """A folder with distributions in it, and idstorm run so that they are installed."""

    def __init__(self, idstorm: Idstorm, folder: Path) -> None:
        self._idstorm = idstorm
        self._folder = folder

    def add(self, distribution: str, entry_points: str, modules: dict[str, str]) -> None:
        """Install a distribution of these files."""
        about = self._folder / f"{distribution}-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(dedent(entry_points))
        for name, text in modules.items():
            path = self._folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text))

    def __call__(self, *words: str, **environ: str) -> Ran:
        path = os.pathsep.join([str(self._folder), os.environ.get("PYTHONPATH", "")])
        return self._idstorm.alone(*words, PYTHONPATH=path, **environ)


@pytest.fixture
def zoo(idstorm: Idstorm, tmp_path: Path) -> Zoo:
    """A zoo with an elephant in it."""
    zoo = Zoo(idstorm, tmp_path / "zoo")
    zoo.add(
        "idstorm-zoo",
        """\
        [idstorm.databases]
        elephant = zoo_database:Elephant
        [idstorm.scenarios]
        zoo = zoo_scenarios
        """,
        {
            "zoo_database.py": DATABASE,
            "zoo_scenarios/__init__.py": "",
            "zoo_scenarios/_helpers.py": "raise SystemExit('this is no scenario')",
            "zoo_scenarios/calves.py": SCENARIO,
        },
    )
    return zoo


@pytest.fixture
def elephant() -> dict[str, str]:
    """The variable with the URL of a server, by the scheme of the database that is added."""
    server: On = database("postgresql")
    assert server.url is not None
    rest = server.url.render_as_string(hide_password=False).partition("://")[2]
    return {"IDSTORM_ELEPHANT_URL": f"elephant://{rest}"}


def test_a_database_that_is_added_is_stormed_by_its_name(zoo: Zoo, elephant: dict[str, str]) -> None:
    ran = zoo("run", "autoincrement", "--on", "elephant", "-n", "300", "-j", "2", "--json", "-", **elephant)
    assert ran.code == 0, ran.err
    (storm,) = ran.report["storms"]
    assert (storm["target"]["name"], storm["target"]["dialect"]) == ("elephant", "elephant")
    assert storm["target"]["facts"]["generator"]["ahead"] == 32
    assert zoo("doctor", **elephant).out.count("✓  elephant") == 1


def test_a_url_by_its_scheme_means_it_and_its_password_is_hidden(zoo: Zoo, elephant: dict[str, str]) -> None:
    (url,) = elephant.values()
    ran = zoo("run", "autoincrement", "--on", url, "-n", "300", "-j", "1", "--json", "-")
    assert ran.code == 0, ran.err
    assert ran.report["storms"][0]["target"]["dialect"] == "elephant"
    assert ran.report["storms"][0]["target"]["name"].startswith("elephant+psycopg://")
    assert '"$IDSTORM_ELEPHANT_URL"' in ran.report["command"]


def test_a_claim_about_it_is_the_most_specific(zoo: Zoo, elephant: dict[str, str]) -> None:
    ran = zoo("run", "calves", "--on", "elephant", "-n", "300", "-j", "2", "--json", "-", **elephant)
    assert ran.code == 0, ran.err
    (storm,) = ran.report["storms"]
    assert storm["verdicts"]["ordered"]["claim"] == "may_break"
    assert storm["verdicts"]["ordered"]["why"] == "elephants do not queue"


def test_a_scenario_that_is_added_is_listed_and_shown(zoo: Zoo) -> None:
    listed = zoo("list").out
    assert "calves" in listed
    assert "Calves are numbered by a sequence." in listed
    assert "_helpers" not in listed
    assert "elephants do not queue" in zoo("show", "calves").out


def test_where_it_cannot_be_had_its_own_way_to_get_it_is_named(zoo: Zoo) -> None:
    mouse = DATABASE.replace("Elephant", "Mouse").replace('"elephant"', '"mouse"') + "        recipe = None\n"
    zoo.add("mice", "[idstorm.databases]\nmouse = mouse:Mouse\n", {"mouse.py": mouse})
    ran = zoo("run", "autoincrement", "--on", "mouse")
    assert ran.code == 3
    assert "there is no mouse to storm: set IDSTORM_MOUSE_URL to the URL of one, or ask the zoo" in ran.err


BROKEN = {
    "missing": ("no_such_module:Kind", "No module named 'no_such_module'"),
    "postgresql": ("zoo_database:Elephant", "there is another database of this name"),
    "sequences": ("zoo_database:Elephant", "its name is that of a capability"),
    "Upper": ("zoo_database:Elephant", "lower-case"),
    "other": ("zoo_database:Elephant", "calls itself 'elephant'"),
    "text": ("zoo_database:__name__", "is not a class derived from idstorm.databases.base.Database"),
    "raising": ("raising:Kind", "RuntimeError: two lines"),
    "abstract": ("abstract:Abstract", "abstract"),
    "posing": ("posing:Posing", "URLs that begin with mysql:// mean mysql"),
}


def test_what_cannot_be_used_is_said_in_a_sentence_and_takes_nothing_else_away(zoo: Zoo) -> None:
    points = "\n".join(f"{name} = {value}" for name, (value, _) in BROKEN.items())
    zoo.add(
        "broken-zoo",
        f"[idstorm.databases]\n{points}\n"
        "[idstorm.scenarios]\nautoincrement = raising\nlost = raising\ngone = gone.away\n",
        {
            "raising.py": "raise RuntimeError('two\\nlines')",
            "abstract.py": "from idstorm.databases.base import Database\nclass Abstract(Database):\n"
            "    name, schemes, drivers, backends = 'abstract', (), ('psycopg',), ('abstract',)\n",
            "posing.py": "from idstorm.databases.mysql import MySQL\nclass Posing(MySQL):\n    name = 'posing'\n",
        },
    )
    doctor = zoo("doctor")
    assert doctor.code == 0, doctor.err
    for name, (_, why) in BROKEN.items():
        (line,) = (line for line in doctor.out.splitlines() if line.startswith(f"✗  {name}") and "broken-zoo" in line)
        assert f"the distribution broken-zoo adds the database {name}, which cannot be used: " in line
        assert why in line
    ran = zoo("run", "autoincrement", "-n", "300", "-j", "1")
    assert ran.code == 0, ran.err
    ran = zoo("run", "autoincrement", "--on", "raising")
    assert (ran.code, "Traceback" in ran.err) == (2, False)
    assert "the distribution broken-zoo adds the database raising, which cannot be used: RuntimeError" in ran.err
    listed = zoo("list")
    assert (listed.code, "Traceback" in listed.out + listed.err) == (0, False)
    said = " ".join(listed.out.split())
    assert "RuntimeError: two lines" in said
    assert "ModuleNotFoundError: No module named 'gone'" in said
    assert "the catalogue has another autoincrement" in said
