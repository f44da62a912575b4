"""A tape survives whatever ends its process, and stops its client before the disk is full."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from idstorm.errors import UnreadableRun
from idstorm.findings.results import Stance
from idstorm.record.code import OTHERS, Code
from idstorm.record.history import History
from idstorm.record.keys import Codec, Existing
from idstorm.record.load_history import read_tapes
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Claim, Fleet, Ids, Plan, Pool, Target, Tokens
from idstorm.record.tape import COMMIT, MOST_CODES, Flag, Kind, Layout, Tape, Told
from idstorm.record.tape_reader import codes_of, read_segment, segments, trim
from running import eventually

BASE = 1_000_000


def plan(batch: int = 1, codec: Codec | None = None, clients: int = 1) -> Plan:
    return Plan(
        run="run",
        storm="storm",
        scenario="scenario",
        reference="reference",
        path=(),
        target=Target("sqlite", "sqlite", "pysqlite", "3", "sqlite://"),
        fleet=Fleet(processes=1, clients=clients, batch=batch, inserts=1),
        pool=Pool(1),
        ids=Ids(("t.id",), codec or Codec("int64"), "t.token"),
        tokens=Tokens(BASE),
        claims={"unique": Claim(Stance.HOLDS)},
    )


def record(tape: Tape, number: int) -> None:
    tape.reserve()
    tape.begin(Kind.INSERT, 1, 4 * number + 1)
    tape.hand([number], 4 * number + 2)
    tape.commit(4 * number + 3)
    tape.end(Outcome.OK, 4 * number + 4)


def test_what_is_recorded_reads_back_exactly(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 3, Codec("int64"), BASE)
    tape.reserve()
    tape.begin(Kind.INSERT, 3, 10)
    tape.hand([7, None, Existing(9)], 11)
    tape.commit(12)
    tape.end(Outcome.OK, 13)
    tape.reserve()
    tape.begin(Kind.DELETE, 1, 20)
    tape.aim([BASE], 21)
    tape.commit(22)
    tape.end(Outcome.UNKNOWN | tape.code(Code("sqlite:5", shown="locked")) << 16, 23)
    tape.reserve()
    tape.begin(Kind.INSERT, 2, 30)
    tape.hand(["8", 10], 31)
    tape.end(Outcome.FAILED | Flag.DELIBERATE << 8, 32)

    history = read_tapes(tmp_path, plan(batch=3))

    assert history.kind.tolist() == [Kind.INSERT, Kind.DELETE, Kind.INSERT]
    assert history.rows.tolist() == [3, 1, 2]
    assert history.told.tolist() == [Told.ID, Told.NO_ROW, Told.EXISTING, Told.ID, Told.ID]
    assert history.keys.words[[0, 2, 3, 4]].tolist() == [7, 9, 8, 10]
    assert history.outcome.tolist() == [Outcome.OK, Outcome.UNKNOWN, Outcome.FAILED]
    assert history.flags.tolist() == [0, 0, Flag.DELIBERATE]
    assert (history.deleted.tolist(), history.deleted_by.tolist()) == ([0], [1])
    assert [code.name for code in history.codes] == ["sqlite:5"]
    assert history.code.tolist() == [0, 1, 0]
    assert history.begin.tolist() == [10, 20, 30]
    assert history.handed.tolist() == [11, 21, 31]
    (path,) = segments(tmp_path, 0)
    assert read_segment(path, Layout(3, 1))[:, COMMIT].tolist() == [12, 22, 0]
    assert history.ended.tolist() == [13, 23, 32]


def test_a_tape_grows_by_segments_and_is_read_as_one(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 1, Codec("int64"), BASE)
    for number in range(20_000):
        record(tape, number)
    assert len(segments(tmp_path, 0)) > 2
    history = read_tapes(tmp_path, plan())
    assert history.keys.words.tolist() == list(range(20_000))


@pytest.mark.parametrize("moment", range(4))
def test_an_operation_that_was_cut_short_is_unknown(tmp_path: Path, moment: int) -> None:
    tape = Tape(tmp_path, 0, 1, Codec("int64"), BASE)
    record(tape, 1)
    tape.reserve()
    steps: list[Callable[[], None]] = [
        lambda: tape.begin(Kind.INSERT, 1, 100),
        lambda: tape.hand([2], 101),
        lambda: tape.commit(102),
    ]
    for step in steps[:moment]:
        step()
    history = read_tapes(tmp_path, plan())
    assert history.outcome.tolist() == [Outcome.OK, Outcome.UNKNOWN][: 1 + (moment > 0)]
    assert history.told.tolist() == [Told.ID, Told.ID if moment > 1 else Told.NOTHING][: 1 + (moment > 0)]


def test_a_result_that_was_stored_but_not_published_counts_for_nothing(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 1, Codec("int64"), BASE)
    record(tape, 1)
    (path,) = segments(tmp_path, 0)
    layout = Layout(1, 1)
    with path.open("r+b") as file:
        file.seek((8 + 3) * 8)  # the word ENDED of the first record
        file.write(bytes(8))
    assert read_segment(path, layout).shape == (1, layout.words)
    assert read_tapes(tmp_path, plan()).outcome.tolist() == [Outcome.UNKNOWN]


_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from idstorm.record.keys import Codec
from idstorm.record.tape import Tape
from test_tape import record
tape = Tape(Path(sys.argv[1]), 0, 1, Codec("int64"), 1_000_000)
number = 0
while True:
    number += 1
    record(tape, number)
"""


