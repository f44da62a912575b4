"""What is packed comes back word for word, is small where numbers follow one another, and damage is noticed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idstorm.errors import UnreadableRun
from idstorm.record import archive
from idstorm.record.archive import Packed, new_archive
from idstorm.record.stamp import Stamp

STAMP = Stamp("run", "storm", 1)
WORDS = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=60), st.sampled_from([1, 7, 1_000]))
def test_any_numbers_come_back(numbers: list[int], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(archive, "_PIECE", piece)
        path = Path(folder, "numbers.zip")
        with new_archive(path, STAMP, {"what": "numbers"}) as packing:
            packing.add("some", np.array(numbers, np.int64))
        with Packed(path, STAMP) as read:
            assert read.read("some").tolist() == numbers
            assert read.about["what"] == "numbers"


def test_numbers_that_follow_one_another_take_little(tmp_path: Path) -> None:
    ids = np.arange(1_000_000) * 3
    with new_archive(tmp_path / "ids.zip", STAMP, {}) as packing:
        packing.add("ids", ids)
        packing.add_text("words", "some\nlines")
    assert (tmp_path / "ids.zip").stat().st_size < 50_000
    with Packed(tmp_path / "ids.zip", STAMP) as read:
        assert (read.read("ids") == ids).all()
        assert read.read_text("words") == "some\nlines"
        assert "ids" in read
        assert "words" in read
        assert "others" not in read


def test_an_archive_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def pack() -> None:
        with new_archive(tmp_path / "ids.zip", STAMP, {}) as packing:
            packing.add("ids", np.arange(10))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pack()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at", [100, 1_500, 4_000])
def test_a_byte_that_changed_is_noticed(tmp_path: Path, at: int) -> None:
    path = tmp_path / "ids.zip"
    with new_archive(path, STAMP, {}) as packing:
        packing.add("ids", np.random.default_rng(1).integers(0, 1 << 40, 1_000))
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UnreadableRun), Packed(path, STAMP) as read:
        read.read("ids")


@pytest.mark.parametrize(("name", "size"), [("short", 8), ("long", 16)])
def test_a_column_that_is_shorter_or_longer_than_it_should_be_is_noticed(tmp_path: Path, name: str, size: int) -> None:
    with zipfile.ZipFile(tmp_path / "ids.zip", "w") as archive:
        about = {"format": 1, "stamp": STAMP.to_json(), "columns": {name: {"short": 2, "long": 1}[name]}, "texts": []}
        archive.writestr("about.json", json.dumps(about))
        archive.writestr(name, bytes(size))
    with pytest.raises(UnreadableRun, match="has the wrong length"):
        Packed(tmp_path / "ids.zip", STAMP)


def test_a_column_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    with new_archive(tmp_path / "ids.zip", STAMP, {}) as packing:
        packing.add("ids", np.arange(10))
    with Packed(tmp_path / "ids.zip", STAMP) as read, pytest.raises(UnreadableRun):
        read.read("others")
