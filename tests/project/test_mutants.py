"""What is argued away of the judge's mutants is as narrow as its words, and still about the judge as it is."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from mutants import ROOT, Argument, Survivor, arguments, unargued

STEP = Survivor(
    "idstorm.judge.checks.headroom.x__burned__mutmut_7",
    "--- src/idstorm/judge/checks/headroom.py\n"
    "+++ src/idstorm/judge/checks/headroom.py\n"
    "@@ -1,2 +1,2 @@\n"
    "     kept = 1\n"
    "-    return low if step > 0 else high if step > 0 else 0\n"
    "+    return low if step > 0 else high if step >= 0 else 0\n",
)
ZERO = Argument("headroom._burned", "step > 0", "step >= 0")


def test_a_survivor_is_known_by_its_function_and_its_change() -> None:
    assert ZERO.fits(STEP)
    assert ZERO.fits(replace(STEP, name="idstorm.judge.checks.headroom.x__burned__mutmut_8"))
    assert replace(ZERO, where="headroom.*").fits(STEP)


@pytest.mark.parametrize(
    "argument",
    [
        replace(ZERO, where="headroom.headroom"),
        replace(ZERO, where="span._burned"),
        replace(ZERO, was="kept = 1"),
        replace(ZERO, was="step"),
        replace(ZERO, now="step < 0"),
        replace(ZERO, now="step >= 1"),
    ],
)
def test_another_change_is_not_argued_away_with_it(argument: Argument) -> None:
    assert not argument.fits(STEP)
    assert unargued([STEP], [argument]) == ([STEP], [argument])


def test_the_function_of_a_mutant_may_be_a_method() -> None:
    assert replace(STEP, name="idstorm.judge.span.xǁSpanǁwithout__mutmut_5").function == "span.Span.without"
    assert replace(STEP, name="idstorm.judge.ledger.xǁ_Gapsǁcharge__mutmut_9").function == "ledger._Gaps.charge"


def test_what_is_argued_away_is_still_in_the_code() -> None:
    judge = ROOT / "harness" / "idstorm" / "judge"
    sources = {path.stem: path.read_text() for path in judge.rglob("*.py")}
    for argument in arguments():
        places = [source for name, source in sources.items() if fnmatchcase(name, argument.where.partition(".")[0])]
        assert any(argument.was in source for source in places), argument
