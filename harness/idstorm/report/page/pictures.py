"""The pictures of a page, as SVG: bars of a witness, ids over time, rates and latencies.

Colours come from the page's style sheet, so that they follow light and dark. Each picture has a title and a sentence,
and what is shown by colour is also written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from math import log10

from idstorm.findings.drawing import BANDS, STRETCHES, Bar, Drawing

_WIDTH, _LEFT = 900, 90
_INSIDE = _WIDTH - _LEFT - 10
_LANE = 26
_DECADES = 5  # of latencies that a picture shows
_LETTER = 7.2  # pixels of width


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
    parts += [_text(0, 16, _short(top)), _text(0, 195, _short(low)), *_times(drawing, height)]
    return _svg(height, "Ids over time", parts)


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
        parts += [
            f'<line class="{name}" x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}"/>'
            for (a, b), (c, d) in pairwise(dots)
        ]
        if dots:
            parts.append(_text(_WIDTH - 60, 16 + 16 * number, name, name))
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


def _text(x: float, y: float, words: str, kind: str = "axis") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
