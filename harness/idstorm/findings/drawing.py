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
class GapMap:
    """Where ids are missing between the lowest and the highest of the storm's own, which is cut into `BANDS` parts."""

    low: int
    high: int
    missing: tuple[int, ...]  #: ids in each part
    known: tuple[tuple[str, int, int], ...]  #: cause, part, and how many of those missing are known to be due to it


@dataclass(frozen=True)
class Visibility:
    """How long rows took from their acknowledgement until a reader saw them."""

    lags: tuple[float, ...]  #: milliseconds in which each hundredth of those that were seen had been, 0 to 100
    seen: int  #: rows
    missed: int  #: rows that the reader passed by
    safe: float | None  #: milliseconds that it would have had to wait with each id; None: that is not known


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
    gaps: GapMap | None = None  #: None: there are none, or the ids have no order
    visibility: Visibility | None = None  #: None: nobody read
