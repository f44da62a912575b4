"""The pictures of a page, as SVG.

Colours come from the page's style sheet, so that they follow light and dark. Each picture has a title and a sentence,
and what is shown by colour is also written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from math import log10

from idstorm.findings.drawing import BANDS, STRETCHES, Bar, Drawing, GapMap, Visibility

_WIDTH, _LEFT = 900, 90
_INSIDE = _WIDTH - _LEFT - 10
_LANE = 26
_DECADES, _DECADES_OF_LAGS = 5, 3  # that a picture shows
_LETTER = 7.2  # pixels of width
_COLOURS = 4  # that the style sheet has for causes


def witness(drawing: Drawing) -> str:
    """Return a lane for each client, with its operations as bars, and the ids that it was told."""
    clients = list(dict.fromkeys(bar.client for bar in sorted(drawing.bars, key=lambda bar: bar.client)))
    first, last = min(bar.begin for bar in drawing.bars), max(bar.ended for bar in drawing.bars)
    height = _LANE * len(clients) + 30

    def x(moment: float) -> float:
        return _LEFT + (moment - first) / max(last - first, 1e-9) * _INSIDE

    parts = [_text(0, 17 + _LANE * lane, f"client {client}") for lane, client in enumerate(clients)]
    written = dict.fromkeys(clients, 0.0)
    for bar in drawing.bars:
        lane = clients.index(bar.client)
        y, width = 4 + _LANE * lane, max(x(bar.ended) - x(bar.begin), 2)
        told = f", told id {bar.id} at +{bar.told:.6f} s" if bar.told is not None and bar.id is not None else ""
        title = f"client {bar.client}: +{bar.begin:.6f} s to +{bar.ended:.6f} s{told}, {bar.outcome}"
        kind = "culprit" if bar.culprit else "other"
        parts.append(_rect(x(bar.begin), y, width, _LANE - 8, f"bar {kind}", title))
        if bar.told is not None:
            parts.append(_rect(x(bar.told), y, 1.5, _LANE - 8, "tick", "its ids were told"))
        if bar.id is not None and bar.culprit and x(bar.begin) >= written[bar.client]:
            parts.append(_text(x(bar.begin) + 3, y + 13, bar.id, "label"))
            written[bar.client] = x(bar.begin) + _LETTER * (len(bar.id) + 1)
    parts += [_text(_LEFT, height - 6, f"+{first:.6f} s"), _text(_WIDTH - 100, height - 6, f"+{last:.6f} s")]
    return _svg(height, "Operations of the witness, and of the same clients around it", parts)


def ids_over_time(drawing: Drawing) -> str:
    """Return which ids were told when: the more, the darker."""
    assert drawing.ids is not None
    height, wide, high = 220, _INSIDE / STRETCHES, 190 / BANDS
    most = max(count for _, _, count in drawing.heat)
    parts = [
        f'<rect class="heat" x="{_LEFT + stretch * wide:.1f}" y="{195 - (band + 1) * high:.1f}" width="{wide:.1f}" '
        f'height="{high:.1f}" fill-opacity="{0.15 + 0.85 * count / most:.2f}"/>'
        for stretch, band, count in drawing.heat
    ]
    low, top = drawing.ids
    parts += [
        f'<circle class="culprit" r="4" cx="{_LEFT + bar.told / drawing.seconds * _INSIDE:.1f}" '
        f'cy="{195 - (int(bar.id) - low) / max(top - low, 1) * (BANDS - 1) * high - high / 2:.1f}">'
        f"<title>id {escape(bar.id)}, told to client {bar.client} at +{bar.told:.6f} s</title></circle>"
        for bar in drawing.bars
        if bar.culprit and bar.told is not None and bar.id is not None and _is_whole(bar.id)
    ]
    parts += [_text(0, 16, _short(top)), _text(0, 195, _short(low)), *_times(drawing, height)]
    return _svg(height, "Ids over time", parts)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def gap_map(gaps: GapMap) -> str:
    """Return the range of ids as a strip: the taller a column, the more of its ids are missing, coloured by cause."""
    height, wide, most = 130, _INSIDE / BANDS, max(gaps.missing)
    causes = list(dict.fromkeys(cause for cause, _, _ in gaps.known))
    parts = [_rect(_LEFT, 8, _INSIDE, 92, "range", "ids in use")]
    filled = [0] * BANDS
    charged = [0] * BANDS
    for _, part, count in gaps.known:
        charged[part] += count
    rest = [("other", part, missing - charged[part]) for part, missing in enumerate(gaps.missing)]
    for cause, part, count in (*gaps.known, *rest):
        if count > 0:
            tall, under = count / most * 92, filled[part] / most * 92
            kind = "cause-other" if cause == "other" else f"cause-{causes.index(cause) % _COLOURS}"
            first = gaps.low + (gaps.high - gaps.low) * part // BANDS
            title = f"{count:,} ids beyond {first:,}: {_cause(cause)}"
            parts.append(_rect(_LEFT + part * wide, 100 - under - tall, wide, tall, kind, title))
            filled[part] += count
    parts += [_text(0, 16, f"{most:,} missing"), _text(_LEFT, height - 12, f"id {_short(gaps.low)}")]
    parts.append(_text(_WIDTH - 110, height - 12, f"id {_short(gaps.high)}"))
    legend = [(f"cause-{place % _COLOURS}", cause) for place, cause in enumerate(causes)]
    legend += [("cause-other", "other")] if any(count for _, _, count in rest) else []
    for place, (kind, cause) in enumerate(legend):
        x = _LEFT + 130 + place * 95
        parts += [_rect(x, height - 21, 10, 10, kind, cause), _text(x + 14, height - 12, cause.replace("_", " "))]
    return _svg(height, "Where ids are missing", parts)


def gap_words(gaps: GapMap) -> str:
    """Return what is to be seen in a gap map."""
    charged = Counter[str]()
    for cause, _, count in gaps.known:
        charged[cause] += count
    other = sum(gaps.missing) - charged.total()
    told = [f"{count:,} {_cause(cause)}" for cause, count in [*charged.items(), ("other", other)] if count]
    return f"From the lowest id to the highest, where ids are missing: {', '.join(told)}."


def _cause(cause: str) -> str:
    return "for other reasons, which the table names" if cause == "other" else cause.replace("_", " ")


def visibility(seen: Visibility) -> str:
    """Return the share of rows that had been seen after so long, on a scale of powers of ten, and the safe lag."""
    height, longest = 190, max(*seen.lags, seen.safe or 0, 1e-3)
    least = max(min(seen.lags), longest / 10**_DECADES_OF_LAGS)
    decades = max(log10(longest / least), 1.0)

    def x(milliseconds: float) -> float:
        return _LEFT + max(0.0, log10(max(milliseconds, least) / least) / decades) * _INSIDE

    def y(share: float) -> float:
        return 150 - share * 135

    dots = [(x(lag), y(place / (len(seen.lags) - 1))) for place, lag in enumerate(seen.lags)]
    parts = [_line("median", *one, *other) for one, other in pairwise(dots)]
    if seen.safe:
        parts += [_line("most", x(seen.safe), 15, x(seen.safe), 150)]
        parts.append(_text(min(x(seen.safe) + 4, _WIDTH - 130), 26, f"safe: {seen.safe:g} ms", "most"))
    parts += [_text(0, y(share) + 4, f"{share:.0%}") for share in (0, 0.5, 1)]
    most = least * 10**decades
    parts += [_text(_LEFT, height - 8, f"{least:.3g} ms"), _text(_WIDTH - 90, height - 8, f"{most:.3g} ms")]
    return _svg(height, "Share of the rows that a reader had seen, over the time since they were acknowledged", parts)


def lag_words(seen: Visibility) -> str:
    """Return what is to be seen in the picture of a reader's lag."""
    missed = "it missed none" if not seen.missed else f"{seen.missed:,} it never saw"
    safe = f"; to miss none it would have had to wait {seen.safe:g} ms with each id" if seen.safe else ""
    return f"How much of {seen.seen:,} rows a reader had seen how long after their COMMIT; {missed}{safe}."


