"""Small faults put into the judge one at a time, to see that its tests notice each: mutation testing, by mutmut.

    python tests/mutants.py [MODULE …]     all of idstorm.judge, or only these modules of it

A fault that no test of `tests/judge` notices has survived. Most survivors change nothing that anybody could see: those
are listed in `tests/judge/survivors.toml`, with the reason. Exits with 0 if every survivor is listed there, else with
1, after showing those that are not.

A survivor is known by the function that it is in and by its change, never by a number, which moves with the code:

    [[survivor]]
    where = ["ordered._scan"]   # functions, as patterns of the shell; a method is module.Class.method
    was = 'kind="stable"'       # of the line that was changed, and
    is = ['kind="STABLE"']      # what mutmut put there instead, one or the other
    why = "numpy does not mind the case"
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARGUMENTS = ROOT / "tests" / "judge" / "survivors.toml"
NOTICED = ("killed", "timeout")

CONFIGURATION = """\
[tool.pytest.ini_options]
addopts = "--strict-markers --strict-config --import-mode=importlib -p no:asyncio"
pythonpath = ["tests", "src"]
filterwarnings = ["error"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = [{modules}]
also_copy = ["conftest.py", "scenarios", "README.md"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["tests/judge"]
"""

# What Hypothesis makes up is the same in every run, or survivors would come and go. It comes last: it takes longest.
CONFTEST = """\
from hypothesis import Phase, settings

settings.register_profile("mutants", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile("mutants")

def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ("test_soundness" in item.nodeid, item.get_closest_marker("hypothesis") is not None))
"""


@dataclass(frozen=True)
class Survivor:
    """A fault that no test noticed."""

    name: str  #: mutmut's
    diff: str

    @property
    def function(self) -> str:
        """The function in which it is, from the module's name on."""
        return function_of(self.name)

    @property
    def change(self) -> tuple[str, str]:
        """The lines that were changed, as they were and as they are."""
        lines = [line for line in self.diff.splitlines() if not line.startswith(("---", "+++"))]
        was, now = ("\n".join(line[1:] for line in lines if line.startswith(sign)) for sign in "-+")
        return was, now


@dataclass(frozen=True)
class Argument:
    """Why a fault need not be noticed."""

    where: str
    was: str
    now: str

    def fits(self, survivor: Survivor) -> bool:
        """Return whether the survivor is this change, once, in such a function."""
        before, after = survivor.change
        places = (match.start() for match in re.finditer(f"(?={re.escape(self.was)})", before))
        return fnmatchcase(survivor.function, self.where) and any(
            before[:place] + self.now + before[place + len(self.was) :] == after for place in places
        )


def function_of(name: str) -> str:
    """Return `module.function`, or `module.Class.method`, of mutmut's name for a mutant."""
    function = name.removeprefix("idstorm.judge.").removeprefix("checks.").partition("__mutmut_")[0]
    return function.replace(".x_", ".").replace(".xǁ", ".").replace("ǁ", ".")


def arguments() -> list[Argument]:
    """Return what was argued, each combination of a function, a fragment and what replaces it for itself."""
    listed = tomllib.loads(ARGUMENTS.read_text())["survivor"]
    return [Argument(where, each["was"], now) for each in listed for where, now in product(each["where"], each["is"])]


def prepare(folder: Path, modules: Sequence[str]) -> None:
    """Lay the project out as mutmut wants it, which looks for the source in `src`."""
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "harness", folder / "src", ignore=unwanted)
    for name in ("tests", "scenarios"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    shutil.copy(ROOT / "README.md", folder)
    (folder / "conftest.py").write_text(CONFTEST)
    places = product(("", "checks/"), modules or ["*"])
    chosen = ", ".join(f'"src/idstorm/judge/{place}{module}.py"' for place, module in places)
    (folder / "pyproject.toml").write_text(CONFIGURATION.format(modules=chosen))


def survivors(folder: Path) -> Iterator[Survivor]:
    """Run mutmut there, and yield what no test noticed. Exits with mutmut's own words where it cannot run."""
    mutmut = [sys.executable, "-m", "mutmut"]
    if subprocess.run([*mutmut, "run"], cwd=folder).returncode:
        sys.exit("mutmut did not come to its end")
    for line in output([*mutmut, "results"], folder).splitlines():
        name, _, status = line.strip().partition(": ")
        if name.startswith("idstorm.") and status not in NOTICED:
            yield Survivor(name, output([*mutmut, "show", name], folder))


def output(command: Sequence[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def unargued(found: Iterable[Survivor], known: Sequence[Argument]) -> tuple[list[Survivor], list[Argument]]:
    """Return the survivors that no argument fits, and the arguments that fit no survivor."""
    left, idle = [], set(known)
    for survivor in found:
        fitting = {argument for argument in known if argument.fits(survivor)}
        idle -= fitting
        if not fitting:
            left.append(survivor)
    return left, [argument for argument in known if argument in idle]


def main(modules: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="idstorm-mutants-") as folder:
        prepare(Path(folder), modules)
        found = list(survivors(Path(folder)))
    left, idle = unargued(found, arguments())
    for survivor in left:
        print(survivor.diff)
    for argument in idle if not modules else []:
        print(f"no survivor in {argument.where} any more: {argument.was!r} -> {argument.now!r}")
    print(f"{len(found)} survived, {len(left)} of them for no reason that is given")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
