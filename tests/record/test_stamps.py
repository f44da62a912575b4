"""Every file of a run says to which storm of which run it belongs: one that was copied from another is not judged."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from histories import plan
from idstorm.errors import UnreadableRun
from idstorm.findings.results import Result, StormState
from idstorm.judge.judge import judge_run
from idstorm.record import store
from idstorm.record.census import Census
from idstorm.record.code import Code
from idstorm.record.ending import CensusQuality, ClientsEnd, Ending
from idstorm.record.keys import Codec
from idstorm.record.origins import Origins
from idstorm.record.outcome import Outcome
from idstorm.record.pack_history import compact
from idstorm.record.plan import Tokens
from idstorm.record.poll_log import Log, pack_reading
from idstorm.record.stamp import OLDER
from idstorm.record.stored import open_run, read_storm
from idstorm.record.tape import Kind, Tape

STORMS = ("01-one-sqlite", "02-two-sqlite")
NOTHING = "03-none-sqlite"  # never came to a plan
IDS = Codec("int64")
BASES = count(1000, 1000)


def made(results: Path, *, cut_short: bool = False) -> Path:
    """Write a run with two storms of equal shape, and return its folder."""
    entries = [{"name": name, "scenario": "s", "target": "sqlite"} for name in (*STORMS, NOTHING)]
    run = store.create(results, "idstorm run", entries)
    for name in STORMS:
        _storm(run, name, base=next(BASES), cut_short=cut_short)
    store.write_ending(run.folder / NOTHING, Ending(StormState.NOT_APPLICABLE, "no sequences"), run.stamp(NOTHING))
    if not cut_short:
        store.close(run, judge_run(run))
    return run.folder


def _storm(run: store.Run, name: str, base: int, *, cut_short: bool) -> None:
    folder, ours = run.folder / name, replace(plan(clients=1), run=run.name, storm=name, tokens=Tokens(base, 1000))
    store.write_plan(folder, ours)
    log, tape = Log(folder, base), Tape(folder / "tapes", 0, 1, IDS, base)
    for place, ids in enumerate([[1], [2], []]):
        now = 10 * place + 1
        tape.reserve()
        tape.begin(Kind.INSERT, 1, now)
        if ids:
            tape.hand(ids, now + 1)
            tape.commit(now + 2)
        tape.end(Outcome.OK if ids else Outcome.FAILED | tape.code(Code("sqlite:5", shown=name)) << 16, now + 3)
        log.write(now, now + 1, [base + place], place, last=place == 2)
    log.close()
    census = Census.of(IDS, [(1, base), (2, base + 1)])
    store.write_census(folder, "before", Census.of(IDS, [(9, None)]), ours.stamp)
    store.write_origins(folder, Origins((name,), ((0, 0, 0),)), ours.stamp)
    if cut_short:
        return
    store.write_census(folder, "census", census, ours.stamp)
    compact(folder, ours)
    pack_reading(folder, ours.stamp)
    store.write_ending(folder, Ending(census=CensusQuality(before=1), clients=ClientsEnd(operations=(3,))), ours.stamp)


def read(folder: Path) -> list[Any]:
    run = open_run(folder)
    return [read_storm(run, entry) for entry in run.storms]


FINISHED = ["plan.json", "ending.json", "history.zip", "census.zip", "before.zip", "reader.zip", "origins.json"]
CUT_SHORT = ["tapes/client-0000.000000.tape", "tapes/client-0000.codes", "reader.polls", "reader.rows"]
PLACES = [
    *((False, f"{STORMS[0]}/{name}") for name in FINISHED),
    (False, f"{NOTHING}/ending.json"),
    (False, "run.json"),
    (False, "report.json"),
    *((True, f"{STORMS[0]}/{name}") for name in CUT_SHORT),
]


@pytest.mark.parametrize(("cut_short", "name"), PLACES, ids=[name for _, name in PLACES])
def test_a_file_of_another_run_is_refused_by_its_name(tmp_path: Path, cut_short: bool, name: str) -> None:
    ours, theirs = (made(tmp_path / one, cut_short=cut_short) for one in ("a", "b"))
    assert len(read(ours)) == 3
    shutil.copy(theirs / name, ours / name)
    culprit = "json" if name == "run.json" else name  # it is the other files that then belong elsewhere
    with pytest.raises(UnreadableRun, match=rf"{culprit} belongs to another"):
        read(ours)


@pytest.mark.parametrize(
    ("cut_short", "name"), [*((False, name) for name in FINISHED), *((True, name) for name in CUT_SHORT)]
)
def test_a_file_of_another_storm_of_the_same_run_is_refused(tmp_path: Path, cut_short: bool, name: str) -> None:
    folder = made(tmp_path, cut_short=cut_short)
    shutil.copy(folder / STORMS[1] / name, folder / STORMS[0] / name)
    with pytest.raises(UnreadableRun, match=f"{STORMS[0]}/{name} belongs to another storm"):
        read(folder)


@pytest.mark.parametrize("name", ["plan.json", "census.zip", "history.zip"])
def test_a_storm_that_cannot_be_read_takes_no_verdict_from_another(tmp_path: Path, name: str) -> None:
    folder = made(tmp_path)
    whole = judge_run(open_run(folder))
    (folder / STORMS[1] / name).write_text("x")
    report = judge_run(open_run(folder))
    assert report.storms[0] == whole.storms[0]
    assert (report.storms[1].result, report.storms[1].verdicts) == (Result.INCONCLUSIVE, {})
    assert re.match(rf"unreadable: .*{name} is damaged", str(report.storms[1].ending))


def test_a_run_may_be_renamed_and_copied(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = json.dumps(judge_run(open_run(folder)).to_json())
    copied = shutil.copytree(folder, tmp_path / "elsewhere" / "another name")
    assert json.dumps(judge_run(open_run(copied)).to_json()) == before
    assert json.loads((folder / "report.json").read_text()) == json.loads(before)


def aged(folder: Path) -> Path:
    """Take out of a run what an older idstorm did not write."""
    for path in folder.rglob("*.json"):
        data = json.loads(path.read_text())
        data.pop("stamp", None)
        if path.name == "run.json":
            del data["run"]
        path.write_text(json.dumps(data))
    for path in folder.rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        about = json.loads(members["about.json"])
        del about["stamp"]
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members, "about.json": json.dumps(about).encode()}.items():
                archive.writestr(name, content)
    for path in folder.rglob("*.tape"):
        words = path.read_bytes()
        path.write_bytes(words[:56] + bytes(8) + words[64:])
    for path in (*folder.rglob("reader.polls"), *folder.rglob("reader.rows")):
        path.write_bytes(path.read_bytes()[16:])
    return folder


@pytest.mark.parametrize("cut_short", [False, True])
def test_a_run_from_before_there_were_stamps_is_judged_with_a_note(tmp_path: Path, cut_short: bool) -> None:
    today, before = made(tmp_path / "a", cut_short=cut_short), aged(made(tmp_path / "b", cut_short=cut_short))
    ours, older = (judge_run(open_run(folder)) for folder in (today, before))
    assert [storm.result for storm in older.storms] == [storm.result for storm in ours.storms]
    assert [OLDER in storm.notes for storm in older.storms] == [True, True, False]
    assert not any(OLDER in storm.notes for storm in ours.storms)


@pytest.mark.parametrize(("cut_short", "name"), PLACES[:8] + PLACES[-4:])
def test_a_file_without_a_stamp_is_refused_where_the_others_have_one(
    tmp_path: Path, cut_short: bool, name: str
) -> None:
    ours, older = made(tmp_path / "a", cut_short=cut_short), aged(made(tmp_path / "b", cut_short=cut_short))
    if name.endswith(".codes"):
        (older / name).write_text('{"code": "sqlite:5", "refused": true}\n')
    shutil.copy(older / name, ours / name)
    with pytest.raises(UnreadableRun, match=rf"{name} (belongs to another|does not say)"):
        read(ours)
