"""Which pictures a storm has, each with a sentence that says what to see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from idstorm.findings.drawing import Drawing
from idstorm.report.page import pictures


@dataclass(frozen=True)
class Picture:
    """One picture, with a sentence that says what to see."""

    heading: str
    svg: Markup
    words: str


def pictures_of(drawing: Drawing | None) -> Iterator[Picture]:
    """Yield the pictures of a storm."""
    if drawing is None:
        return
    if drawing.bars:
        told = pictures.culprits(drawing.bars)
        words = f"Red bars are the operations of the first witness of {drawing.check}; a tick is when ids were told."
        yield Picture("A witness", Markup(pictures.witness(drawing)), f"{words} {told}{'.' if told else ''}".rstrip())
    if drawing.ids is not None and drawing.heat:
        words = "A rising line is a generator that counts; a falling one has handed ids out again; caches are stripes."
        dots = " Red dots are ids of the witness." if drawing.bars else ""
        yield Picture("Ids over time", Markup(pictures.ids_over_time(drawing)), f"{words}{dots}")
    if drawing.gaps is not None:
        yield Picture("Gap map", Markup(pictures.gap_map(drawing.gaps)), pictures.gap_words(drawing.gaps))
    yield Picture("Rate", Markup(pictures.rates(drawing)), "Green operations were acknowledged, red ones were not.")
    if any(drawing.latencies):
        words = "Of acknowledged operations: the median, 99 of 100, and the longest, on a scale of powers of ten."
        yield Picture("Latency", Markup(pictures.latencies(drawing)), words)
    if drawing.visibility is not None:
        yield Picture(
            "Visibility", Markup(pictures.visibility(drawing.visibility)), pictures.lag_words(drawing.visibility)
        )
