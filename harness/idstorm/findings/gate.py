"""Gates: limits on the figures of a report. A run that trips one fails, whatever becomes of its claims.

A gate names a figure by its path in the report, `gapless.ratio > 0.05`, and is kept with the run, so that a stored run
is always judged the same way. A name that no report has is an error; a figure that was not measured is inconclusive.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite

from idstorm.errors import UsageError
from idstorm.findings.checks import CHECKS, known
from idstorm.findings.results import Result

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_GATE = re.compile(
    rf"\s*([\w.]+)\s*({'|'.join(_COMPARE)})\s*(-?\d+(?:_\d+)*(?:\.\d+)?(?:e[-+]?\d+)?)\s*", re.IGNORECASE
)
_QUANTILES = ("p50", "p95", "p99", "max")

_OF_EVERY_STORM: dict[str, tuple[str, ...]] = {
    "operations": (
        *("attempted", "acknowledged", "failed", "unknown", "rolled_back", "deleted", "seconds", "per_second"),
        *(f"latency_ms.{quantile}" for quantile in _QUANTILES),
        *("failing.share", "failing.share_raced", "failing.expected", "errors.total"),
    ),
    "errors": ("total",),
}
"""The figures of a storm's operations that are numbers, by where they are."""


def figures() -> list[str]:
    """Return the paths of all figures that are numbers: those of every storm, and those of the checks."""
    return [
        *(f"{where}.{name}" for where, names in _OF_EVERY_STORM.items() for name in names),
        *(f"{check.name}.{name}" for check in known() for name, figure in check.figures.items() if figure.number),
    ]


@dataclass(frozen=True)
class Gate:
    """A limit on a figure."""

    figure: str  #: its path in the report
    compare: str
    limit: float

    def __str__(self) -> str:
        limit = int(self.limit) if self.limit.is_integer() else self.limit  # every digit: it is read back
        return f"{self.figure} {self.compare} {limit!r}"

    def tripped(self, value: float) -> bool:
        """Whether the figure is where it must not be."""
        return _COMPARE[self.compare](value, self.limit)


@dataclass(frozen=True)
class GateVerdict:
    """The result of a gate in one storm."""

    gate: str
    value: float | None  #: None: it was not measured
    result: Result


def parse_gate(text: str) -> Gate:
    """Parse a gate on a figure of a storm. Raises UsageError, with the nearest figures if the figure is unknown.

    The figure of an unknown check is accepted: it may belong to a user's own check whose scenario is not imported yet.
    Call `check_gates` once it is.
    """
    gate = read_gate(text)
    check, _, rest = gate.figure.partition(".")
    if check in _OF_EVERY_STORM or check in CHECKS or not (rest and check.isidentifier()):
        require_figure(gate, figures())
    return gate


def read_gate(text: str, example: str = "gapless.ratio > 0.05") -> Gate:
    """Parse a gate on any figure. Raises UsageError, which shows the example."""
    match = _GATE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a gate: write FIGURE > NUMBER, such as '{example}'")
    figure, compare, limit = match.groups()
    number = float(limit)
    if not isfinite(number):
        raise UsageError(f"{text!r} has a limit that no figure can reach: the gate would always pass")
    return Gate(figure, compare, number)


def check_gates(gates: Iterable[Gate]) -> None:
    """Raise UsageError for a gate on a figure that no report will have, now that all scenarios are imported."""
    for gate in gates:
        require_figure(gate, figures())


def require_figure(gate: Gate, known_figures: Sequence[str]) -> None:
    """Raise UsageError, with the nearest figures, for a gate on a figure that is not one of these."""
    if gate.figure not in known_figures:
        near = get_close_matches(gate.figure, known_figures, n=2, cutoff=0.3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"no report has a figure {gate.figure}{hint}")
