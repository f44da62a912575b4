"""From journals to tables: cut anywhere, in children that were forked, with clients that overlap."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idstorm.errors import UnreadableRun
from idstorm.join.journal import Journal, entries
from idstorm.join.read_journals import Flush, JoinedTable, read_journals
from idstorm.record.code import Code
from idstorm.record.outcome import Outcome
from idstorm.report.text import failing_words, witness_words
from journals import about, failed, flush, judge, table
from running import Idstorm


def write(journal: Journal, *lines: list[Any]) -> None:
    for line in lines:
        journal.write(json.dumps(line) + "\n")


def flushes(folder: Path) -> list[Flush]:
    return [one for told in read_journals(folder) for one in told.flushes]


def test_a_journal_that_is_cut_anywhere_tells_what_was_whole(tmp_path: Path) -> None:
    write(
        Journal(tmp_path, "main"),
        ["table", 1, about()],
        ["origin", 2, "test_it"],
        ["told", 3, 1, 2, 10, 11, [1, 2]],
        ["told", 4, 1, 2, 10, 12, [3]],
        ["end", [3, 4], 13, 14, 1, None],
        ["failed", 1, 2, 15, 16, 1, ["sqlite:1555", True, False, True]],
        ["told", 5, 1, 2, 17, 18, [4]],
    )
    (path,) = tmp_path.glob("*.journal")
    whole = path.read_bytes().rstrip(b"\0")
    everything = flushes(tmp_path)
    assert [one.outcome for one in everything] == [Outcome.OK, Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN]
    unheard = [replace(one, commit=0, ended=0, outcome=Outcome.UNKNOWN) for one in everything]
    seen = 0
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut] + bytes(32))
        found = flushes(tmp_path)
        assert all(one in everything or one in unheard for one in found)
        assert len(found) >= seen
        seen = len(found)
    assert seen == len(everything)


def test_a_line_that_is_damaged_before_the_last_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "main-1.000000.journal").write_text('["origin",1,"test_it"\n["origin",2,"test_it"]\n')
    with pytest.raises(UnreadableRun, match=r"main-1\.000000\.journal is damaged"):
        read_journals(tmp_path)


def test_what_no_line_before_speaks_of_is_an_error_too(tmp_path: Path) -> None:
    for line in ('["told",3,1,2,10,11,[1]]', '["told",3]', '["end",5,13,14,1,null]', '{"end":1}', "7"):
        (tmp_path / "main-1.000000.journal").write_text(f"{line}\n")
        with pytest.raises(UnreadableRun, match=r"main-1\S* is damaged"):
            read_journals(tmp_path)


def test_only_its_owner_can_read_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "main")
    for _ in range(3):
        write(journal, ["origin", 1, "x" * 40_000])
    paths = list(tmp_path.glob("*.journal"))
    assert len(paths) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_why_there_are_no_more_lines_is_written_where_there_is_no_room_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "journals"
    folder.mkdir()
    journal = Journal(folder, "main")
    journal.write(json.dumps(["origin", 1, "x" * 60_000]) + "\n")
    folder = folder.rename(tmp_path / "elsewhere")  # no file can be made there any more
    with pytest.raises(OSError, match="journals"):
        journal.write(json.dumps(["origin", 2, "x" * 6_000]) + "\n")
    while True:
        try:
            journal.write(json.dumps(["origin", 3, "a test"]) + "\n")
        except OSError:
            break
    journal.fault("OSError: \N{SNOWMAN} No space left on device " * 100)
    *_, last = entries(folder)
    assert last[1][0] == "fault"


def test_a_child_that_was_forked_has_a_journal_of_its_own_and_its_parents_origins(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "gw0")
    origin = journal.begin("test_it")
    write(journal, ["table", 10, about()], ["told", 11, 10, origin, 20, 21, [1]])
    children = []
    for id_ in (2, 3):
        child = os.fork()
        if not child:
            write(journal, ["table", 12, about()], ["told", 13, 12, origin, 22, 23, [id_]])
            write(journal, ["end", [11, 13], 24, 25, 1, None])  # it goes on with its parent's session
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    found = {one.ids: one for one in flushes(tmp_path)}
    assert {ids: one.outcome for ids, one in found.items()} == {
        (1,): Outcome.UNKNOWN,
        (2,): Outcome.OK,
        (3,): Outcome.OK,
    }
    assert {one.origin for one in found.values()} == {"test_it"}
    assert len({one.process for one in found.values()}) == 3


def test_a_process_that_has_the_number_of_one_that_has_ended_takes_nothing_from_it(tmp_path: Path) -> None:
    for name in ("first", "second"):
        Journal(tmp_path, "main").begin(name)
    assert sorted(entry[2] for _, entry in entries(tmp_path)) == ["first", "second"]


def clients(*those: Flush) -> list[list[int]]:
    return [[one.ids[0] for one in client] for client in JoinedTable(about(), list(those)).clients]


def test_flushes_that_follow_one_another_in_a_process_are_one_client_and_those_that_overlap_are_several() -> None:
    assert clients(flush(10, 1), flush(20, 2), flush(30, 3)) == [[1, 2, 3]]
    assert clients(flush(10, 1, commit=50), flush(20, 2), flush(30, 3)) == [[1], [2, 3]]
    assert clients(flush(10, 1), flush(20, 2, process="gw1-2")) == [[1], [2]]


def test_a_client_of_which_no_end_was_heard_goes_on_with_nothing() -> None:
    assert clients(replace(flush(10, 1), ended=0), flush(20, 2)) == [[1], [2]]


def test_the_flushes_of_one_transaction_are_one_client() -> None:
    one = [flush(10, 1, begin=5, commit=30), flush(20, 2, begin=5, commit=30)]
    assert clients(*one, flush(40, 3)) == [[1, 2, 3]]
    assert clients(*one, flush(20, 3, commit=50), flush(60, 4)) == [[1, 2, 4], [3]]


def test_one_client_has_no_pressure_however_many_rows_and_flushes_its_transactions_have(tmp_path: Path) -> None:
    many = [
        flush(at, *range(at, at + 50), begin=at // 1000 * 1000, commit=at // 1000 * 1000 + 950)
        for at in range(1000, 9000, 100)
    ]
    file = table(tmp_path, [])
    pressure = judge(tmp_path, JoinedTable(about(file), many)).storms[0].verdicts["pressure"]
    assert pressure.figures["overlap_mean"] == 1
    assert "one client alone cannot collide" in str(pressure.reason)


def test_what_is_stored_is_judged_again_alike(tmp_path: Path, idstorm: Idstorm) -> None:
    those = [flush(10, 1, 2, commit=40), flush(13, 1, None, process="gw1-2"), flush(20, 7, outcome=Outcome.FAILED)]
    report = judge(tmp_path, JoinedTable(about(table(tmp_path, [1])), those))
    again = idstorm("check", report.folder, "--json", "-")
    assert again.code == 1
    assert again.report["storms"] == json.loads(json.dumps(report.to_json(), default=str))["storms"]
    (witness,) = again.report["storms"][0]["verdicts"]["unique"]["witnesses"]
    assert {row["from"] for row in witness["rows"]} == {"a test"}


TAKEN, STRANGE, BUSY = Code("taken", refused=True), Code("strange", recognised=False), Code("busy", raced=True)


@pytest.mark.parametrize(("codes", "found"), [([BUSY], "held"), ([BUSY, STRANGE], "unknown"), ([TAKEN], "broken")])
def test_errors_of_all_kinds_are_counted_and_what_was_not_recognised_is_no_acceptance(
    tmp_path: Path, codes: list[Code], found: str
) -> None:
    those = [flush(10, 1), *(failed(at, code) for at, code in enumerate([*codes, *codes], 20))]
    storm = judge(tmp_path, JoinedTable(about(table(tmp_path, [1])), those)).storms[0]
    assert storm.verdicts["accepted"].status == found
    assert storm.operations["errors"]["by_code"] == {code.name: 2 for code in codes}
    assert failing_words(storm.operations) == ""  # suites assert errors


def test_rows_of_one_test_are_told_apart_and_those_of_two_by_their_names(tmp_path: Path) -> None:
    def told(*origins: str) -> str:
        two = [flush(10, 1, origin=origins[0], commit=20), flush(13, 1, process="gw1-2", origin=origins[1])]
        (witness,) = (
            judge(tmp_path, JoinedTable(about(table(tmp_path, [1])), two)).storms[0].verdicts["unique"].witnesses
        )
        return witness_words(witness)

    assert told("one", "other") == "id 1, times 2, told one, other"
    assert told("one", "one") == "id 1, times 2, told one (client 0 in operation 0), one (client 1 in operation 0)"


def test_what_failed_where_nobody_could_look_is_put_where_alone_it_can_have_been(tmp_path: Path) -> None:
    refused = ["failed", 1, 2, 15, 16, 1, ["sqlite:1555", True, False, True]]
    unknown = about(private="f00d", known=False)
    write(Journal(tmp_path, "gw0"), ["origin", 2, "test_it"], ["table", 1, unknown], refused)
    (alone,) = read_journals(tmp_path)
    assert [one.code for one in alone.flushes] == [Code("sqlite:1555", refused=True)]
    write(Journal(tmp_path, "gw1"), ["table", 1, about()], ["told", 3, 1, 2, 10, 11, [1]])
    (told,) = read_journals(tmp_path)
    assert sorted(one.ids for one in told.flushes if one.handed) == [(1,)]
    assert len(told.flushes) == 2
    write(Journal(tmp_path, "gw2"), ["table", 1, about(private="b1")], ["told", 3, 1, 2, 10, 11, [1]])
    assert len(read_journals(tmp_path)) == 3