@pytest.mark.parametrize("attempt", range(12))
def test_a_kill_at_any_instant_leaves_a_tape_that_reads_back_exactly(tmp_path: Path, attempt: int) -> None:
    here = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), str(here)], env=environ)
    eventually(lambda: segments(tmp_path, 0))
    time.sleep(random.Random(attempt).uniform(0.0, 0.05))
    writer.send_signal(signal.SIGKILL)
    writer.wait()

    history = read_tapes(tmp_path, plan())
    _is_exact(history)


def _is_exact(history: History) -> None:
    whole = len(history) - 1
    numbers = range(1, whole + 1)
    assert history.keys.words[:whole].tolist() == list(numbers)
    assert history.outcome[:whole].tolist() == [Outcome.OK] * whole
    for offset, moments in {1: history.begin, 2: history.handed, 4: history.ended}.items():
        assert moments[:whole].tolist() == [4 * number + offset for number in numbers]
    if history.ended[whole:].any():
        assert history.outcome[whole:].tolist() == [Outcome.OK]
    else:
        assert history.outcome[whole:].tolist() in ([Outcome.UNKNOWN], [])


def test_the_space_of_an_operation_is_on_disk_before_it_begins(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 100, Codec("text", 64), BASE)
    tape.reserve()
    (path,) = segments(tmp_path, 0)
    status = path.stat()
    assert status.st_blocks * 512 >= status.st_size


_UNTIL_FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
from idstorm.record.keys import Codec
from idstorm.record.tape import Tape
from test_tape import record
tape = Tape(Path(sys.argv[1]), 0, 1, Codec("int64"), 1_000_000)
for number in range(1_000_000):
    try:
        record(tape, number)
    except OSError:
        print(number)
        break
