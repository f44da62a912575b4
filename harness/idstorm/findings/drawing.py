"""What the pictures of a storm show: counted by the judge, and of a bounded size, so that a report has only to draw."""

from __future__ import annotations

from dataclasses import dataclass

STRETCHES, BANDS = 96, 64  #: into how many parts the time of a storm, and the range of its ids, are cut


@dataclass(frozen=True)
class Bar:
    """One operation of a client, as a bar from its beginning to its end. Times are seconds of the storm."""

    client: int
    begin: float
    told: float | None  #: when its ids were told
    ended: float
    id: str | None  #: of its first row
    outcome: str
    culprit: bool  #: it is one of the witness's own


@dataclass(frozen=True)
class Drawing:
    """The pictures of one storm."""

    seconds: float  #: from the first operation's beginning to the last one's end
    acknowledged: tuple[int, ...]  #: operations in each stretch of time, all as long
    failed: tuple[int, ...]  #: the same of those that failed, or of whose end nothing is known
    latencies: tuple[tuple[float, float, float] | None, ...]  #: median, 99 % and most of each stretch, in milliseconds
    heat: tuple[tuple[int, int, int], ...]  #: stretch of time, stretch of ids, and how many ids were told there
    ids: tuple[int, int] | None  #: the lowest and the highest id; None: they are not numbers
    check: str | None  #: whose witness the bars show
    bars: tuple[Bar, ...]
