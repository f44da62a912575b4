"""`make fuzz`: damage small real runs at random, and let `check` read them.

Whatever comes of it is a report or one sentence, in bounded time and memory. IDSTORM_FUZZ says how many are tried.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import strangers

EXAMPLES = int(os.environ.get("IDSTORM_FUZZ", "2000"))
SECONDS, BYTES = 30, 3 << 30  # that reading one run may take

RUNS = (
    ("autoincrement", "-n", "120", "-c", "2", "-j", "1", "--reader", "--deletes", "0.2", "--rollback", "0.1"),
    ("uuid4", "-n", "60", "-c", "2", "-j", "1", "--batch", "3", "--repeat", "2", "--fail-if", "unique.duplicated > 0"),
    ("upsert", "-n", "60", "-c", "2", "-j", "1", "--control"),
)


@cache
def seeds() -> tuple[Path, ...]:
    """Storm small runs to damage. Returns their folders: one was killed, so that it has its tapes as they were."""
    home = Path(mkdtemp(prefix="idstorm-fuzz-"))
    for number, words in enumerate(RUNS):
        command = [sys.executable, "-m", "idstorm", "run", *words, "-q", "--results", str(home / str(number))]
        subprocess.run(command, cwd=home, check=False)
    command = [sys.executable, "-m", "idstorm", "run", "autoincrement", "-T", "60s", "-c", "2", "--reader"]
    with subprocess.Popen([*command, "--results", str(home / "killed")], stderr=subprocess.DEVNULL) as killed:
        while len(list((home / "killed").rglob("*.tape"))) < 2:
            time.sleep(0.05)
        killed.kill()
    return tuple(sorted(path for path in home.glob("*/2*") if path.is_dir()))


VALUES = st.one_of(
    st.sampled_from(
        [None, True, False, -1, 0, 1, 2, 3, 10**9, 10**12, 2**63 - 1, 2**63, -(2**63), 10**70, 1e308, -0.5, 0.1, 1e-320]
    ),
    st.sampled_from(
        ["", "x", "int128", "text", "holds", "breaks", "finished", "\x1b[2J", "a\n::error::b", "\ud800", "/", "\0"]
    ),
    st.sampled_from([[], {}, [[]], {"": {}}, [None], [-1], ["x"], [[0] * 9], {"x": 1}]),
    st.integers(),
    st.text(max_size=9),
    st.floats(),
)


@contextmanager
def bounded() -> Iterator[None]:
    """Let what is inside take no more time and memory than reading a small run may."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

    def over(*_: object) -> None:
        raise AssertionError(f"it took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, over)
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, limits[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def damage(path: Path, data: st.DataObject) -> None:
    """Do something to a file."""
    kinds = ["bytes", "cut", "gone", "link", "pipe", "folder"]
    kinds += {".json": ["value"] * 12, ".zip": ["about", "member"] * 6, ".codes": ["line"] * 3}.get(path.suffix, [])
    kind = data.draw(st.sampled_from(kinds))
    match kind:
        case "value":
            path.write_text(_changed(path.read_text(), data))
        case "line":
            path.write_text("\n".join(_changed(line, data) for line in path.read_text().splitlines()))
        case "about" | "member":
            members = strangers.members_of(path)
            name = "about.json" if kind == "about" else data.draw(st.sampled_from(sorted(members)))
            text = kind == "about"
            members[name] = _changed(members[name].decode(), data).encode() if text else _dented(members[name], data)
            strangers.write_archive(path, members)
        case "bytes":
            path.write_bytes(_dented(path.read_bytes(), data))
        case "cut":
            path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size))])
        case "gone":
            path.unlink()
        case _:
            strangers.put_instead(path, kind)


def _changed(text: str, data: st.DataObject) -> str:
    said = json.loads(text)
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(strangers.places_of(said)))
        said = strangers.with_value(said, place, data.draw(VALUES))
    return json.dumps(said)


def _dented(content: bytes, data: st.DataObject) -> bytes:
    dented = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4)) if dented else 0):
        at = data.draw(st.integers(0, len(dented) - 1))
        word = data.draw(st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\x7f", b"\x80", b"\x01", b"\xff" * 7 + b"\x7f"]))
        dented[at : at + len(word)] = word
    return bytes(dented)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(st.data())
def test_whatever_is_done_to_a_run_it_is_judged_or_refused_in_a_sentence(data: st.DataObject) -> None:
    with TemporaryDirectory() as home:
        folder = Path(shutil.copytree(data.draw(st.sampled_from(seeds())), Path(home, "run")))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        damage(data.draw(st.sampled_from(files)), data)
        with bounded():
            sentence = strangers.sentence_of(folder)
        assert sentence is None or "\n" not in sentence