def rates(drawing: Drawing) -> str:
    """Return how many operations ended in each stretch of time, those that failed on top."""
    height, wide = 150, _INSIDE / len(drawing.acknowledged)
    most = max(map(sum, zip(drawing.acknowledged, drawing.failed, strict=True))) or 1
    parts = list[str]()
    for place, (ok, failed) in enumerate(zip(drawing.acknowledged, drawing.failed, strict=True)):
        x, tall, more = _LEFT + place * wide, ok / most * 115, failed / most * 115
        parts += [_rect(x, 125 - tall, wide - 0.5, tall, "ok", f"{ok:,} acknowledged")] if ok else []
        parts += [_rect(x, 125 - tall - more, wide - 0.5, more, "failed", f"{failed:,} failed")] if failed else []
    each = drawing.seconds / len(drawing.acknowledged)
    parts += [_text(0, 16, f"{most / each:,.0f}/s"), _text(0, 125, "0"), *_times(drawing, height)]
    return _svg(height, "Operations a second", parts)


def latencies(drawing: Drawing) -> str:
    """Return median, 99 % and the longest of each stretch of time, on a scale of powers of ten."""
    known = [one for one in drawing.latencies if one is not None]
    height, wide = 170, _INSIDE / len(drawing.latencies)
    top = max(1, int(log10(max(max(one) for one in known) or 1)) + 1)

    def y(milliseconds: float) -> float:
        return 145 - max(0.0, (log10(max(milliseconds, 1e-6)) - top + _DECADES) / _DECADES) * 135

    parts = [_text(0, y(10.0**power) + 4, f"{10.0**power:g} ms") for power in range(top - _DECADES + 1, top + 1)]
    for number, name in enumerate(("median", "p99", "most")):
        dots = [(_LEFT + (place + 0.5) * wide, y(one[number])) for place, one in enumerate(drawing.latencies) if one]
        parts += [_line(name, *one, *other) for one, other in pairwise(dots)]
        if dots:
            parts.append(_text(_LEFT + 300 + 80 * number, height - 8, name, name))
    return _svg(height, "Latency", [*parts, *_times(drawing, height)])


def culprits(bars: Sequence[Bar]) -> str:
    """Return the story of a witness in words: who was told what, when."""
    told = [
        f"client {bar.client} was told {bar.id} at +{bar.told:.6f} s ({bar.outcome})"
        for bar in bars
        if bar.culprit and bar.told is not None and bar.id is not None
    ]
    return "; ".join(told)


def _times(drawing: Drawing, height: int) -> Iterator[str]:
    yield _text(_LEFT, height - 8, "0 s")
    yield _text(_WIDTH - 60, height - 8, f"{drawing.seconds:.3g} s")


def _short(number: int) -> str:
    return f"{number:,}" if abs(number) < 10**9 else f"{number:.3e}"


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}><title>{escape(title)}</title></rect>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, kind: str = "axis") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
