"""An audit finds each kind of fault on each database that can have it, none on a clean one, and what mends it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audit.planted import CLEAN, FOUND, PLANTED, audited, found, made, run
from databases.own import own_user, private, rows, target
from idstorm.databases.postgresql import audit_queries, audit_reader
from idstorm.databases.registry import DATABASES
from idstorm.errors import EnvironmentFault
from running import Idstorm
from servers import On, database


def named(on: On) -> set[tuple[str, str]]:
    """What is to be found on a database, by its name."""
    assert on.url is not None
    return {(kind, about.replace("{}", on.url.database or "", 1)) for kind, about in FOUND[on.dialect]}


def test_each_planted_fault_is_found_and_nothing_else(idstorm: Idstorm, anywhere: On, tmp_path: Path) -> None:
    with made(anywhere, PLANTED[anywhere.dialect], tmp_path) as on:
        report = audited(idstorm, on, code=1)
        assert found(report) == named(on)
        errors = {kind for kind, _ in found(report, "error")}
        assert errors == {kind for kind, _ in named(on)} & {"used", "behind", "narrow_reference"}
        assert report["unread"] == []
        scarce = next(one for one in report["ids"] if one["id"].endswith("scarce.id"))
        assert scarce["used"] > 0.9
        assert scarce["position"] == {"postgresql": 2 * 10**9, "sqlite": 9 * 10**18}.get(on.dialect, 255)


def test_nothing_is_found_on_a_clean_schema(idstorm: Idstorm, anywhere: On, tmp_path: Path) -> None:
    with made(anywhere, CLEAN[anywhere.dialect], tmp_path) as on:
        report = audited(idstorm, on, code=0)
        assert report["findings"] == []
        assert report["unread"] == []
        assert len(report["ids"]) == {"postgresql": 6, "mariadb": 3}.get(on.dialect, 2)
        assert {one["behind"] for one in report["ids"]} == {0}


def test_what_is_printed_mends_what_was_found(idstorm: Idstorm, server: On, tmp_path: Path) -> None:
    with made(server, PLANTED[server.dialect], tmp_path) as on:
        before = audited(idstorm, on, code=1)
        for one in before["findings"]:
            assert (one["remedy"] is None) == (one["lock"] is None)
            if one["remedy"] is not None and one["kind"] != "wide_generator":
                run(on, one["remedy"])
        after = found(audited(idstorm, on, code=0))
        assert after == {
            (one["kind"], one["about"])
            for one in before["findings"]
            if one["remedy"] is None or one["kind"] == "wide_generator"
        }


@pytest.mark.parametrize("dialect", ["postgresql", "mariadb"])
def test_a_sequence_is_never_set_back_by_what_is_printed(
    idstorm: Idstorm, request: pytest.FixtureRequest, dialect: str, tmp_path: Path
) -> None:
    with made(database(dialect), PLANTED[dialect], tmp_path) as on:
        table, ahead = ("restored", 50) if dialect == "postgresql" else ("left_", 50_000)
        report = audited(idstorm, on, code=1)
        (mend,) = (
            one["remedy"] for one in report["findings"] if one["kind"] == "behind" and f"{table}." in one["about"]
        )
        run(on, mend)
        sequence = "'restored_id_seq'" if dialect == "postgresql" else "shared"
        assert rows(on, f"SELECT nextval({sequence})") == [(ahead + 1,)]
        run(on, mend)
        assert rows(on, f"SELECT nextval({sequence})") == [(ahead + 2,)]


def test_while_a_sequence_is_mended_no_session_draws_from_it(idstorm: Idstorm, postgresql: On, tmp_path: Path) -> None:
    with made(postgresql, PLANTED["postgresql"], tmp_path) as on, on.engine().connect() as mending:
        report = audited(idstorm, on, code=1)
        (mend,) = (one["remedy"] for one in report["findings"] if one["about"] == "public.restored.id")
        begin, lock, *rest = mend.split("; ")
        mending.exec_driver_sql(begin)
        mending.exec_driver_sql(lock)
        with on.engine().connect() as drawing:
            drawing.exec_driver_sql("SET lock_timeout = '50ms'")
            with pytest.raises(sa.exc.DBAPIError, match="lock timeout"):
                drawing.exec_driver_sql("INSERT INTO restored DEFAULT VALUES")
            for statement in rest:
                mending.exec_driver_sql(statement)
            drawing.exec_driver_sql("INSERT INTO restored DEFAULT VALUES")
        assert rows(on, "SELECT max(id) FROM restored") == [(51,)]


def test_an_audit_cannot_write(anywhere: On, tmp_path: Path) -> None:
    with made(anywhere, CLEAN[anywhere.dialect], tmp_path) as on:
        assert on.url is not None
        name = "public.mine" if on.dialect == "postgresql" else "mine"
        with (
            DATABASES[on.dialect].auditing(on.url) as connection,
            pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.?only"),
        ):
            connection.exec_driver_sql(f"CREATE TABLE {name} (id int)")


def test_a_file_is_not_written_nor_left_with_others_beside_it(idstorm: Idstorm, tmp_path: Path) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    with made(On("sqlite"), PLANTED["sqlite"], folder) as on:
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        audited(idstorm, on, code=1)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_in_wal_mode_is_left_as_it_is_and_read_with_its_log_where_there_is_one(
    idstorm: Idstorm, tmp_path: Path
) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    statements = ("PRAGMA journal_mode = wal", "CREATE TABLE thing (id INTEGER PRIMARY KEY)")
    with made(On("sqlite"), statements, folder) as on:
        assert audited(idstorm, on, code=0)["ids"][0]["position"] is None
        assert [path.name for path in folder.iterdir()] == ["app.db"]
        with closing(sqlite3.connect(folder / "app.db", isolation_level=None)) as application:
            application.execute("INSERT INTO thing VALUES (7)")
            assert audited(idstorm, on, code=0)["ids"][0]["position"] == 7
        assert [path.name for path in folder.iterdir()] == ["app.db"]


def test_a_file_that_is_opened_while_it_is_audited_is_to_be_audited_again(tmp_path: Path) -> None:
    statements = ("PRAGMA journal_mode = wal", "CREATE TABLE thing (id INTEGER PRIMARY KEY)")
    with made(On("sqlite"), statements, tmp_path) as on, closing(sqlite3.connect(tmp_path / "app.db")) as application:
        assert on.url is not None
        with (
            pytest.raises(EnvironmentFault, match="was opened by another process while it was audited"),
            DATABASES["sqlite"].auditing(on.url),
        ):
            application.execute("INSERT INTO thing VALUES (7)")


def test_what_a_user_may_not_read_is_counted_and_the_grants_suffice(
    idstorm: Idstorm, server: On, tmp_path: Path
) -> None:
    with made(server, CLEAN[server.dialect], tmp_path) as on:
        assert on.url is not None
        grants = () if on.dialect == "postgresql" else (f"GRANT INSERT ON {on.url.database}.* TO {{}}",)
        if on.dialect == "postgresql":
            run(on, "CREATE SCHEMA inner_", "CREATE TABLE inner_.thing (id serial PRIMARY KEY)")
        with own_user(on, *grants) as user:
            report = audited(idstorm, user, code=3)
            assert report["result"] == "inconclusive"
            assert report["unread_generators"] == report["generators"] > 0
            shown = idstorm("audit", *target(user))
            assert f"? {report['generators']} of {report['generators']} generators could not be read" in shown.out
            assert audited(idstorm, user, "--allow-unreadable", code=0)["unread"] == report["unread"]
            missing: list[Any] = [one["grant"] for one in report["unread"]]
            assert None not in missing
            run(on, *dict.fromkeys(missing))
            assert audited(idstorm, user, code=0)["unread"] == []


def test_a_table_that_is_locked_is_skipped(idstorm: Idstorm, server: On, tmp_path: Path) -> None:
    with made(server, CLEAN[server.dialect], tmp_path) as on, on.engine().connect() as other:
        if on.dialect == "postgresql":
            other.exec_driver_sql("BEGIN")
            other.exec_driver_sql("LOCK TABLE invoice")
        else:
            other.exec_driver_sql("LOCK TABLES invoice WRITE")
        report = audited(idstorm, on, code=3)
        assert [(one["what"].rpartition("invoice")[1:], one["why"]) for one in report["unread"]] == [
            (("invoice", ".id"), "skipped: locked")
        ]
        assert {one["behind"] for one in report["ids"] if "invoice" not in one["id"]} == {0}
        assert audited(idstorm, on, "--allow-unreadable", code=0)["findings"] == []


def test_a_sequence_that_is_locked_is_skipped_and_the_others_are_read(
    idstorm: Idstorm, postgresql: On, tmp_path: Path
) -> None:
    with made(postgresql, CLEAN["postgresql"], tmp_path) as on, on.engine().connect() as other:
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql("ALTER SEQUENCE invoice_id_seq RENAME TO renamed")
        report = audited(idstorm, on, code=3)
        assert [(one["what"], one["why"]) for one in report["unread"]] == [("public.invoice_id_seq", "skipped: locked")]
        assert report["unread_generators"] == 1
        positions = {one["id"]: one["position"] for one in report["ids"]}
        assert positions == {
            "public.animal.id": 1,
            "public.customer.id": 2,
            "public.deep.id": -1,
            "public.event.id": 2,
            "public.invoice.id": None,
            "public.restarted.id": 50,
        }


def test_an_older_server_is_asked_in_another_way_and_says_the_same(
    postgresql: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made(postgresql, CLEAN["postgresql"], tmp_path) as on:
        assert on.url is not None
        there = DATABASES["postgresql"]
        with there.auditing(on.url) as connection:
            newer = there.survey(connection, scan=False)
            monkeypatch.setattr(audit_queries, "POSITIONS_18", audit_queries.POSITIONS)
            assert there.survey(connection, scan=False) == newer
        run(on, "ALTER SEQUENCE restarted_id_seq RESTART WITH 2000000000")
        with there.auditing(on.url) as connection:
            positions = {one.name: one.generator.position for one in there.survey(connection, scan=False).ids}
        assert positions["public.restarted.id"] == 1_999_999_999


def test_many_tables_are_read_by_two_connections_and_by_one_where_there_is_no_other(
    postgresql: On, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_reader, "_MANY", 2)
    with (
        made(postgresql, CLEAN["postgresql"], tmp_path) as on,
        own_user(on, "GRANT pg_read_all_data TO {}", options="CONNECTION LIMIT 1") as user,
    ):
        ids = []
        for one in (on, user):
            assert one.url is not None
            with DATABASES["postgresql"].auditing(one.url) as connection:
                ids.append(DATABASES["postgresql"].survey(connection, scan=False).ids)
        assert ids[0] == ids[1]
        assert [one.column.furthest for one in ids[0] if one.column is not None] == [1, 2, -1, 2, 1, 50]


def test_without_a_database_in_its_url_all_of_a_server_are_audited(idstorm: Idstorm, tmp_path: Path) -> None:
    with (
        made(database("mysql"), CLEAN["mysql"], tmp_path) as one,
        made(database("mysql"), CLEAN["mysql"], tmp_path) as two,
    ):
        names = {on.url.database for on in (one, two) if on.url is not None}
        grants = tuple(f"GRANT SELECT, TRIGGER ON {name}.* TO {{}}" for name in names)
        with own_user(one, *grants) as user:
            assert user.url is not None
            report = audited(idstorm, On("mysql", user.url.set(database="")), code=3)
            assert {one["id"].split(".")[0] for one in report["ids"]} == names
            assert {one["grant"].split(" TO ")[0] for one in report["unread"]} == {
                "GRANT SELECT ON *.*",
                "GRANT TRIGGER ON *.*",
            }


def test_rows_that_a_policy_hides_are_not_taken_for_all(idstorm: Idstorm, postgresql: On, tmp_path: Path) -> None:
    with made(postgresql, PLANTED["postgresql"], tmp_path) as on:
        run(
            on,
            "ALTER TABLE restored ENABLE ROW LEVEL SECURITY",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
        )
        with own_user(on, "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {}") as user:
            report = audited(idstorm, user, code=1)
            hidden = [one for one in report["unread"] if one["what"] == "public.restored.id"]
            assert [one["why"] for one in hidden] == ["row-level security hides rows"]
            assert ("behind", "public.restored.id") not in found(report)


def test_where_no_index_leads_a_table_is_read_only_if_asked_for(
    idstorm: Idstorm, postgresql: On, tmp_path: Path
) -> None:
    statements = ("CREATE TABLE log (id bigserial, v int PRIMARY KEY)", "INSERT INTO log VALUES (10, 1)")
    with made(postgresql, statements, tmp_path) as on:
        report = audited(idstorm, on, code=0)
        assert found(report) == {("not_compared", "public.log.id")}
        assert report["ids"][0]["behind"] is None
        assert found(audited(idstorm, on, "--scan", code=1)) == {("behind", "public.log.id")}


def test_a_table_with_a_child_that_has_no_such_index_is_not_read_either(
    idstorm: Idstorm, postgresql: On, tmp_path: Path
) -> None:
    statements = ("CREATE TABLE log (id bigserial PRIMARY KEY)", "CREATE TABLE old_log () INHERITS (log)")
    with made(postgresql, (*statements, "INSERT INTO old_log VALUES (10)"), tmp_path) as on:
        assert ("not_compared", "public.log.id") in found(audited(idstorm, on, code=0))
        assert ("behind", "public.log.id") in found(audited(idstorm, on, "--scan", code=1))


def test_on_a_subscriber_what_is_behind_is_to_be_mended_before_it_is_promoted(
    idstorm: Idstorm, postgresql: On, tmp_path: Path
) -> None:
    table = "CREATE TABLE item (id bigserial PRIMARY KEY)"
    with (
        made(postgresql, (table, "CREATE PUBLICATION items FOR TABLE item"), tmp_path) as publisher,
        made(postgresql, (table, "INSERT INTO item VALUES (7)"), tmp_path) as on,
    ):
        assert publisher.url is not None
        assert on.url is not None
        url = publisher.url.set(drivername="postgresql").render_as_string(hide_password=False)
        run(
            on,
            f"CREATE SUBSCRIPTION {on.url.database} CONNECTION '{url}' PUBLICATION items "
            "WITH (enabled = false, create_slot = false, slot_name = NONE)",
        )
        try:
            report = audited(idstorm, on, code=0)
            assert found(report, "warning") == {
                ("logical_subscriber", "public.item.id"),
                ("logical_subscriber", f"subscription {on.url.database}"),
            }
            (mend,) = (one["remedy"] for one in report["findings"] if one["remedy"])
            assert "setval('public.item_id_seq'" in mend
        finally:
            run(on, f"DROP SUBSCRIPTION {on.url.database}")


def test_a_stride_of_the_server_is_told_and_counted(idstorm: Idstorm, tmp_path: Path) -> None:
    with private("mariadb", auto_increment_increment="10", auto_increment_offset="3") as own:
        statements = ("CREATE TABLE invoice (id int AUTO_INCREMENT PRIMARY KEY)", "INSERT INTO invoice VALUES ()")
        with made(own, statements, tmp_path) as on:
            report = audited(idstorm, on, code=0)
            assert found(report, "note") == {
                ("stride", "auto_increment_increment"),
                ("stride", "auto_increment_offset"),
            }
            invoice = next(one for one in report["ids"] if one["id"].endswith("invoice.id"))
            assert (invoice["step"], invoice["position"], invoice["behind"]) == (10, 3, 0)
            assert invoice["left"] == (2**31 - 1 - 3) // 10
