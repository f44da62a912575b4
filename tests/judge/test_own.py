"""What a user's own check returns is shown as any report can hold it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from histories import storm, told
from idstorm.errors import ScenarioError
from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.own import _sound


def found(finding: Callable[[], object]) -> Finding:
    check = Check("mine", "it is so", lambda _: finding(), {"odd": Figure("ids")}, origin="mine:mine")  # type: ignore[arg-type, return-value]
    return _sound(check, storm(told(1)))


def test_numbers_of_any_kind_and_size_can_be_written() -> None:
    witness: dict[Any, Any] = {"id": 10**5000, "ids": np.arange(2), "other": {1, 2}, 5: object}
    finding = found(lambda: Finding(Status.BROKEN, {"odd": np.int64(3)}, (witness,)))
    (shown,) = finding.witnesses
    assert (finding.figures, shown["id"], shown["ids"]) == ({"odd": 3}, "a number of 16610 bits", [0, 1])
    json.dumps(shown)


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (lambda: None, "has to return a Finding, and returned None"),
        (lambda: Finding(Status.HELD, {"even": 1}), "has found a figure 'even': declare it"),
        (lambda: Finding(Status.HELD, {"odd": "many"}), "has to be a number, not 'many'"),
        (lambda: Finding(Status.HELD, {"odd": float("nan")}), "has to be a number, not nan"),
        (lambda: Finding(Status.BROKEN, {"odd": 1}), "is broken without a witness"),
    ],
)
def test_what_no_report_can_show_is_refused_in_a_sentence(finding: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        found(finding)
