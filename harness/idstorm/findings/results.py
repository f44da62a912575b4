"""Statuses, stances and results: what each may be, how they combine, and the exit codes. One table each."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from idstorm.errors import EnvironmentFault, UsageError


class Status(StrEnum):
    """What a check found."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NA = "n/a"


class Stance(StrEnum):
    """What a scenario claims about a check."""

    HOLDS = "holds"
    MAY_BREAK = "may_break"
    BREAKS = "breaks"


class Result(StrEnum):
    """The result of a claim, a storm or a run."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NA = "n/a"


class StormState(StrEnum):
    """How a storm ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"  #: by the user
    FAILED_FAST = "failed fast"  #: nothing that any client tried succeeded
    STUCK = "stuck"  #: no operation ended for longer than the patience
    UNFINISHED = "unfinished"  #: the environment cut it short
    AT_FAULT = "at fault"  #: the scenario could not be stormed through its own fault
    NOT_STARTED = "not started"
    NOT_APPLICABLE = "not applicable"  #: the target lacks what the scenario needs
    UNREADABLE = "unreadable"  #: not known any more: its folder was damaged

    @property
    def cut_short(self) -> bool:
        """Whether the storm ended before everything that matters was recorded."""
        return self in (StormState.AT_FAULT, StormState.FAILED_FAST, StormState.STUCK, StormState.UNFINISHED)


_SETTLED: dict[Stance, dict[Status, Result]] = {
    Stance.HOLDS: {
        Status.HELD: Result.PASSED,
        Status.BROKEN: Result.FAILED,
        Status.UNKNOWN: Result.INCONCLUSIVE,
        Status.NA: Result.NA,
    },
    Stance.MAY_BREAK: {
        Status.HELD: Result.PASSED,
        Status.BROKEN: Result.PASSED,
        Status.UNKNOWN: Result.PASSED,
        Status.NA: Result.NA,
    },
    Stance.BREAKS: {
        Status.HELD: Result.INCONCLUSIVE,
        Status.BROKEN: Result.PASSED,
        Status.UNKNOWN: Result.INCONCLUSIVE,
        Status.NA: Result.INCONCLUSIVE,
    },
}


def settle(stance: Stance, status: Status, *, named: bool = True, crashed: bool = False) -> Result:
    """Return the result of a claim, given its check's status.

    `named`: the scenario itself made the claim. A claim that it holds then needs an answer, so n/a will not do.
    A check that `crashed` proves nothing, whatever the claim; only where it was repeated can it have broken what was to
    hold nevertheless.
    """
    if crashed and (stance, status) == (Stance.HOLDS, Status.BROKEN):
        return Result.FAILED
    if crashed or (stance is Stance.HOLDS and status is Status.NA and named):
        return Result.INCONCLUSIVE
    return _SETTLED[stance][status]


def worst(results: Iterable[Result]) -> Result:
    """Combine several results: failed beats inconclusive beats passed; n/a does not count.

    Where nothing counts, nothing was proved: inconclusive.
    """
    counted = set(results) - {Result.NA}
    for result in (Result.FAILED, Result.INCONCLUSIVE, Result.PASSED):
        if result in counted:
            return result
    return Result.INCONCLUSIVE


class ExitCode(IntEnum):
    """The exit codes of every command."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    BUG = 70
    INTERRUPTED = 130


EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.PASSED: "passed: every claim was tested and held (or broke, where that was claimed)",
    ExitCode.FAILED: "failed: a claim was broken, with witnesses, or a gate",
    ExitCode.USAGE: "usage, or bad input",
    ExitCode.INCONCLUSIVE: "inconclusive, or the environment: out of reach, read-only, disk full",
    ExitCode.BUG: "a bug in idstorm, with its traceback",
    ExitCode.INTERRUPTED: "interrupted (1 if it had failed by then)",
}


def exit_code(result: Result, *, at_fault: bool = False, interrupted: bool = False) -> ExitCode:
    """Return the exit code of a run with this result.

    `at_fault` tells that a scenario could not be stormed through its own fault, `interrupted` that the user ended it.
    """
    if result is Result.FAILED:
        return ExitCode.FAILED
    if at_fault:
        return ExitCode.USAGE
    if interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.PASSED if result is Result.PASSED else ExitCode.INCONCLUSIVE


def exit_code_untold(code: int) -> ExitCode:
    """Return the exit code of a command with this code whose report could not be written where it was asked for.

    A failure stays a failure. A pass without its report is the environment's fault.
    """
    return ExitCode.INCONCLUSIVE if code == ExitCode.PASSED else ExitCode(code)


def exit_code_of_error(error: BaseException) -> ExitCode:
    """Return the exit code of a command that ended with this error."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    return ExitCode.INCONCLUSIVE if isinstance(error, EnvironmentFault) else ExitCode.BUG
