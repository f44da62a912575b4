"""A stream that has not all characters takes none of the result away: what it lacks is printed as what it has."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from idstorm.cli.streams import say, spare_the_streams
from running import STRANGERS_IDS, Idstorm

ENCODINGS = ["ascii", "iso-8859-1"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Idstorm, str]:
    """A run that failed, and has an n/a, an error and a witness to show."""
    idstorm = Idstorm(tmp_path_factory.mktemp("run"))
    idstorm.write("mine.py", STRANGERS_IDS)
    assert idstorm("run", "mine.py", "-n", "400", "--fail-if", "unique.duplicated > 0").code == 1
    return idstorm, str(idstorm.run_folder)


def ran(folder: Path, *words: str, **environ: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "idstorm", *words], cwd=folder, env={**os.environ, **environ}, capture_output=True
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("words", [(), ("-v",), ("-q",), ("--json", "-"), ("--markdown", "-")])
def test_a_result_is_shown_in_the_characters_that_the_encoding_has(
    stored: tuple[Idstorm, str], encoding: str, words: tuple[str, ...]
) -> None:
    idstorm, folder = stored
    code, out, err = ran(idstorm.folder, "check", folder, *words, PYTHONIOENCODING=encoding)
    assert code == 1
    report = err if "-" in words else out
    assert "FAILED" in report.decode(encoding)
    if words in ((), ("-v",)):
        assert "x  faithful" in report.decode(encoding)
        assert "✗" in ran(idstorm.folder, "check", folder, PYTHONIOENCODING="utf-8")[1].decode()


def test_a_file_on_stdout_is_utf_8_whatever_stdout_is(stored: tuple[Idstorm, str]) -> None:
    idstorm, folder = stored
    code, out, _ = ran(idstorm.folder, "check", folder, "--markdown", "-", PYTHONIOENCODING="ascii")
    assert (code, "✗" in out.decode("utf-8")) == (1, True)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "words", [("list",), ("show", "mine.py"), ("--help",), ("run", "nö", "--dry-run"), ("run", "mine.py", "--dry-run")]
)
def test_no_command_trips_over_a_character(stored: tuple[Idstorm, str], encoding: str, words: tuple[str, ...]) -> None:
    code, out, err = ran(stored[0].folder, *words, PYTHONIOENCODING=encoding)
    assert code == (2 if "nö" in words else 0)
    assert (out + err).decode(encoding)


def test_a_storm_passes_where_the_locale_is_plain_c(idstorm: Idstorm) -> None:
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code, out, _ = ran(idstorm.folder, "run", "autoincrement", "-n", "400", **environ)
    assert (code, "PASSED" in out.decode("ascii")) == (0, True)


@pytest.mark.parametrize("encoding", [*ENCODINGS, "cp1252", "utf-8"])
def test_what_comes_from_the_user_is_written_out(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding))
    spare_the_streams()
    say("雷 and \udcff ✓")
    sys.stdout.flush()
    utf_8 = encoding == "utf-8"
    assert raw.getvalue().decode(encoding) == ("雷 and \\udcff ✓\n" if utf_8 else "\\u96f7 and \\udcff +\n")


def test_a_handler_that_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    spare_the_streams()
    assert stream.errors == "replace"
