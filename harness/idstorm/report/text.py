"""The wording that all reports share for verdicts, gates, witnesses and storms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from idstorm.findings.checks import CHECKS, Figure, in_words
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import NOTABLE_FAILURES, Control, Report, StormReport, Verdict

MARKS = {Result.PASSED: "✓", Result.FAILED: "✗", Result.INCONCLUSIVE: "?", Result.NA: "–"}
STYLES = {Result.PASSED: "green", Result.FAILED: "bold red", Result.INCONCLUSIVE: "yellow", Result.NA: "dim"}
_LAWFUL = {Status.BROKEN: ("~", "cyan"), Status.UNKNOWN: ("?", "dim")}
"""The mark and style of what passed without having held: nobody is to take it for that."""
LEGEND = "✓ held · ~ broken, as it may or as claimed · ✗ not as claimed · ? could not be judged · – not applicable."

_ROWS_SHOWN = 3
_SAID = {
    "which_was_acknowledged_ms_before": "which had been acknowledged {} ms before",
    "existing": "of an existing row",
    "foreign": "of a row that was there before",
    "stored": "stored {}",
    "at": "at +{} s",
}
_JUDGED = (Status.HELD, Status.BROKEN)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def look_of(result: Result, status: Status | None) -> tuple[str, str]:
    """Return the mark and the style of a verdict."""
    if result is Result.PASSED and status in _LAWFUL:
        return _LAWFUL[status]
    return MARKS[result], STYLES[result]


def target_words(storm: StormReport) -> str:
    """Return a storm's target: dialect, version and driver, or only its name if nothing else is known."""
    target = storm.target
    if "dialect" in target:
        return f"{target['dialect']} {target['server']} ({target['driver']})"
    return str(target["name"])


def figure_words(name: str, verdict: Verdict) -> str:
    """Return a check's figures in short, or its meaning if it held and there is nothing to count.

    For repeated storms, return in how many of them the check had this status.
    """
    if "repetitions" in verdict.figures:
        times = verdict.figures["repetitions"]
        return f"in {times[verdict.status]:,} of {sum(times.values()):,}"
    held, known = verdict.status is Status.HELD, {} if verdict.meaning else CHECKS[name].figures
    unknown = Figure("", where_held=bool(verdict.meaning))
    figures = ", ".join(
        f"{key.replace('_', ' ')} {_group_words(value) if isinstance(value, Mapping) else number_words(value)}"
        for key, value in verdict.figures.items()
        if (
            _is_shown_group(key, value, known)
            if isinstance(value, Mapping)
            else _is_shown(known.get(key, unknown), value, held=held)
        )
    )
    return figures or (meaning_words(name, verdict) if held else "")


def _is_shown_group(key: str, group: Mapping[str, Any], known: Mapping[str, Figure]) -> bool:
    """Whether all figures of a group are always to be shown, such as the quantiles of a lag."""
    paths = [f"{key}.{name}" for name in group]
    return bool(paths) and all(path in known and known[path].where_held for path in paths)


