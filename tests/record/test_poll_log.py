"""What a reader saw reads back as it was written: cut short, packed, or damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from idstorm.errors import UnreadableRun
from idstorm.record.poll_log import Log, Reading, pack_reading, read_reading
from idstorm.record.stamp import Stamp

STAMP = Stamp("run", "storm", 1000)


def written(folder: Path, *, complete: bool = True) -> Reading:
    log = Log(folder, 1000)
    log.write(10, 12, [7, -1, 8], 3, last=False)
    log.write(20, 21, [], 3, last=False)
    log.write(30, 34, [1 << 62], 4, last=complete)
    log.close()
    reading = read_reading(folder, STAMP)
    assert reading is not None
    return reading


def same(one: Reading, other: Reading | None) -> bool:
    assert other is not None
    columns = ("begin", "ended", "counts", "high", "tokens")
    return one.complete == other.complete and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in columns
    )


def test_where_nobody_read_there_is_no_reading(tmp_path: Path) -> None:
    pack_reading(tmp_path, STAMP)
    assert read_reading(tmp_path, STAMP) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("complete", [True, False])
def test_what_is_packed_reads_back_as_it_was(tmp_path: Path, complete: bool) -> None:
    before = written(tmp_path, complete=complete)
    assert before.counts.tolist() == [3, 0, 1]
    assert before.tokens.tolist() == [7, -1, 8, 1 << 62]
    assert before.complete is complete
    pack_reading(tmp_path, STAMP)
    assert [path.name for path in tmp_path.iterdir()] == ["reader.zip"]
    assert same(before, read_reading(tmp_path, STAMP))


def test_a_reading_cut_short_is_what_came_before(tmp_path: Path) -> None:
    written(tmp_path)
    polls = tmp_path / "reader.polls"
    polls.write_bytes(polls.read_bytes()[:-3])
    reading = read_reading(tmp_path, STAMP)
    assert reading is not None
    assert (len(reading), reading.tokens.tolist(), reading.complete) == (2, [7, -1, 8], False)


def test_a_damaged_reading_is_not_taken_for_one(tmp_path: Path) -> None:
    written(tmp_path)
    pack_reading(tmp_path, STAMP)
    packed = tmp_path / "reader.zip"
    packed.write_bytes(packed.read_bytes()[:100])
    with pytest.raises(UnreadableRun, match="damaged"):
        read_reading(tmp_path, STAMP)
