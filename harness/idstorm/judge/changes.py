"""What is different between two runs: under what they were made, what was found, and how fast it went.

A verdict that has changed is told; a rate only if all repetitions of one side are on the same side of all of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from idstorm.findings.changes import Change, Changes
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Repeats, Report, StormReport
from idstorm.record.provenance import Provenance

_LEAST = 3  # repetitions on each side, below which a rate is compared with nothing
_WORSE = {
    (Status.HELD, Status.BROKEN),
    (Status.HELD, Status.UNKNOWN),
}
_ALWAYS_DIFFERENT = ("started",)  # facts: a private server is started for each run
_RANKED = (Result.NA, Result.PASSED, Result.INCONCLUSIVE, Result.FAILED)
_FLEET = ("processes", "clients", "batch", "inserts", "seconds", "rollback", "deletes", "isolation")

Key = tuple[str, str]


def changes(before: Report, after: Report, made: tuple[Provenance | None, Provenance | None] = (None, None)) -> Changes:
    """Return what is different in the second run."""
    olds, news = _by_key(before), _by_key(after)
    both = [(key, olds[key], news[key]) for key in olds if key in news]
    rates = [_rates(before, after, key) for key, _, _ in both]
    notes = [f"{_words(key)} is only in {before.run}" for key in olds if key not in news]
    notes += [f"{_words(key)} is only in {after.run}" for key in news if key not in olds]
    if any(found is None for found in rates):
        notes.append(f"rates are not comparable: repeat each storm at least {_LEAST} times on both sides (--repeat)")
    return Changes(
        before.run,
        after.run,
        (*_provenance(*made), *(one for key, old, new in both for one in _conditions(key, old, new))),
        tuple(one for key, old, new in both for one in _findings(key, old, new)),
        tuple(one for found in rates for one in found or ()),
        tuple(notes),
    )


def _by_key(report: Report) -> dict[Key, StormReport]:
    return {(storm.scenario, str(storm.target["name"])): storm for storm in report.decisive}


def _words(key: Key) -> str:
    return f"{key[0]} on {key[1]}"


def _provenance(old: Provenance | None, new: Provenance | None) -> Iterator[Change]:
    if old is None or new is None:
        return
    pairs: list[tuple[str, object, object]] = [
        ("label", old.label, new.label),
        ("host", old.host, new.host),
        ("cores", old.cores, new.cores),
        ("commit", old.commit, new.commit),
    ]
    packages = dict.fromkeys([*old.versions, *new.versions])
    pairs += [(name, old.versions.get(name), new.versions.get(name)) for name in packages]
    both = [name for name in old.sources if name in new.sources]
    pairs += [(f"the file of {name}", old.sources[name], new.sources[name]) for name in both]
    yield from _different("", pairs)


def _different(where: str, pairs: Sequence[tuple[str, object, object]]) -> Iterator[Change]:
    for what, before, after in pairs:
        if before != after:
            yield Change(where, what, _said(before), _said(after))


def _said(value: object) -> str:
    return "–" if value is None else str(value)


def _conditions(key: Key, old: StormReport, new: StormReport) -> Iterator[Change]:
    """Yield what the storms, and their databases, were set to."""
    pairs = [(name, old.fleet.get(name), new.fleet.get(name)) for name in _FLEET]
    pairs += [(name, old.target.get(name), new.target.get(name)) for name in ("server", "driver")]
    facts: tuple[Mapping[str, object], ...] = (old.target.get("facts", {}), new.target.get("facts", {}))
    names = [name for name in dict.fromkeys([*facts[0], *facts[1]]) if name not in _ALWAYS_DIFFERENT]
    pairs += [(name, facts[0].get(name), facts[1].get(name)) for name in names]
    claims = [(name, old.verdicts[name], new.verdicts[name]) for name in old.verdicts if name in new.verdicts]
    pairs += [(f"claim on {name}", one.claim, other.claim) for name, one, other in claims]
    yield from _different(_words(key), pairs)


def _findings(key: Key, old: StormReport, new: StormReport) -> Iterator[Change]:
    """Yield the result, and the status of each check, that is another one."""
    if old.result != new.result:
        worse = _RANKED.index(new.result) > _RANKED.index(old.result)
        yield Change(_words(key), "result", str(old.result), str(new.result), worse)
    for name in dict.fromkeys([*old.verdicts, *new.verdicts]):
        one, other = old.verdicts.get(name), new.verdicts.get(name)
        statuses = (None if one is None else one.status, None if other is None else other.status)
        if statuses[0] != statuses[1]:
            yield Change(_words(key), name, _said(statuses[0]), _said(statuses[1]), statuses in _WORSE)


def _rates(before: Report, after: Report, key: Key) -> tuple[Change, ...] | None:
    """Return the rates that are certainly different; None: there are too few repetitions to tell."""
    values = [_repetitions(report, key) for report in (before, after)]
    if any(len(some) < _LEAST for some in values):
        return None
    found = []
    for what, path in (("rows per second", ("per_second",)), ("latency p99 in ms", ("latency_ms", "p99"))):
        olds, news = ([_figure(storm, path) for storm in some] for some in values)
        if max(olds) < min(news) or max(news) < min(olds):
            found.append(Change(_words(key), what, _range(olds), _range(news)))
    return tuple(found)


def _repetitions(report: Report, key: Key) -> list[StormReport]:
    """Return the storms that a decisive one merges, of which something was stormed."""
    names = {
        name
        for storm in report.repeats
        if isinstance(storm, Repeats) and (storm.scenario, str(storm.target["name"])) == key
        for name in storm.repetitions
    }
    return [storm for storm in report.storms if storm.storm in names and storm.operations]


def _figure(storm: StormReport, path: Sequence[str]) -> float:
    value = storm.operations
    for name in path:
        value = value[name]
    return float(value)  # type: ignore[arg-type]


def _range(values: Sequence[float]) -> str:
    return f"{min(values):,.4g} to {max(values):,.4g}"
