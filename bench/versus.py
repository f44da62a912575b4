"""idstorm's fastest honest path beside the databases' own load generators: pgbench, and sysbench where it is found.

Both insert one row a transaction in autocommit over as many connections, and take turns on one private server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from bench.bare import User
from bench.figures import Figure, Measured
from bench.servers import Opened, opened
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import variable_of
from idstorm.redaction import redact

LIMIT = 0.6
PROCESSES, CLIENTS = 2, 8

_SCENARIO = Path(__file__).with_name("bare.py")
_RATES = {"pgbench": re.compile(r"tps = ([\d.]+)"), "sysbench": re.compile(r"transactions:.*\(([\d.]+) per sec")}
_SHOWN = {"postgresql": ("synchronous_commit", "fsync"), "mysql": ("innodb_flush_log_at_trx_commit", "sync_binlog")}


class Unmeasured(Exception):
    """A rate could not be had; the text says why."""


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Let idstorm and the other take turns on each database that has an other."""
    turns, seconds = (3, 3) if quick else (7, 10)
    figures, raw, settings = list[Figure](), dict[str, dict[str, list[float]]](), list[str]()
    with (
        opened([dialect for dialect in on if dialect != "sqlite"]) as databases,
        tempfile.TemporaryDirectory() as folder,
    ):
        for dialect, url in databases.urls.items():
            try:
                rates = _alternate(dialect, databases, Path(folder), turns, seconds)
            except Unmeasured as error:
                databases.left_out.append(f"{dialect}: {' '.join(str(error).split())}")
                continue
            (_, mine), (other, theirs) = rates.items()
            raw[dialect], ratios = rates, [one / two for one, two in zip(mine, theirs, strict=True)]
            figures += [Figure(f"{dialect}, inserts a second: {name}", median(rate)) for name, rate in rates.items()]
            figures.append(Figure(f"{dialect}: idstorm / {other}", median(ratios), at_least=LIMIT))
            settings.append(f"{dialect} {_durability(dialect, url)}")
    method = (
        f"medians of {turns} turns of {seconds} s each, {CLIENTS} connections, one row a transaction, autocommit; "
        f"idstorm {PROCESSES} processes, clients over the bare driver; pgbench the same prepared "
        "insert with RETURNING, sysbench its oltp_insert with --auto-inc, whose rows are longer; the same server and "
        f"durability for both: {'; '.join(settings)}"
    )
    return Measured("versus", method, tuple(figures), raw, tuple(databases.left_out))


def _alternate(dialect: str, databases: Opened, folder: Path, turns: int, seconds: int) -> dict[str, list[float]]:
    """Return the rates of idstorm and of the other, turn by turn."""
    other = "pgbench" if dialect == "postgresql" else "sysbench"
    command = _other(dialect, databases, folder, seconds)
    rates: dict[str, list[float]] = {"idstorm": [], other: []}
    for _ in range(turns):
        rates["idstorm"].append(_storm(dialect, databases, folder, seconds))
        rates[other].append(_rate(command, other, databases.urls[dialect]))
    return rates


def _storm(dialect: str, databases: Opened, folder: Path, seconds: int) -> float:
    """Return the inserts that idstorm had acknowledged in a second."""
    command = [sys.executable, "-m", "idstorm", "run", str(_SCENARIO), "--on", dialect]
    command += ["-j", str(PROCESSES), "-c", str(CLIENTS), "-T", f"{seconds}s", "--results", str(folder), "--json", "-"]
    environ = {**os.environ, variable_of(dialect): databases.servers[dialect].url}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    report = json.loads(done.stdout)
    if report["result"] != "passed":
        raise Unmeasured(f"the storm on {dialect} was {report['result']}: its rate counts for nothing")
    return float(report["storms"][0]["operations"]["per_second"])


def _other(dialect: str, databases: Opened, folder: Path, seconds: int) -> list[str]:
    """Return the command that measures the database's own way, with what it needs made. Raises Unmeasured."""
    url, server = databases.urls[dialect], databases.servers[dialect]
    if dialect == "postgresql":
        engine = sa.create_engine(url)
        User.metadata.create_all(engine)
        engine.dispose()
        script = folder / "insert.sql"
        script.write_text("INSERT INTO \"user\" (token, name) VALUES (:client_id, 'Alice') RETURNING id\n")
        command = [*server.programs.command("pgbench"), "-n", "-M", "prepared", "-f", str(script)]
        command += ["-c", str(CLIENTS), "-j", str(PROCESSES), "-T", str(seconds)]
        return [*command, "-h", str(url.host), "-p", str(url.port), "-U", str(url.username), str(url.database)]
    program = shutil.which("sysbench")
    if program is None:
        raise Unmeasured("no sysbench on the PATH to compare it to")
    script = Path(program).resolve().parents[1] / "share" / "sysbench" / "oltp_insert.lua"
    command = [program, str(script), "--db-driver=mysql", "--tables=1", "--table-size=1", "--auto-inc=on"]
    command += [f"--threads={CLIENTS}", f"--time={seconds}", f"--mysql-host={url.host}", f"--mysql-port={url.port}"]
    command += [f"--mysql-user={url.username}", f"--mysql-password={url.password}", f"--mysql-db={url.database}"]
    _call([*command, "prepare"], url)
    return [*command, "run"]


def _rate(command: list[str], other: str, url: sa.URL) -> float:
    """Return the transactions a second that the other program tells."""
    said = _call(command, url)
    found = _RATES[other].search(said)
    if found is None:
        raise Unmeasured(f"{other} told no rate: {said[-300:]}")
    return float(found[1])


def _call(command: list[str], url: sa.URL) -> str:
    """Return what the other program says. Raises Unmeasured, without its command, which has the password."""
    environ = {**os.environ, "PGPASSWORD": str(url.password), "PGOPTIONS": str(url.query.get("options", ""))}
    environ["LUA_PATH"] = f"{Path(command[1]).parent}/?.lua;;"  # where sysbench's script finds what it shares
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Unmeasured(f"{Path(command[0]).name} failed: {redact(done.stdout[-300:], [str(url.password)])}")
    return done.stdout


def _durability(dialect: str, url: sa.URL) -> str:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        facts = DATABASES[dialect].facts(connection, {})
    return ", ".join(f"{name}={facts[name]}" for name in _SHOWN.get(dialect, _SHOWN["mysql"]) if name in facts)
