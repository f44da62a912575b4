"""`check` of a run that a stranger sent: a report, or one sentence, in bounded memory and time."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idstorm.record import tape
from idstorm.report.cleaned import cleaned
from idstorm.report.text import visible
from running import Idstorm
from strangers import (
    change_about,
    change_json,
    encrypt,
    members_of,
    places_of,
    put_instead,
    sentence_of,
    with_value,
    write_archive,
)

pytestmark = pytest.mark.release  # thousands of damaged files

STORM = "01-autoincrement-sqlite"
FILES = ["run.json", "report.json", *(f"{STORM}/{name}" for name in ("plan.json", "ending.json", "history.zip"))]
FILES += [f"{STORM}/census.zip", f"{STORM}/reader.zip"]
DEEP = "[" * 200_000 + "]" * 200_000


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small real run, which nobody changes."""
    idstorm = Idstorm(tmp_path_factory.mktemp("sent"))
    ran = idstorm.storm("autoincrement", "-n", "80", "-c", "2", "--reader", "--deletes", "0.2")
    assert ran.out, ran.err
    return idstorm.run_folder


@pytest.fixture
def run(sent: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(sent, tmp_path / "run"))


def test_as_it_was_it_is_judged(run: Path) -> None:
    assert sentence_of(run) is None


@pytest.mark.parametrize("what", ["link", "pipe", "device", "socket", "folder"])
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_plain_file_is_never_opened(run: Path, name: str, what: str) -> None:
    put_instead(run / name, what)
    sentence = sentence_of(run)
    if (name, what) != ("run.json", "folder"):
        assert sentence is not None
    assert sentence is None or str(run) in sentence


