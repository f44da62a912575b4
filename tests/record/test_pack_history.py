"""A finished storm's tapes become one small file that says the same, word for word."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from histories import plan
from idstorm.errors import UnreadableRun
from idstorm.record.code import Code
from idstorm.record.columns import Keys
from idstorm.record.history import History
from idstorm.record.keys import Burned, Codec, Existing
from idstorm.record.load_history import read_packed, read_tapes
from idstorm.record.outcome import Outcome
from idstorm.record.pack_history import HISTORY, compact
from idstorm.record.plan import Fleet, Plan
from idstorm.record.tape import Flag, Kind, Tape

CODECS = [Codec("int64"), Codec("uuid"), Codec("text", 16)]


def written(folder: Path, codec: Codec, batch: int, operations: int = 300) -> Plan:
    """Write tapes of three clients, one of which does nothing, with all that can happen to an operation."""
    made = replace(plan(clients=3, codec=codec), fleet=Fleet(processes=1, clients=3, inserts=1, batch=batch))
    (folder / "tapes").mkdir()
    random, now = Random(5), 1_000

    def id_() -> object:
        number = random.randrange(1 << 40)
        return {"int64": number, "uuid": f"{number:032x}", "text": f"id-{number}"}[codec.kind]

    for client in (0, 2):
        tape = Tape(folder / "tapes", client, batch, codec, made.tokens.base)
        for place in range(operations):
            tape.reserve()
            rows, now = random.randint(1, batch), now + random.randrange(1, 1_000)
            if place % 9 == 8:
                tape.begin(Kind.DELETE, rows, now)
                tape.aim(range(made.tokens.first(client), made.tokens.first(client) + rows), now)
            else:
                tape.begin(Kind.INSERT, rows, now)
            if place == operations - 1:
                break  # killed
            if place % 5 == 4:
                number = tape.code(Code(f"code {place % 3}", shown="x"))
                tape.end(Outcome.FAILED | Flag.UNCONNECTED << 8 | number << 16, now + 7)
                continue
            if place % 9 != 8:
                tape.hand([random.choice([id_(), None, Existing(id_()), Burned(id_())]) for _ in range(rows)], now + 3)
            tape.commit(now + 5)
            tape.end(Outcome.OK, now + 6)
    return made


def same(one: History, other: History) -> bool:
    def equal(a: object, b: object) -> bool:
        if isinstance(a, Keys) and isinstance(b, Keys):
            return a.codec == b.codec and bool((a.words == b.words).all())
        return np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b

    return all(equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(History))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.kind)
@pytest.mark.parametrize("batch", [1, 3, 20])
def test_what_is_read_back_is_what_the_tapes_held(tmp_path: Path, codec: Codec, batch: int) -> None:
    made = written(tmp_path, codec, batch)
    before = read_tapes(tmp_path / "tapes", made)
    assert len(before) == 600
    compact(tmp_path, made)
    assert not (tmp_path / "tapes").exists()
    assert same(read_packed(tmp_path / HISTORY, made), before)


def test_of_a_plain_operation_few_bytes_are_left(tmp_path: Path) -> None:
    made = plan(clients=2)
    (tmp_path / "tapes").mkdir()
    random = Random(1)
    for client in range(2):
        tape, now = Tape(tmp_path / "tapes", client, 1, Codec("int64"), made.tokens.base), 10**15
        for place in range(20_000):
            tape.reserve()
            tape.begin(Kind.INSERT, 1, now)
            tape.hand([2 * place + client], now := now + random.randrange(200_000, 900_000))
            tape.commit(now := now + random.randrange(2_000, 9_000))
            tape.end(Outcome.OK, now := now + random.randrange(100_000, 3_000_000))
            now += random.randrange(10_000, 90_000)
    compact(tmp_path, made)
    assert (tmp_path / HISTORY).stat().st_size / 40_000 < 14


def test_the_history_of_another_plan_is_refused(tmp_path: Path) -> None:
    made = written(tmp_path, Codec("int64"), 1)
    compact(tmp_path, made)
    with pytest.raises(UnreadableRun, match="does not belong to this plan"):
        read_packed(tmp_path / HISTORY, replace(made, fleet=Fleet(processes=1, clients=2, inserts=1)))


def test_where_there_is_no_space_the_tapes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = written(tmp_path, Codec("int64"), 1)
    before = read_tapes(tmp_path / "tapes", made)
    (tmp_path / f"{HISTORY}.partial").mkdir()  # where nothing can be written
    with pytest.raises(OSError, match=HISTORY):
        compact(tmp_path, made)
    assert same(read_tapes(tmp_path / "tapes", made), before)
