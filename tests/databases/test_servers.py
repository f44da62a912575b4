"""Private servers, real ones: they come up as shipped, crash, come back with their data, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from idstorm.databases.private import server as server_module
from idstorm.databases.private.host import free_port, room
from idstorm.databases.private.programs import Programs
from idstorm.databases.private.server import PrivateServer
from idstorm.errors import EnvironmentFault
from running import eventually
from servers import had, programs_for

pytestmark = pytest.mark.release  # servers of their own

DIALECTS = ("postgresql", "mysql", "mariadb")
SHIPPED = {
    "postgresql": {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "100"},
    "mysql": {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1", "max_connections": "151"},
    "mariadb": {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "ON", "max_connections": "151"},
}
BROKEN = {"postgresql": "global/pg_control", "mysql": "mysql.ibd", "mariadb": "ibdata1"}
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
OWNER = """
import signal, sys, time
from fetch import programs_of
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in the background
from idstorm.databases.private.server import PrivateServer
server = PrivateServer(programs_of(sys.argv[1]))
server.start()
while True:
    try:
        print(server.pid, flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        pass
"""


@pytest.fixture(params=DIALECTS)
def programs(request: pytest.FixtureRequest) -> Programs:
    """The server programs of one dialect after another."""
    return programs_for(request.param)


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        yield connection


def at_work(folder: Path) -> list[psutil.Process]:
    """The processes that were started with something of this folder, or by one that was, and have not ended."""
    named = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ()) and running(process)
    ]
    return list({*named, *(child for process in named for child in process.children(recursive=True))})


def running(process: psutil.Process) -> bool:
    """Whether a process has not ended; what an orphan leaves until its end is taken does not count."""
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def family_of(pid: int | None) -> list[psutil.Process]:
    """A process and all that it has started."""
    assert pid is not None
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def shared_memory(pid: int) -> list[Path]:
    """The files by which a process shares memory: they do not end with it."""
    maps = psutil.Process(pid).memory_maps()
    return [Path(region.path) for region in maps if region.path.startswith("/dev/shm/")]


def setting(connection: sa.Connection, name: str) -> str:
    show = f"SHOW {name}" if connection.dialect.name == "postgresql" else f"SHOW GLOBAL VARIABLES LIKE '{name}'"
    return str(connection.exec_driver_sql(show).one()[-1])


def test_a_server_comes_up_as_shipped_and_goes_without_a_trace(programs: Programs) -> None:
    with PrivateServer(programs) as server:
        assert server.url.startswith(DRIVERS[programs.dialect] + "://")
        assert server.pid is not None
        with connected(server.url) as connection:
            version = str(connection.exec_driver_sql("SELECT version()").scalar_one())
            assert programs.version in version
            assert ("mariadb" in version.lower()) == (programs.dialect == "mariadb")
            shipped = SHIPPED[programs.dialect]
            assert {name: setting(connection, name) for name in shipped} == shipped
        process = psutil.Process(server.pid)
        assert process.uids().effective != 0
        ports = {(here.laddr.ip, here.laddr.port) for here in process.net_connections("inet") if not here.raddr}
        assert ports == {("127.0.0.1", server.port)}
        memory = shared_memory(server.pid)
        family = family_of(server.pid)
    assert not any(map(running, family))
    assert not server.folder.exists()
    assert not at_work(server.folder)
    assert not any(path.exists() for path in memory)


def test_only_the_password_lets_in(programs: Programs) -> None:
    with PrivateServer(programs) as server:
        url = sa.make_url(server.url)
        assert url.password
        assert not (server.folder / "secret").exists()
        assert url.password not in repr(server)
        for user, password in ((url.username, "wrong"), (url.username, ""), ("root", ""), ("postgres", ""), ("", "")):
            with (
                pytest.raises(sa.exc.OperationalError),
                connected(url.set(username=user, password=password).render_as_string(hide_password=False)),
            ):
                pass


def test_a_crash_and_a_restart_keep_what_was_committed(programs: Programs) -> None:
    with PrivateServer(programs) as server:
        url = server.url
        with connected(url) as connection:
            connection.exec_driver_sql("CREATE SCHEMA ours")
            connection.exec_driver_sql("CREATE TABLE ours.kept (id integer)")
            connection.exec_driver_sql("INSERT INTO ours.kept VALUES (42)")
        family = family_of(server.pid)
        server.crash()
        assert not any(map(running, family))
        assert server.pid is None
        with pytest.raises(sa.exc.OperationalError), connected(url):
            pass
        for _ in range(2):  # after the crash, and then after an orderly end
            server.restart()
            assert server.url == url
            with connected(url) as connection:
                assert connection.exec_driver_sql("SELECT id FROM ours.kept").scalars().all() == [42]
        memory = shared_memory(family_of(server.pid)[0].pid)
        server.crash()
    assert not server.folder.exists()
    assert not any(path.exists() for path in memory)


def system_v_memory(pid: int) -> list[str]:
    """The segments of shared memory that a process has made."""
    lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [segment for _, segment, _, _, creator, *_ in lines if creator == str(pid)]


def test_a_server_that_is_killed_by_others_leaves_no_shared_memory() -> None:
    with PrivateServer(programs_for("postgresql")) as server:
        assert server.pid is not None
        pid = server.pid
        memory = shared_memory(pid)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: server.pid is None)
        assert memory
        assert system_v_memory(pid)
    assert not server.folder.exists()
    assert not any(path.exists() for path in memory)
    assert not system_v_memory(pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_the_servers_user_can_put_nothing_where_root_writes(programs: Programs) -> None:
    """A link in its place would let that user overwrite, and own, any file of the machine."""
    with PrivateServer(programs) as server:
        theirs = {path.name for path in server.folder.iterdir() if path.stat().st_uid}
        assert theirs == {"data", "tmp"}
        assert server.folder.stat().st_uid == 0
        assert not server.folder.stat().st_mode & 0o022
        assert server.pid is not None
        user = psutil.Process(server.pid).uids().real
        planting = ["ln", "-s", "/etc/passwd", str(server.folder / "planted")]
        assert subprocess.run(planting, user=user, extra_groups=[], capture_output=True).returncode != 0


def test_no_server_is_made_where_others_could_replace_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any user may rename what is in a folder that all may write to, unless it is sticky."""
    for mode, taken in ((0o777, False), (0o1777, True), (0o755, True)):
        place = tmp_path / f"{mode:o}"
        place.mkdir()
        place.chmod(mode)
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        assert (room(None) == place) is taken


def test_a_crash_takes_those_who_are_at_work() -> None:
    """A child of PostgreSQL's that is busy does not look after its parent."""
    with PrivateServer(programs_for("postgresql")) as server, ThreadPoolExecutor() as pool:
        engine = sa.create_engine(server.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            busy = psutil.Process(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
            endless = pool.submit(connection.exec_driver_sql, "DO $$ BEGIN LOOP END LOOP; END $$")
            eventually(lambda: busy.cpu_times().user > 0.2)
            server.crash()
            left = running(busy)
            if left:
                busy.kill()  # else this test would be as endless
            assert not left
            assert isinstance(endless.exception(), sa.exc.OperationalError)


@contextmanager
def owner(dialect: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a private server, and the folder in which its folder is."""
    programs_for(dialect)
    with tempfile.TemporaryDirectory() as room:
        os.chmod(room, 0o755)
        path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        process = subprocess.Popen(
            [sys.executable, "-c", OWNER, dialect],
            env={**os.environ, "TMPDIR": room, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process, Path(room)
        finally:
            process.kill()
            process.communicate()
            eventually(lambda: not at_work(Path(room)) and not list(Path(room).iterdir()))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_outlives_a_killed_owner(dialect: str) -> None:
    with owner(dialect) as (process, room):
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: neither the server nor its watchdog hears it
        assert int(process.stdout.readline()) == pid
        assert any("watchdog" in " ".join(member.cmdline()) for member in at_work(room))
        memory, family = shared_memory(pid), family_of(pid)
        process.kill()
        eventually(lambda: not at_work(room) and not list(room.iterdir()))
        assert not any(map(running, family))
        assert not any(path.exists() for path in memory)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_outlives_an_owner_killed_while_the_server_is_made(dialect: str) -> None:
    with owner(dialect) as (process, room):
        eventually(lambda: list(room.glob("*/data/*")))
        process.kill()
        eventually(lambda: not at_work(room) and not list(room.iterdir()))


def test_a_server_that_does_not_come_up_shows_its_log(programs: Programs) -> None:
    with PrivateServer(programs) as server:
        server.crash()
        broken = server.folder / "data" / BROKEN[programs.dialect]
        whole = broken.read_bytes()
        broken.write_bytes(b"no such thing" * 1000)
        with pytest.raises(EnvironmentFault) as caught:
            server.restart()
        said = str(caught.value)
        assert f"the private {programs.dialect} server" in said
        assert "did not come up: it ended with status" in said
        assert server.log() in said
        assert 1 < len(said.splitlines()) < 20
        assert str(sa.make_url(server.url).password) not in said
        broken.write_bytes(whole)  # so that the memory of the crashed one can be given back
    assert not server.folder.exists()


def fake(folder: Path, name: str, version: str, otherwise: str) -> Path:
    """A program that tells a version, and otherwise does this."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" && exit\n{otherwise}\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        ("echo the disk is on fire >&2; exit 3", "it ended with status 3; its log ends with\nthe disk is on fire"),
        ("echo thinking; sleep 600", "not within 1 s; its log ends with\nthinking"),
        ("exit 1", "it ended with status 1; its log ends with\n(nothing)"),
    ],
)
def test_data_that_cannot_be_made_are_said_to_be_so(tmp_path: Path, otherwise: str, said: str) -> None:
    program = fake(tmp_path, "mysqld", "Ver 9.9.9 for testing", otherwise)
    server = PrivateServer(Programs("mysql", "9.9.9", program, "a test", (program.parents[1],)), patience=1)
    with pytest.raises(EnvironmentFault, match="could not make its data") as caught:
        server.start()
    assert str(caught.value).endswith(said)
    assert not server.folder.exists()
    assert not at_work(server.folder)


def test_servers_start_at_the_same_time() -> None:
    servers = [PrivateServer(programs) for programs in map(had, DIALECTS * 2) if isinstance(programs, Programs)]
    try:
        with ThreadPoolExecutor(len(servers) or 1) as pool:
            list(pool.map(PrivateServer.start, servers))
        assert len({server.port for server in servers}) == len(servers)
        for server in servers:
            with connected(server.url) as connection:
                assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    finally:
        with ThreadPoolExecutor(len(servers) or 1) as pool:
            list(pool.map(PrivateServer.stop, servers))
    assert not any(server.folder.exists() for server in servers)


def test_a_port_that_is_taken_at_the_last_moment_is_no_harm(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = iter([port, free_port()])
        monkeypatch.setattr(server_module, "free_port", lambda: next(ports))
        with PrivateServer(programs) as server:
            assert server.port != port
            with connected(server.url) as connection:
                assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_programs_that_the_servers_user_cannot_reach_are_lent(tmp_path: Path) -> None:
    programs = programs_for("mariadb")
    if not programs.prefix:
        pytest.skip("the machine's own MariaDB is open to all")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with PrivateServer(programs.lend(closed)) as server, connected(server.url) as connection:
        assert programs.version in str(connection.exec_driver_sql("SELECT version()").scalar_one())
        assert server.pid is not None
        assert any(str(server.folder / "programs") in word for word in psutil.Process(server.pid).cmdline())
    assert not server.folder.exists()


def test_a_port_is_not_one_of_those_that_outgoing_connections_get() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert all(not low <= free_port() <= high for _ in range(50))