@pytest.mark.parametrize("folder", [STORM, f"{STORM}/tapes"])
def test_a_folder_that_is_a_link_is_not_followed(run: Path, folder: str, tmp_path: Path) -> None:
    if (run / folder).exists():
        shutil.move(run / folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    (run / folder).symlink_to(tmp_path / "elsewhere")
    assert "is a link, a pipe or a device" in str(sentence_of(run))


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
@pytest.mark.parametrize(
    "text", [DEEP, "", "[]", "null", '{"format": NaN}', '{"format": 1e999}', "\0", "{" * 9], ids=range(8)
)
def test_a_file_that_is_no_json_of_ours(run: Path, name: str, text: str) -> None:
    (run / name).write_text(text)
    assert sentence_of(run)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_a_file_that_is_too_large_is_not_read(run: Path, name: str) -> None:
    os.truncate(run / name, 1 << 40)
    assert (sentence_of(run) is None) == (name == "report.json")  # which is made anew in any case


PLANS: list[tuple[tuple[str | int, ...], object]] = [
    (("fleet", "batch"), 10**9),
    (("fleet", "batch"), 100_001),
    (("fleet", "batch"), 0),
    (("fleet", "batch"), -1),
    (("fleet", "clients"), 10**12),
    (("fleet", "clients"), "8"),
    (("fleet", "clients"), True),
    (("fleet", "processes"), 0),
    (("fleet", "processes"), 10**12),
    (("fleet", "inserts"), -1),
    (("tokens", "base"), 1 << 63),
    (("tokens", "span"), 1 << 60),
    (("ids", "codec", "kind"), "int4096"),
    (("ids", "codec", "text"), 10**12),
    (("ids", "codec", "text"), -8),
    (("ids", "codec"), {"kind": "text", "text": 136}),
    (("ids", "generator", "increment"), 0),
    (("ids", "generator", "increment"), 10**30),
    (("ids", "generator", "start"), -(10**30)),
    (("ids", "columns"), []),
    (("claims", "unique", "stance"), "perhaps"),
    (("claims", "unique"), None),
    (("target", "capabilities"), [[1]]),
    (("settings",), [1]),
    (("storm",), None),
]


@pytest.mark.parametrize(("place", "value"), PLANS, ids=str)
def test_a_plan_that_no_storm_has(run: Path, place: tuple[str | int, ...], value: object) -> None:
    change_json(run / STORM / "plan.json", place, value)
    assert "plan.json" in str(sentence_of(run))


def test_every_value_of_every_file_may_be_of_another_type(run: Path) -> None:
    for name in ("run.json", f"{STORM}/plan.json", f"{STORM}/ending.json"):
        text = (run / name).read_text()
        for place in places_of(json.loads(text)):
            values: list[Any] = [None, -1, 10**30, "\x1b[2J\n", [], {}]
            for value in values:
                (run / name).write_text(json.dumps(with_value(json.loads(text), place, value)))
                sentence = sentence_of(run)
                assert sentence is None or "\n" not in sentence, (place, value)
        (run / name).write_text(text)


def _declare(name: str, length: object) -> Callable[[Path], None]:
    return lambda path: change_about(path, lambda about: about["columns"].update({name: length}))


def _drop_columns(path: Path) -> None:
    def drop(about: dict[str, Any]) -> None:
        del about["columns"]

    change_about(path, drop)


def _keep(path: Path, method: int, level: int = 9) -> None:
    write_archive(path, members_of(path), method, level)


def _explode(path: Path) -> None:
    members = {**members_of(path), "0/begin": bytes(100_000_000)}
    write_archive(path, members, level=9)


def _overlap(path: Path) -> None:
    """Let a directory name one member many times."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start, entries = archive.start_dir, archive.infolist()
    directory = content[start : content.rindex(b"PK\x05\x06")]
    end = bytearray(content[content.rindex(b"PK\x05\x06") :])
    count, size = len(entries) * 50, len(directory) * 50
    end[8:12], end[12:16] = count.to_bytes(2, "little") * 2, size.to_bytes(4, "little")
    path.write_bytes(content[:start] + directory * 50 + end)


ARCHIVES: dict[str, Callable[[Path], object]] = {
    "a length of 10^12": _declare("0/begin", 10**12),
    "a length below 0": _declare("0/begin", -1),
    "a length that is a text": _declare("0/begin", "80"),
    "a column of another length": _declare("0/shape", 1),
    "no columns": _drop_columns,
    "columns that are a list": lambda path: change_about(path, lambda about: about.update(columns=[1])),
    "clients of another number": lambda path: change_about(path, lambda about: about.update(clients=10**12)),
    "a format that is a text": lambda path: change_about(path, lambda about: about.update(format="1\n::error::x")),
    "deep JSON": lambda path: write_archive(path, {**members_of(path), "about.json": DEEP.encode()}),
    "encryption": encrypt,
    "bzip2": lambda path: _keep(path, zipfile.ZIP_BZIP2),
    "lzma": lambda path: _keep(path, zipfile.ZIP_LZMA),
    "a bomb": _explode,
    "members that overlap": _overlap,
    "nothing": lambda path: path.write_bytes(b""),
    "half of it": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_claims_what_it_does_not_hold(run: Path, what: str) -> None:
    ARCHIVES[what](run / STORM / "history.zip")
    assert "history.zip" in str(sentence_of(run))


def test_an_archive_of_zeros_as_idstorm_packs_them_is_no_bomb(run: Path) -> None:
    _keep(run / STORM / "history.zip", zipfile.ZIP_DEFLATED, 1)
    assert sentence_of(run) is None


@pytest.mark.parametrize("name", ["history.zip", "census.zip", "plan.json"])
def test_what_is_missing_is_named(run: Path, name: str) -> None:
    (run / STORM / name).unlink()
    assert name in str(sentence_of(run))


@pytest.mark.parametrize("moment", ["begin", "handed", "ended"])
def test_a_moment_that_no_clock_has_is_damage(run: Path, moment: str) -> None:
    members = members_of(run / STORM / "history.zip")
    members[f"0/{moment}"] = b"\xff" * len(members[f"0/{moment}"])
    write_archive(run / STORM / "history.zip", members)
    assert "history.zip is damaged" in str(sentence_of(run))


def test_a_storm_that_lies_elsewhere_is_none_of_the_run(run: Path) -> None:
    for name in ("../run", "..", "", "a/b", "a\0b", "\x1b[2J"):
        change_json(run / "run.json", ("storms", 0, "name"), name)
        assert "run.json is damaged" in str(sentence_of(run))


def test_a_batch_of_text_is_smaller_than_one_of_numbers(run: Path) -> None:
    """Somebody else's sessions may flush very many rows: of keys that are long, not as many."""
    change_json(run / STORM / "plan.json", ("joined",), True, ("fleet", "batch"), 1_000_000)
    assert "does not belong to this plan" in str(sentence_of(run))
    change_json(run / STORM / "plan.json", ("ids", "codec"), {"kind": "text", "text": 128})
    assert "fleet.batch of 1000000 with keys of 18 words" in str(sentence_of(run))


def test_tapes_that_are_nothing_but_holes_are_not_read(run: Path) -> None:
    for name in ("history.zip", "ending.json", "census.zip", "reader.zip"):
        (run / STORM / name).unlink()
    change_json(run / STORM / "plan.json", ("fleet", "batch"), 100_000)
    base = json.loads((run / STORM / "plan.json").read_text())["tokens"]["base"]
    (run / STORM / "tapes").mkdir()
    layout = tape.Layout(100_000, 1)
    for segment in range(400):
        path = tape.segment_path(run / STORM / "tapes", 0, segment)
        path.write_bytes(struct.pack("=13q", tape.MAGIC, 1, 0, segment, 100_000, 1, 1, base, 1, 2, 3, 4, 100_000 << 8))
        os.truncate(path, tape.HEADER_WORDS * 8 + layout.words * 8)
    assert "nothing but holes" in str(sentence_of(run))


def test_a_storm_that_is_named_twice_is_judged_no_more_than_once(run: Path) -> None:
    entry = json.loads((run / "run.json").read_text())["storms"][0]
    for again in (entry, {**entry, "name": entry["name"].upper()}):
        change_json(run / "run.json", ("storms",), [entry, again])
        assert "names a storm twice" in str(sentence_of(run))
    about = {**json.loads((run / "run.json").read_text()), "storms": [entry], "controls": [entry]}
    (run / "run.json").write_text(json.dumps(about))
    assert "names a storm twice" in str(sentence_of(run))


def test_check_says_one_sentence_and_ends_with_3(idstorm: Idstorm, run: Path) -> None:
    change_json(run / STORM / "plan.json", ("fleet", "clients"), 10**12)
    ran = idstorm("check", str(run))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("Error: ")
    assert ran.err.count("\n") == 1


NASTY = "\x1b]0;owned\x07\x1b[2J\r\n::stop-commands::x\u202e\ud800"


def test_a_strangers_words_move_no_cursor_and_are_no_commands(idstorm: Idstorm, run: Path) -> None:
    change_json(run / "run.json", ("storms", 0, "scenario"), NASTY, ("command",), NASTY)
    change_json(
        run / STORM / "plan.json",
        *(("scenario",), NASTY),
        *(("notes",), [NASTY]),
        *(("target", "server"), NASTY),
        *(("settings",), {NASTY: NASTY}),
        *(("claims", "unique", "why"), NASTY),
        *(("not_judged",), {"visible": NASTY}),
    )
    facts = ("server", "facts")
    change_json(run / STORM / "ending.json", ("state",), "unfinished", ("message",), NASTY, facts, {NASTY: NASTY})
    ran = idstorm("check", str(run), "-v", "--junit", "junit.xml", "--markdown", "page.md", GITHUB_ACTIONS="true")
    assert ran.code in (1, 3), ran.err  # rows that were deleted may have had the newest ids
    for text in (ran.out, ran.err, *((idstorm.folder / name).read_text() for name in ("junit.xml", "page.md"))):
        assert text == visible(text)
        assert "\\x1b" in text
    commands = [line for line in (ran.out + ran.err).splitlines() if line.lstrip().startswith("::")]
    assert all(line.startswith(("::error title=idstorm", "::warning title=idstorm")) for line in commands)


def test_an_error_with_a_strangers_words_moves_no_cursor(idstorm: Idstorm, run: Path) -> None:
    change_json(run / STORM / "ending.json", ("stamp", "run"), NASTY)
    for ran in (idstorm("check", str(run)), idstorm("check", f"{run}\x1b[2J"), idstorm("run", "\x1b[2J")):
        assert ran.err == visible(ran.err)
        assert ran.err.count("\n") == 1
        assert ran.code in (2, 3)


def test_what_is_clean_stays_as_it_is() -> None:
    text = {"é": ["two\nlines", 1, None, True, 0.5]}
    assert cleaned(text) == text
