"""The example workflows are valid, and ask of idstorm, and of their databases, what there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from audit.planted import CLEAN, made
from idstorm.databases.targets import resolve, variable_of
from idstorm.extensions import DIALECTS
from running import Idstorm
from servers import SERVERS, database

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
(PROFILES,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL)
PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
"""On which port a server listens in its container."""
STORMING = """
import pytest

@pytest.mark.idstorm("autoincrement")
def test_ids(storm_report): ...
"""

pytestmark = pytest.mark.thorough


@dataclass(frozen=True)
class Server:
    """A database service, as a job sees it."""

    image: str
    host: str
    port: int
    environ: dict[str, str]


@dataclass(frozen=True)
class Job:
    """A job of a workflow, in the same terms whoever runs it."""

    environ: dict[str, str]
    servers: dict[str, Server]
    script: str
    kept: set[str]  #: files and folders that are kept, whatever became of the job

    def commands(self, program: str) -> list[list[str]]:
        """The words of each command line of a program."""
        lines = [shlex.split(line, comments=True) for line in self.script.splitlines() if line.startswith(program)]
        assert all(words[0] == program.split()[0] for words in lines)
        return [words[1:] for words in lines]


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def jobs_of_github() -> list[Job]:
    """Return the only job: its servers are reached through ports of the machine that runs it."""
    (job,) = yaml(EXAMPLES / "github-actions.yml")["jobs"].values()
    servers = {}
    for name, service in job["services"].items():
        assert "--health-cmd" in service["options"]
        ((outside, inside),) = (map(int, port.split(":")) for port in service["ports"])
        assert inside == PORTS[name]
        servers[name] = Server(service["image"], "127.0.0.1", outside, service["env"])
    uploads = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact@")]
    kept = {path for step in uploads if step.get("if") == "always()" for path in step["with"]["path"].split()}
    script = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    return [Job(job["env"], servers, script, kept)]


def jobs_of_gitlab() -> list[Job]:
    """Return the jobs: their servers are reached by alias."""
    pipeline = yaml(EXAMPLES / "gitlab-ci.yml")
    jobs = []
    for name, own in pipeline.items():
        if not name.startswith("."):
            job = merged(pipeline[own["extends"]], own)
            servers = {
                service["alias"]: Server(
                    service["name"], service["alias"], PORTS[service["alias"]], service["variables"]
                )
                for service in job["services"]
            }
            artifacts = job["artifacts"]
            reports = artifacts.get("reports", {}).values()
            kept = {*artifacts["paths"], *reports} if artifacts["when"] == "always" else set()
            script = "\n".join([*job["before_script"], *job["script"]])
            jobs.append(Job(job["variables"], servers, script, kept))
    return jobs


def merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return what GitLab's `extends` makes of two jobs: tables are merged, all else is replaced."""
    both = {key: merged(base[key], own[key]) for key in base.keys() & own.keys() if isinstance(own[key], dict)}
    return {**base, **own, **both}


WORKFLOWS = {"github": jobs_of_github(), "gitlab": jobs_of_gitlab()}
JOBS = [
    pytest.param(job, id=f"{name}-{number}") for name, jobs in WORKFLOWS.items() for number, job in enumerate(jobs, 1)
]


@pytest.mark.parametrize(
    ("file", "schema"), [("github-actions.yml", "vendor.github-workflows"), ("gitlab-ci.yml", "vendor.gitlab-ci")]
)
def test_a_workflow_is_one(file: str, schema: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(EXAMPLES / file)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflow_has_one_command_that_storms_one_that_audits_and_one_suite(workflow: str) -> None:
    for program in ("idstorm run", "idstorm audit", "pytest"):
        assert sum(len(job.commands(program)) for job in WORKFLOWS[workflow]) == 1


@pytest.mark.parametrize("job", JOBS)
def test_every_server_has_a_url_that_leads_to_it(job: Job) -> None:
    assert set(job.servers) == set(SERVERS)
    for dialect, server in job.servers.items():
        address = resolve(job.environ[variable_of(dialect)], {})
        assert address.database.name == dialect
        assert (address.url.host, address.url.port) == (server.host, server.port)
        (user,) = [value for name, value in server.environ.items() if name.endswith("_USER")] or ["root"]
        (password,) = (value for name, value in server.environ.items() if name.endswith("_PASSWORD"))
        (name,) = (value for name, value in server.environ.items() if re.search("_(DB|DATABASE)$", name))
        assert (address.url.username, address.url.password, address.url.database) == (user, password, name)


@pytest.mark.parametrize("job", WORKFLOWS["gitlab"])
def test_gitlab_waits_for_every_server(job: Job) -> None:
    (waited_for,) = re.findall(r"^for server in (.*); do$", job.script, re.MULTILINE)
    assert waited_for.split() == [f"{server.host}/{server.port}" for server in job.servers.values()]


@pytest.mark.parametrize("job", JOBS)
def test_the_servers_are_those_of_the_compose_file(job: Job) -> None:
    composed = yaml(ROOT / "docker-compose.yml")["services"]
    for dialect, server in job.servers.items():
        assert server.image == composed[dialect]["image"]
        assert server.environ == composed[dialect]["environment"]


@pytest.mark.parametrize("job", JOBS)
def test_every_storm_could_run_on_every_database(idstorm: Idstorm, job: Job) -> None:
    (idstorm.folder / "examples").symlink_to(EXAMPLES)
    idstorm.write("pyproject.toml", PROFILES)
    for words in job.commands("idstorm run"):
        ran = idstorm(*words, "--dry-run", **job.environ)
        assert ran.code == 0, ran.err
        storms = re.findall(r"^\S+ on (\w+)$", ran.out, re.MULTILINE)  # without a fault behind it
        assert set(storms) == set(DIALECTS)


@pytest.mark.parametrize("job", JOBS)
def test_every_audit_reads_the_database_that_it_names(idstorm: Idstorm, job: Job, tmp_path: Path) -> None:
    for words in job.commands("idstorm audit"):
        dialect = words[words.index("--on") + 1]
        with made(database(dialect), CLEAN[dialect], tmp_path) as on:
            ran = idstorm(*words, **on.environ)
            assert ran.code == 0, ran.out + ran.err


@pytest.mark.parametrize("job", JOBS)
def test_a_suite_storms_every_database(here: Path, monkeypatch: pytest.MonkeyPatch, job: Job) -> None:
    (here / "test_ids.py").write_text(STORMING)
    for name, value in job.environ.items():
        monkeypatch.setenv(name, value)
    for words in job.commands("pytest"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", *words], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.findall(r"::test_ids\[(\w+)\]", done.stdout) == list(DIALECTS)


@pytest.mark.parametrize("job", JOBS)
def test_what_is_written_is_kept_whatever_became_of_the_storm(job: Job) -> None:
    options = {"--json", "--junit", "--markdown", "--html", "--results", "--junitxml", "--idstorm-results"}
    commands = [*job.commands("idstorm"), *job.commands("pytest")]
    written = {file for words in commands for option, file in pairwise(words) if option in options}
    stores = [*job.commands("idstorm run"), *job.commands("pytest")]
    assert job.kept == written | ({"results"} if stores else set())


@pytest.mark.parametrize("job", JOBS)
def test_what_is_installed_brings_the_drivers_and_no_extra_that_is_not_there(job: Job) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ((_, *requirements),) = job.commands("pip")
    (extras,) = (re.findall(r"\w+", word)[1:] for word in requirements if word.startswith("idstorm["))
    assert {"postgresql", "mysql"} <= set(extras) <= project["optional-dependencies"].keys()
