"""The reading end of a tape: its segments, as records."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from idstorm.errors import UnreadableRun
from idstorm.record import tape
from idstorm.record.columns import Ints


def read_segment(path: Path, layout: tape.Layout) -> Ints:
    """Return the records of one segment that were begun, shape (operations, words), mapped and not copied.

    Raises UnreadableRun for what is no segment of such a layout. A segment that was never begun has no records.
    """
    size = path.stat().st_size // 8
    if size < tape.HEADER_WORDS:
        return np.zeros((0, layout.words), np.int64)
    words = np.memmap(path, np.int64, "r", shape=(size,))
    if words[0] == 0:
        return np.zeros((0, layout.words), np.int64)
    if words[0] != tape.MAGIC:
        raise UnreadableRun(f"{path} is no tape")
    if words[1] > tape.VERSION:
        raise UnreadableRun(f"{path} was written by a newer idstorm (tape format {words[1]}): upgrade to read it")
    if (int(words[4]), int(words[5])) != (layout.rows, layout.key_words):
        raise UnreadableRun(f"{path} does not belong to this plan")
    capacity = min(int(words[6]), (size - tape.HEADER_WORDS) // layout.words)
    records = words[tape.HEADER_WORDS : tape.HEADER_WORDS + capacity * layout.words].reshape(capacity, layout.words)
    # Records are begun one after the other, so the first that was not is found by halving.
    begun = int(np.searchsorted(-(records[:, tape.BEGIN] != 0).astype(np.int8), 0))
    return np.asarray(records[:begun])


def segments(folder: Path, client: int) -> list[Path]:
    """Return the segments of a client's tape, in order."""
    return sorted(folder.glob(f"client-{client:04}.*.tape"))


def trim(folder: Path, client: int, layout: tape.Layout) -> None:
    """Give back the disk space that a finished tape did not come to use."""
    for path in segments(folder, client):
        used = tape.HEADER_WORDS + read_segment(path, layout).size
        if used * 8 < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(used * 8)


def owners_of(folder: Path, client: int) -> Ints:
    """Return the tokens of other rows that a client was told of, in the order of its tape."""
    path = tape.owners_path(folder, client)
    return np.fromfile(path, np.int64) if path.exists() else np.zeros(0, np.int64)


def records_of(folder: Path, client: int, layout: tape.Layout) -> Ints:
    """Return all records of a client's tape, shape (operations, words)."""
    parts = [read_segment(path, layout) for path in segments(folder, client)]
    return np.concatenate(parts) if parts else np.zeros((0, layout.words), np.int64)
