"""`idstorm doctor` says what can be stormed, and clears up after runs that were killed."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from idstorm.databases.sqlite.namespaces import listed, made
from running import Idstorm, eventually, workers_at_work
from servers import On, database


def test_a_database_that_is_there_is_tried(idstorm: Idstorm, server: On) -> None:
    ran = idstorm("doctor", **server.environ)
    assert ran.code == 0
    (line,) = (line for line in ran.out.splitlines() if line.startswith(f"✓  {server.dialect} "))
    assert f"IDSTORM_{server.dialect.upper()}_URL = " in line
    assert server.url is not None
    assert str(server.url.password) not in ran.out


def test_a_database_that_is_out_of_reach_is_said_to_be(idstorm: Idstorm) -> None:
    ran = idstorm("doctor", IDSTORM_POSTGRESQL_URL="postgresql://me:s3cr3t@127.0.0.1:1/db")
    assert "✗  postgresql  postgresql+psycopg://me:***@127.0.0.1:1/db is out of reach" in ran.out
    assert "s3cr3t" not in ran.out


def test_a_server_of_another_kind_than_its_variable_says_is_refused_as_a_run_would(
    idstorm: Idstorm,
) -> None:
    mariadb = database("mariadb")
    assert mariadb.url is not None
    url = mariadb.url.set(drivername="mysql").render_as_string(hide_password=False)
    said = "$IDSTORM_MYSQL_URL leads to a server of mariadb, not of mysql"
    assert f"✗  mysql       {said}" in idstorm("doctor", IDSTORM_MYSQL_URL=url).out.splitlines()
    assert said in idstorm("run", "autoincrement", "--on", "mysql", IDSTORM_MYSQL_URL=url).err


def test_storms_that_end_while_they_are_listed_do_no_harm(short_room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(short_room))
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            with made(sa.make_url("sqlite://"), "20000101-000000-abcd-1", keep=False):
                pass

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        assert {one.strange for _ in range(500) for one in listed(sa.make_url("sqlite://"))} <= {None}
    finally:
        over.set()
        thread.join()


def test_what_a_killed_run_leaves_is_listed_and_dropped_on_request(idstorm: Idstorm, server: On) -> None:
    assert server.url is not None
    words = ("run", "autoincrement", "--on", server.url.render_as_string(hide_password=False), "-T", "60s")
    with idstorm.started(*words) as process:
        workers_at_work(process, idstorm.folder)
        process.kill()
        process.wait()
    ours = "idstorm_" + idstorm.run_folder.name.replace("-", "_") + "_01"
    eventually(lambda: ours in idstorm("doctor", "--clean", server.dialect, **server.environ).out.splitlines())
    with server.engine().connect() as connection:
        dropped = idstorm("doctor", "--clean", server.dialect, "--drop", **server.environ)
        assert f"dropped {ours}" in dropped.out.splitlines()
        assert ours not in sa.inspect(connection).get_schema_names()


def test_a_file_that_a_killed_run_leaves_is_listed_and_dropped(idstorm: Idstorm) -> None:
    (idstorm.folder / "idstorm-mine.db").write_text("not idstorm's")
    with idstorm.started("run", "autoincrement", "--on", "sqlite:///app.db", "-T", "60s") as process:
        workers_at_work(process, idstorm.folder)
        assert " in use" in idstorm("doctor", "--clean", "sqlite:///app.db", "--drop").out
        process.kill()
        process.wait()
    (name,) = idstorm("doctor", "--clean", "sqlite:///app.db").out.split()
    assert (idstorm.folder / name).exists()
    assert idstorm("doctor", "--clean", "sqlite:///app.db", "--drop").out == f"dropped {name}\n"
    assert {path.name for path in idstorm.folder.iterdir()} == {"idstorm-mine.db", "results"}


def test_dropping_needs_a_target(idstorm: Idstorm) -> None:
    assert idstorm("doctor", "--drop").code == 2


def test_a_temporary_folder_that_a_killed_run_leaves_is_listed_and_dropped(idstorm: Idstorm, short_room: Path) -> None:
    room = {"TMPDIR": str(short_room)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(short_room))
        with idstorm.started("run", "autoincrement", "-T", "60s") as process:
            workers_at_work(process, idstorm.folder)
            (line,) = idstorm("doctor", "--clean", "sqlite", "--drop", **room).out.splitlines()
            assert line.endswith(" in use")
            process.kill()
            process.wait()
    (name,) = idstorm("doctor", "--clean", "sqlite", **room).out.split()
    assert [path.suffix for path in Path(name).iterdir()].count(".db") == 1
    assert idstorm("doctor", "--clean", "sqlite", "--drop", **room).out == f"dropped {name}\n"
    assert not Path(name).exists()


@pytest.fixture
def short_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for temporary ones."""
    return tmp_path_factory.mktemp("room")


