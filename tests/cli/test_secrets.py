"""A password never reaches a tape, a plan, a report, a log, the screen or a process's arguments."""

from __future__ import annotations

import zipfile

import pytest

from idstorm.databases.targets import resolve
from idstorm.databases.urls import mask, secrets_of
from idstorm.errors import UsageError
from running import Idstorm, workers_at_work

SECRET = "tr0ub4dor&3"
ENCODED = "tr0ub4dor%263"


def everything(idstorm: Idstorm) -> bytes:
    """Return all that is in the folder, and all that is packed in its archives."""
    files = [path for path in idstorm.folder.rglob("*") if path.is_file()]
    found = [path.read_bytes() for path in files]
    for path in files:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found += [archive.read(name) for name in archive.namelist()]
    return b"".join(found)


def test_a_password_of_a_url_is_nowhere_to_be_found(idstorm: Idstorm) -> None:
    url = f"sqlite:///app.db?password={ENCODED}"
    idstorm.write(
        "mine.py",
        """
        import sys
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Mapped, mapped_column
        from idstorm.scenario import Row, Scenario

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        def engine(url, **pool):
            global password
            password = url.query["password"]
            print("connecting with", password, file=sys.stderr)
            return create_engine(url.set(query={}), **pool)

        def work(session, tokens):
            if "idstorm.storm.worker" in sys.orig_argv and tokens[0] % 3 == 0:
                raise ValueError(f"cannot log in with {password}")
            thing = Thing(token=tokens[0])
            session.add(thing)
            session.flush()
            return [thing.id]

        mine = Scenario(Thing, insert=work, engine=engine)
        """,
    )
    with idstorm.started("run", "mine.py", "--on", url, "-T", "1.5s", "--json", "report.json", "-v") as process:
        family = [process, *workers_at_work(process, idstorm.folder)]
        for worker in family[1:]:
            assert SECRET not in " ".join(worker.cmdline())
            assert ENCODED not in " ".join(worker.cmdline())
            assert SECRET not in str(worker.environ())
        out, err = process.communicate()
    assert '"$IDSTORM_SQLITE_URL"' in out
    assert "cannot log in with ***" in everything(idstorm).decode(errors="replace")
    for secret in (SECRET, ENCODED):
        assert secret not in out
        assert secret.encode() not in everything(idstorm)
    # idstorm opens the engine for its own part, too, and what the user's code prints there is the user's own
    assert all(line == f"connecting with {SECRET}" for line in err.splitlines() if SECRET in line)


@pytest.mark.parametrize(
    "url",
    [
        f"sqlite://someone:{ENCODED}@/app.db",
        f"sqlite:///app.db?password={ENCODED}",
        f"sqlite:///app.db?sslpassword={ENCODED}&x=1",
        f"sqlite:///app.db?passwd={ENCODED}",
    ],
)
def test_a_url_is_shown_without_its_secret(url: str) -> None:
    address = resolve(url, {})
    assert SECRET in secrets_of(address.url)
    for shown in (address.name, address.again, repr(address), mask(address.url)):
        assert SECRET not in shown
        assert ENCODED not in shown


@pytest.mark.parametrize("url", ["nosuch://me:tr0ub4dor@host/x", "postgresql+nosuch://me:tr0ub4dor@host/x"])
def test_a_url_that_cannot_be_used_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(url, {})
    assert "tr0ub4dor" not in str(refused.value)


def test_a_url_that_is_malformed_is_not_repeated() -> None:
    with pytest.raises(UsageError) as refused:
        resolve("postgresql://me:tr0ub4dor@host:port/x", {})
    assert "tr0ub4dor" not in str(refused.value)
