"""The reading end of a tape: its segments, as records."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from idstorm.errors import UnreadableRun
from idstorm.record import tape
from idstorm.record.columns import Ints
from idstorm.record.files import intact, loads, read_text, refuse_newer
from idstorm.record.stamp import Stamp

_MUCH, _SPARSEST = 1 << 28, 64  # bytes of tapes; and how many of them there are for each that is on disk


def read_segment(path: Path, layout: tape.Layout, stamp: Stamp | None = None) -> Ints:
    """Return the records of one segment that were begun, shape (operations, words), mapped and not copied.

    Raises UnreadableRun for what is not a segment of such a layout, or is one of another storm. A segment that was
    never begun has no records.
    """
    size = path.stat().st_size // 8
    if size < tape.HEADER_WORDS:
        return np.zeros((0, layout.words), np.int64)
    words = np.memmap(path, np.int64, "r", shape=(size,))
    if words[0] == 0:
        return np.zeros((0, layout.words), np.int64)
    if words[0] != tape.MAGIC:
        raise UnreadableRun(f"{path} is not a tape")
    refuse_newer(path, int(words[1]), tape.VERSION)
    if (int(words[4]), int(words[5])) != (layout.rows, layout.key_words):
        raise UnreadableRun(f"{path} does not belong to this plan")
    if stamp is not None:
        stamp.check_base(int(words[7]), path)
    capacity = max(0, min(int(words[6]), (size - tape.HEADER_WORDS) // layout.words))
    if size * 8 > layout.largest_segment:  # of which the most may be a hole, that is nothing on disk and much in memory
        raise UnreadableRun(f"{path} is larger than idstorm makes them")
    records = words[tape.HEADER_WORDS : tape.HEADER_WORDS + capacity * layout.words].reshape(capacity, layout.words)
    # Records are begun in order, so a binary search finds the first that was not.
    begun = int(np.searchsorted(-(records[:, tape.BEGIN] != 0).astype(np.int8), 0))
    return np.asarray(records[:begun])


def refuse_holes(folder: Path) -> None:
    """Raise UnreadableRun if tapes are much larger than the space they take on disk: they would fill the memory.

    A storm's own tapes are fully allocated on disk, and even a sparse copy of them saves far less.
    """
    found = [path.stat() for path in folder.glob("client-*.tape")]
    size, on_disk = sum(one.st_size for one in found), sum(one.st_blocks for one in found) * 512
    if size > _MUCH and size > _SPARSEST * on_disk:
        raise UnreadableRun(f"the tapes in {folder} are nothing but holes: {size:,} bytes, of which {on_disk:,} exist")


def segments(folder: Path, client: int) -> list[Path]:
    """Return the segments of a client's tape, in order."""
    return sorted(folder.glob(f"client-{client:04}.*.tape"))


def trim(folder: Path, client: int, layout: tape.Layout) -> None:
    """Give back the disk space that a finished tape did not use."""
    for path in segments(folder, client):
        used = tape.HEADER_WORDS + read_segment(path, layout).size
        if used * 8 < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(used * 8)


def owners_of(folder: Path, client: int, stamp: Stamp) -> Ints:
    """Return the tokens of other rows that a client was told of, in the order of its tape. Raises UnreadableRun."""
    path = tape.owners_path(folder, client)
    words = np.fromfile(path, np.int64) if path.exists() else np.zeros(0, np.int64)
    if len(words):
        stamp.check_base(int(words[0]), path)
    return words[1:]


def codes_of(folder: Path, client: int, stamp: Stamp) -> list[str]:
    """Return the lines of a client's error codes. Raises UnreadableRun where they are those of another storm."""
    path = tape.codes_path(folder, client)
    with intact(path):
        lines = read_text(path).splitlines() if path.exists() else []
    for line in lines:
        with suppress(ValueError, AttributeError):  # a line that is not one of codes is refused when it is parsed
            stamp.check_base(loads(line).get("base"), path)
    return lines


def records_of(folder: Path, client: int, layout: tape.Layout, stamp: Stamp) -> Ints:
    """Return all records of a client's tape, shape (operations, words). Raises UnreadableRun."""
    parts = [read_segment(path, layout, stamp) for path in segments(folder, client)]
    return np.concatenate(parts) if parts else np.zeros((0, layout.words), np.int64)