@pytest.mark.parametrize("kept", [True, False])
def test_a_file_or_folder_that_is_kept_is_dropped_by_its_name_alone(
    idstorm: Idstorm, short_room: Path, kept: bool
) -> None:
    room = {"TMPDIR": str(short_room)}
    for url in ("sqlite", "sqlite:///app.db"):
        words = ["--keep"] if kept else []
        assert idstorm.storm("autoincrement", "--on", url, *words, **room).code == 0
        listed = idstorm("doctor", "--clean", url, "--drop", **room).out.split()
        assert listed[1:] == (["kept"] if kept else [])
        if kept:
            dropped = idstorm("doctor", "--clean", url, "--drop", listed[0], **room)
            assert dropped.out == f"dropped {listed[0]}\n"
        assert idstorm("doctor", "--clean", url, **room).out == ""
    assert [path.name for path in short_room.iterdir() if path.name.startswith("idstorm-")] == []


def test_a_strangers_folder_is_shown_and_not_touched(idstorm: Idstorm, short_room: Path) -> None:
    (short_room / "precious").mkdir()
    (short_room / "precious" / "file").touch()
    (short_room / "idstorm-sqlite-link").symlink_to(short_room / "precious")
    (short_room / "idstorm-sqlite-open").mkdir()
    (short_room / "idstorm-sqlite-open").chmod(0o777)
    ran = idstorm("doctor", "--clean", "sqlite", "--drop", TMPDIR=str(short_room))
    assert ran.out.splitlines() == [
        f"{short_room}/idstorm-sqlite-link not touched: it is neither a file nor a folder",
        f"{short_room}/idstorm-sqlite-open not touched: any user may write to it",
    ]
    assert (short_room / "precious" / "file").exists()
    assert (short_room / "idstorm-sqlite-open").exists()


@pytest.mark.parametrize("signal_", [signal.SIGHUP, signal.SIGTERM])
def test_nothing_is_left_of_a_run_whose_terminal_is_closed(
    idstorm: Idstorm, short_room: Path, monkeypatch: pytest.MonkeyPatch, signal_: signal.Signals
) -> None:
    monkeypatch.setenv("TMPDIR", str(short_room))
    heeded = signal.signal(signal_, signal.SIG_DFL)  # under nohup the tests themselves ignore one, and so would idstorm
    try:
        with idstorm.started("run", "autoincrement", "-T", "60s") as process:
            workers_at_work(process, idstorm.folder)
            process.send_signal(signal_)
            assert process.wait() == 130
    finally:
        signal.signal(signal_, heeded)
    assert [path.name for path in short_room.iterdir() if path.name.startswith("idstorm-")] == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///file:app.db?cache=shared&uri=true",
        "sqlite:///file:{folder}/a%20pp.db?uri=true",
        "sqlite:///file://{folder}/app.db?uri=true&mode=rwc",
        "sqlite:///app.db?uri=true&cache=shared",
    ],
)
def test_a_uri_leads_to_a_file_of_the_storms_own_and_leaves_nothing(idstorm: Idstorm, url: str) -> None:
    ran = idstorm.storm("autoincrement", "--on", url.format(folder=idstorm.folder))
    (storm,) = ran.report["storms"]
    assert storm["operations"]["acknowledged"] > 0, (
        storm
    )  # with a shared cache many fail: SQLITE_LOCKED knows no timeout
    assert [path.name for path in idstorm.folder.iterdir()] == ["results"]


@pytest.mark.parametrize("url", ["sqlite:///file:a?mode=memory&uri=true", "sqlite:///file::memory:?uri=true"])
def test_a_uri_of_a_database_in_memory_is_refused(idstorm: Idstorm, url: str) -> None:
    ran = idstorm("run", "autoincrement", "--on", url)
    assert ran.code == 2
    assert "an in-memory database lives in one process only" in ran.err