def _group_words(group: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {number_words(value)}" for name, value in group.items())


def meaning_words(name: str, verdict: Verdict) -> str:
    """Return what is true if a check holds, as a sentence."""
    return verdict.meaning or CHECKS[name].meaning


def _is_shown(figure: Figure, value: Any, *, held: bool) -> bool:
    return (figure.where_held or not held) and bool(value or figure.even_if_zero)


def witness_words(witness: Mapping[str, Any]) -> str:
    """Return a witness as one line."""
    parts = []
    for key, value in witness.items():
        if isinstance(value, list) and value and all(map(_names_a_row, value)):
            origins = [row.get("from") for row in value]
            rows = (_row(row, alone=origins.count(row.get("from")) == 1) for row in value[:_ROWS_SHOWN])
            parts.append(f"told {', '.join(rows)}" + (" …" if len(value) > _ROWS_SHOWN else ""))
        elif key in _SAID:
            parts.append(_SAID[key].format(value))
        else:
            parts.append(f"{key.replace('_', ' ')} {value}")
    return ", ".join(parts)


def why_words(storm: StormReport) -> str:
    """Return why a storm failed or is inconclusive, in a sentence; else ""."""
    if storm.result in (Result.PASSED, Result.NA):
        return ""
    deciding = {name: verdict for name, verdict in storm.verdicts.items() if verdict.result is storm.result}
    said = [
        f"{name} is broken: {seen_words(name, verdict)}"
        if verdict.status is Status.BROKEN
        else f"{name}: {(verdict.reason or str(verdict.status)).partition(chr(10))[0]}"
        for name, verdict in deciding.items()
    ]
    said += [gate_words(gate) for gate in storm.gates if gate.result is storm.result]
    return "; ".join(said) or (storm.ending or "").partition("\n")[0]


def seen_words(name: str, verdict: Verdict) -> str:
    """Return what broke, in a few words: how often, and a witness."""
    if "repetitions" in verdict.figures or not verdict.witnesses:
        return figure_words(name, verdict)
    try:
        return (CHECKS[name].broke if name in CHECKS else in_words)(verdict.figures, verdict.witnesses[0])
    except KeyError:  # what this check's words need is not there, as in what an older version has found
        return figure_words(name, verdict)


def failing_words(operations: Mapping[str, Any]) -> str:
    """Return how many operations failed unplanned, and with what error, if they are a tenth or more; else ""."""
    failing = operations.get("failing", {"share": 0.0, "share_raced": 0.0, "expected": 0.0})
    share = failing["share"] if failing["share"] > failing["expected"] else 0.0
    if share + failing["share_raced"] < NOTABLE_FAILURES:
        return ""
    kinds = {"failed": share, "were ended by the database because of a race": failing["share_raced"]}
    shares = " and ".join(f"{share:.0%} {words}" for words, share in kinds.items() if share >= 0.005)
    most = f", most with {failing['commonest']}" if failing.get("commonest") else ""
    said = f": {failing['message']}" if failing.get("message") else ""
    return f"of the operations {shares}{most}{said}"


def control_words(report: Report) -> list[str]:
    """Return a line for each control: how often its fault was seen, and how often the run's own."""
    return [_control(control, report) for control in report.controls]


def _control(control: Control, report: Report) -> str:
    where = f"control on {control.target['name']}"
    if control.reason is not None:
        reason = control.reason.partition("\n")[0]
        doubt = "; what this run did not find may be there all the same" if control.ending is None else ""
        return f"{where}: {reason}{doubt}"
    seen = f"{where}: {control.duplicated:,} duplicates in {control.operations['seconds']:.1f} s"
    if report.matrix is not None:
        return seen
    verdicts = [
        storm.verdicts.get("unique") for storm in report.storms if storm.target["name"] == control.target["name"]
    ]
    counted = [verdict.figures.get("duplicated", 0) for verdict in verdicts if verdict and verdict.status in _JUDGED]
    yours = f"{sum(counted):,}" if verdicts and len(counted) == len(verdicts) else "not judged"
    return f"{seen}, then yours: {yours}"


def gate_words(gate: GateVerdict) -> str:
    """Return what became of a gate, and the figure it stands on."""
    if gate.result is Result.NA:
        return f"{gate.gate} does not apply: the scenario claims nothing of this check"
    value = "was not measured" if gate.value is None else f"is {number_words(gate.value)}"
    words = {Result.FAILED: "fails the run", Result.PASSED: "passes", Result.INCONCLUSIVE: "is inconclusive"}
    return f"{gate.gate} {words[gate.result]}: it {value}"


def number_words(value: Any) -> str:
    """Return a figure with thousands separators, or to three significant digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if isinstance(value, float) else str(value)


def stopped(report: Report) -> list[StormReport]:
    """Return the storms that did not take place, or did not end as planned.

    A storm that does not apply to its target is included only if no other storm applies either.
    """
    ended = [storm for storm in report.decisive if storm.ending is not None]
    if any(storm.result is not Result.NA for storm in report.decisive):
        ended = [storm for storm in ended if storm.result is not Result.NA]
    return ended


def visible(text: str) -> str:
    r"""Return a text with control characters, direction overrides, lone surrogates and noncharacters written out, as in
    \x1b.

    The characters that XML allows are left, tabs and newlines among them.
    """
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def _names_a_row(value: object) -> bool:
    return isinstance(value, Mapping) and {"client", "operation"} <= value.keys()


def _row(row: Mapping[str, Any], *, alone: bool) -> str:
    """Return what tells a row from the others of its witness: its test, unless several rows are from the same test."""
    words = f"client {row['client']} in operation {row['operation']}"
    if "from" not in row:
        return f"{words} at +{row['at']:.6f} s" if "at" in row else words
    return str(row["from"]) if alone else f"{row['from']} ({words})"
