"""Reports as Hypothesis makes them up, with any text wherever users' text may come to stand."""

from __future__ import annotations

from hypothesis import strategies as st

from idstorm.findings.checks import CHECKS
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Stance, Status
from judged import report, storm, verdict

TEXTS = st.text(
    st.characters() | st.sampled_from("|`<&*_[]\\$~\n\r\t\x00\x1b\ud800\uffff#:,%"), min_size=1, max_size=30
)
"""Anything that an error, an id or a name may hold: control characters and halves of surrogate pairs, too."""

VERDICTS = st.builds(
    verdict,
    st.sampled_from(Status),
    st.sampled_from(Stance),
    reason=st.none() | TEXTS,
    why=st.just("") | TEXTS,
    witnesses=st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), max_size=5).map(tuple),
)
GATES = st.builds(
    GateVerdict,
    st.sampled_from(["gapless.ratio > 0.05", "operations.failed > 0"]),
    st.none() | st.floats(0, 1),
    st.sampled_from([Result.PASSED, Result.FAILED, Result.INCONCLUSIVE]),
)
PRESSURE = st.sampled_from([Status.HELD, Status.UNKNOWN]).map(verdict)
JUDGED = st.builds(
    lambda scenario, target, ending, gates, pressure, verdicts: storm(
        scenario, target, ending=ending, gates=tuple(gates), **{"pressure": pressure, **verdicts}
    ),
    TEXTS,
    TEXTS,
    st.none() | st.builds(str.__add__, st.sampled_from(["interrupted: ", "at fault: ", "unfinished: "]), TEXTS),
    st.lists(GATES, max_size=2),
    PRESSURE,
    st.dictionaries(st.sampled_from([check for check in CHECKS if check != "pressure"]), VERDICTS, max_size=4),
)
STOPPED = st.builds(
    lambda scenario, target, state, reason: storm(scenario, target, ending=f"{state}: {reason}"),
    TEXTS,
    TEXTS,
    st.sampled_from(["not started", "not applicable", "at fault", "interrupted"]),
    TEXTS,
)
REPORTS = st.builds(
    lambda storms, command: report(*storms, command=command), st.lists(JUDGED | STOPPED, min_size=1, max_size=4), TEXTS
)
