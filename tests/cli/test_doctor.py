"""`idstorm doctor` says what can be stormed, and clears up after runs that were killed."""

from __future__ import annotations

import sqlalchemy as sa

from running import Idstorm, eventually, workers_at_work
from servers import On


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