"""


def test_a_segment_that_cannot_be_had_stops_the_client_before_it_acts(tmp_path: Path) -> None:
    here = Path(__file__).parent
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _UNTIL_FULL, str(tmp_path), str(here)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    history = read_tapes(tmp_path, plan())
    assert len(history) == int(done.stdout) > 1_000
    assert (history.outcome == Outcome.OK).all()


def test_a_trimmed_tape_is_smaller_and_reads_the_same(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 1, Codec("int64"), BASE)
    record(tape, 1)
    (path,) = segments(tmp_path, 0)
    before = path.stat().st_size
    trim(tmp_path, 0, Layout(1, 1))
    assert path.stat().st_size < before
    assert read_tapes(tmp_path, plan()).keys.words.tolist() == [1]


def test_a_client_that_never_began_has_an_empty_tape(tmp_path: Path) -> None:
    history = read_tapes(tmp_path, plan(clients=3))
    assert len(history) == 0
    assert history.op_offsets.tolist() == [0, 0, 0, 0]


def test_an_owner_is_named_by_its_token_as_its_column_holds_it(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 6, Codec("int64"), BASE)
    tape.reserve()
    tape.begin(Kind.INSERT, 6, 10)
    tokens: list[int | str | None] = [BASE, str(BASE), "of another application", None, -5, 1 << 70]
    tape.hand([Existing(number, token=token) for number, token in enumerate(tokens)], 11)
    tape.end(Outcome.OK, 12)
    history = read_tapes(tmp_path, plan(batch=6))
    assert history.owners is not None
    assert history.owners.tolist() == [BASE, BASE, -1, -1, -1, -1]
    assert set(history.told.tolist()) == {Told.EXISTING}


def test_errors_of_one_name_stay_apart_where_one_alone_is_a_refusal(tmp_path: Path) -> None:
    """MariaDB calls the primary key of every table PRIMARY."""
    for client, refused in enumerate((False, True)):
        tape = Tape(tmp_path, client, 1, Codec("int64"), BASE)
        tape.reserve()
        tape.begin(Kind.INSERT, 1, 10)
        tape.end(Outcome.FAILED | tape.code(Code("mariadb:1062 of PRIMARY", refused=refused)) << 16, 11)
    history = read_tapes(tmp_path, plan(clients=2))
    assert [history.codes[code - 1].refused for code in history.code] == [False, True]


MEANINGS = [Code("", recognised=False), Code("", refused=True), Code("", raced=True), Code("")]


def test_errors_of_too_many_kinds_are_called_others_and_keep_what_they_mean(tmp_path: Path) -> None:
    tape = Tape(tmp_path, 0, 1, Codec("int64"), BASE)
    given = [replace(MEANINGS[place % 4], name=f"error {place}") for place in range(MOST_CODES + 400)]
    for now, code in enumerate(given, start=1):
        tape.reserve()
        tape.begin(Kind.INSERT, 1, 2 * now)
        number = tape.known_code(code.kind) or tape.code(code)
        tape.end(Outcome.FAILED | number << 16, 2 * now + 1)
    history = read_tapes(tmp_path, plan())
    kept = [history.codes[number - 1] for number in history.code]
    assert [code.kind[1:] for code in kept] == [code.kind[1:] for code in given]
    assert [code.name for code in kept] == [code.name for code in given[:MOST_CODES]] + [OTHERS] * 400
    assert len(history.codes) == MOST_CODES + len(MEANINGS)


@pytest.mark.parametrize("name", [False, True])
def test_what_errors_have_to_say_is_never_more_than_can_be_read(tmp_path: Path, *, name: bool) -> None:
    tape, long = Tape(tmp_path, 0, 1, Codec("int64"), BASE), "\U0001f600" * 100_000
    for number in range(MOST_CODES):
        tape.code(Code(f"{number} {long if name else ''}", message=long, shown=long, raced=number % 2 == 0))
    codes = codes_of(tmp_path, 0, plan().stamp)
    assert [Code.from_line(line).name for line in codes[-2:]] == [OTHERS] * 2


def test_all_clients_together_may_see_more_kinds_of_error_than_fit_16_bits(tmp_path: Path) -> None:
    clients = 70
    for client in range(clients):
        tape = Tape(tmp_path, client, 1, Codec("int64"), BASE)
        for number in range(MOST_CODES):
            code = tape.code(Code(f"error {client} {number}"))
        tape.reserve()
        tape.begin(Kind.INSERT, 1, 10)
        tape.end(Outcome.FAILED | code << 16, 11)
    history = read_tapes(tmp_path, plan(clients=clients))
    assert history.codes[int(history.code[-1]) - 1].name == f"error {clients - 1} {MOST_CODES - 1}"


def test_a_foreign_file_is_no_tape(tmp_path: Path) -> None:
    (tmp_path / "client-0000.000000.tape").write_bytes(b"something else" * 100)
    with pytest.raises(UnreadableRun, match="not a tape"):
        read_tapes(tmp_path, plan())


def test_a_tape_of_another_plan_is_refused(tmp_path: Path) -> None:
    record(Tape(tmp_path, 0, 1, Codec("int64"), BASE), 1)
    with pytest.raises(UnreadableRun, match="does not belong"):
        read_tapes(tmp_path, plan(batch=2))


def test_a_code_for_which_there_is_no_space_is_not_there_in_part(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
from idstorm.record.code import Code
from idstorm.record.keys import Codec
from idstorm.record.tape import Tape
tape = Tape(Path(sys.argv[1]), 0, 1, Codec("int64"), 1_000_000)
tape.code(Code("one", shown="x" * 3_000))
try:
    tape.code(Code("two", shown="x" * 3_000))
except OSError:
    print("no space")
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "no space\n"
    assert [code.name for code in read_tapes(tmp_path, plan()).codes] == ["one"]
