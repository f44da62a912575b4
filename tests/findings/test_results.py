"""How statuses become results, results become one, and one becomes an exit code."""

from __future__ import annotations

import pytest

from idstorm.errors import EnvironmentFault, ScenarioError, UnreadableRun, UsageError
from idstorm.findings.results import ExitCode, Result, Stance, Status, exit_code, exit_code_of_error, settle, worst

PASSED, FAILED, INCONCLUSIVE, NA = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE, Result.NA


@pytest.mark.parametrize(
    ("stance", "results"),
    [
        (Stance.HOLDS, (PASSED, FAILED, INCONCLUSIVE, INCONCLUSIVE)),
        (Stance.MAY_BREAK, (PASSED, PASSED, PASSED, NA)),
        (Stance.BREAKS, (INCONCLUSIVE, PASSED, INCONCLUSIVE, INCONCLUSIVE)),
    ],
)
def test_what_a_claim_comes_to(stance: Stance, results: tuple[Result, ...]) -> None:
    statuses = (Status.HELD, Status.BROKEN, Status.UNKNOWN, Status.NA)
    assert tuple(settle(stance, status) for status in statuses) == results


def test_a_default_that_means_nothing_is_left_out() -> None:
    assert settle(Stance.HOLDS, Status.NA, named=False) is NA


@pytest.mark.parametrize("stance", Stance)
def test_a_crashed_check_is_inconclusive_whatever_the_claim(stance: Stance) -> None:
    assert settle(stance, Status.UNKNOWN, crashed=True) is INCONCLUSIVE


@pytest.mark.parametrize(
    ("results", "together"),
    [
        ([PASSED, FAILED, INCONCLUSIVE], FAILED),
        ([PASSED, INCONCLUSIVE, NA], INCONCLUSIVE),
        ([PASSED, NA], PASSED),
        ([NA, NA], INCONCLUSIVE),
        ([], INCONCLUSIVE),
    ],
)
def test_failed_beats_inconclusive_beats_passed(results: list[Result], together: Result) -> None:
    assert worst(results) is together


def test_an_interrupted_run_exits_as_interrupted_unless_it_had_failed() -> None:
    assert exit_code(PASSED, interrupted=True) is ExitCode.INTERRUPTED
    assert exit_code(FAILED, interrupted=True) is ExitCode.FAILED


@pytest.mark.parametrize("result", [INCONCLUSIVE, NA])
def test_what_proved_nothing_never_exits_with_zero(result: Result) -> None:
    assert exit_code(result) is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError(), 2),
        (ScenarioError(), 2),
        (EnvironmentFault(), 3),
        (UnreadableRun(), 3),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 70),
    ],
)
def test_an_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code_of_error(error) == code
