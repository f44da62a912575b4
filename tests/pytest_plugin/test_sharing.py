"""Test workers share one private server of each kind, which is taken away whatever becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from idstorm.databases.private.finding import find
from running import PATIENCE, eventually
from suites import QUICKLY, run_suite

_no_programs = pytest.mark.skipif(
    find("postgresql") is None and "postgresql" not in os.environ.get("IDSTORM_REQUIRE", ""),
    reason="no PostgreSQL programs of which a private server could be made",
)
pytestmark = [_no_programs, pytest.mark.release]  # sessions with servers of their own

SUITE = """
import os, pathlib, pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]

@pytest.mark.parametrize("number", range(4))
def test_invoices(idstorm, number, request):
    report = idstorm.run(Invoice, inserts=400, processes=1)
    (storm,) = report.report.storms
    with open("ports", "a") as file:
        file.write(f"{idstorm._address.url.port} {os.getpid()}\\n")
    assert report.passed, report
    assert any("shared by 2 test workers" in note for note in storm.notes)
"""

HEARS_CTRL_C = (
    "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(pytest.main())"
)
"""Whoever is started in the background of a script does not hear it by itself."""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that has to make a server of its own."""
    for name in (
        "IDSTORM_POSTGRESQL_URL",
        "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_WORKER_COUNT",
        "PYTEST_XDIST_TESTRUNUID",
    ):
        monkeypatch.delenv(name, raising=False)


def seen(pytester: pytest.Pytester) -> list[tuple[str, str]]:
    lines = (pytester.path / "ports").read_text().splitlines()
    return [(port, pid) for port, _, pid in (line.partition(" ") for line in lines)]


def nobody_listens(port: str) -> bool:
    listening = [one.laddr for one in psutil.net_connections("tcp") if one.status == "LISTEN"]
    return not any(address and address.port == int(port) for address in listening)


@pytest.mark.usefixtures("alone")
def test_two_workers_share_a_server_that_is_gone_afterwards(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = run_suite(pytester, "-n", "2", "--idstorm-on", "postgresql")
    result.assert_outcomes(passed=4)
    assert len({port for port, _ in seen(pytester)}) == 1
    assert len({pid for _, pid in seen(pytester)}) == 2
    assert nobody_listens(seen(pytester)[0][0])


@pytest.mark.usefixtures("alone")
def test_the_server_outlives_the_worker_that_had_it_started(pytester: pytest.Pytester) -> None:
    crash = "\ndef test_0_crash(idstorm):\n    idstorm.run(Invoice, inserts=400)\n    os.kill(os.getpid(), 9)\n"
    pytester.makepyfile(SUITE + crash)
    result = run_suite(pytester, "-n", "2", "--idstorm-on", "postgresql")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*crashed while running*test_0_crash*"])
    assert len({port for port, _ in seen(pytester)}) == 1
    assert nobody_listens(seen(pytester)[0][0])


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_server_is_gone_after_a_session_that_was_ended(pytester: pytest.Pytester, how: signal.Signals) -> None:
    pytester.makepyfile(SUITE + "\n    import time; time.sleep(100)\n")
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", HEARS_CTRL_C),
            *("-n", "2", *QUICKLY, "--idstorm-on", "postgresql", f"--basetemp={pytester.path / 'base'}"),
        ],
        cwd=pytester.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually(lambda: (pytester.path / "ports").exists() and seen(pytester))
    (port,) = {port for port, _ in seen(pytester)}
    if how is signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.kill()
    process.wait(timeout=PATIENCE)
    eventually(lambda: nobody_listens(port))


@pytest.mark.usefixtures("alone")
def test_two_sessions_at_once_have_a_server_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "pytest", "-n", "2", *QUICKLY, "--idstorm-on", "postgresql", f"--basetemp={base}"],
            cwd=pytester.path,
            stdout=subprocess.DEVNULL,
        )
        for base in (pytester.path / "one", pytester.path / "other")
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert len({port for port, _ in seen(pytester)}) == 2
