"""`idstorm.run(...)` in a script: the result that a test gets, without pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from running import Idstorm

HEAD = """
import idstorm
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

"""
GUARDED = """
if __name__ == "__main__":
    result = idstorm.run(Order, inserts=400, processes=1{more})
    print(repr(result), result.passed, result.verdicts["unique"].status, len(result.report.storms))
"""


def script(idstorm: Idstorm, body: str) -> subprocess.CompletedProcess[str]:
    idstorm.write("shop.py", HEAD + body)
    return subprocess.run([sys.executable, "shop.py"], cwd=idstorm.folder, capture_output=True, text=True, timeout=120)


def test_a_script_gets_the_result_of_a_model_of_its_own(idstorm: Idstorm) -> None:
    ran = script(idstorm, GUARDED.format(more=""))
    assert "<idstorm PASSED" in ran.stdout, ran.stderr
    assert ran.stdout.split()[-3:] == ["True", "held", "1"]
    assert idstorm("check", str(idstorm.run_folder)).code == 0


def test_several_targets_and_an_option_in_words(idstorm: Idstorm) -> None:
    more = ", on=['sqlite', 'sqlite:///shop.db'], think='0..1ms'"
    ran = script(idstorm, GUARDED.format(more=more).replace('result.verdicts["unique"].status, ', ""))
    assert ran.stdout.split()[-2:] == ["True", "2"], ran.stderr


@pytest.mark.release
def test_a_script_that_storms_wherever_it_is_imported_is_told_how_to_guard_it(idstorm: Idstorm) -> None:
    ran = script(idstorm, "print(repr(idstorm.run(Order, inserts=400)))")
    assert "call it under if __name__ == '__main__':" in ran.stdout + ran.stderr
    assert "PASSED" not in ran.stdout


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("idstorm.run(Order, insert=400)", "did you mean inserts?"),
        ("idstorm.run(3)", "neither a mapped class, nor a Scenario"),
        ("idstorm.run('nothing_like_it')", "shows the catalogue"),
        ("idstorm.run(Order, on='oracle')", "oracle is not a target"),
    ],
)
def test_what_cannot_be_done_as_asked_is_a_sentence(idstorm: Idstorm, call: str, sentence: str) -> None:
    ran = script(idstorm, f"if __name__ == '__main__':\n    {call}")
    assert sentence in ran.stderr.splitlines()[-1]


def test_importing_idstorm_imports_nothing_else(idstorm: Idstorm) -> None:
    seen = "import sys, idstorm; print([name for name in ('sqlalchemy', 'numpy', 'click') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, cwd=idstorm.folder)
    assert ran.stdout.strip() == "[]"
