"""What a newcomer does works on a bare machine, and what is installed is what is in the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from running import GITHUB

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.release  # environments are built


def checkout(folder: Path) -> Path:
    """Copy what git would give to somebody else, with changes that are not committed yet."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def test_make_storm_is_all_that_a_newcomer_needs(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "idstorm")
    ours = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", *GITHUB)
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        ["make", "storm", f"PYTHON={sys.executable}"], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    assert len([path for path in (folder / "results").iterdir() if path.is_dir()]) == 1


def test_a_wheel_holds_the_package_and_the_catalogue_and_nothing_else(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "idstorm")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(folder)], check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"idstorm"}
    assert "idstorm/scenarios/autoincrement.py" in names
    assert "idstorm/py.typed" in names
    catalogue = {path.name for path in (ROOT / "scenarios").glob("*.py")}
    assert catalogue == {Path(name).name for name in names if name.startswith("idstorm/scenarios/")}


def test_neither_harness_nor_scenarios_shadow_a_users_own(tmp_path: Path) -> None:
    for name in ("harness", "scenarios"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True")
    code = (
        "import harness, scenarios, idstorm.catalogue; assert harness.MINE and scenarios.MINE; "
        "print(idstorm.catalogue.names())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "autoincrement" in done.stdout
