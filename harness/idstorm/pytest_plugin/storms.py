"""The fixture `idstorm`: storms that a test runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from idstorm.catalogue import Found
from idstorm.commands.explore import ExploreRequest, explored
from idstorm.commands.outcome import StormResult
from idstorm.commands.references import found_of, path_here
from idstorm.commands.run import Request, run
from idstorm.databases.targets import Address
from idstorm.errors import EnvironmentFault, UsageError
from idstorm.explore.bounds import Bounds
from idstorm.findings.results import Result, StormState
from idstorm.findings.verdict import Report
from idstorm.options import options_of
from idstorm.pytest_plugin.options import configured, with_defaults
from idstorm.pytest_plugin.results import RESULTS
from idstorm.pytest_plugin.targets import open_target
from idstorm.scenario import Scenario
from idstorm.storm.worker_pool import WorkerPool

_WORKERS = pytest.StashKey[WorkerPool]()


class Storms:
    """Runs storms on one database, for one test."""

    def __init__(self, request: pytest.FixtureRequest, address: Address, results: Path, *, temporary: bool) -> None:
        self._request, self._address = request, address
        self._results, self._temporary = results, temporary
        self._folders: list[Path] = []

    def __repr__(self) -> str:
        return f"<storms on {self.dialect}>"

    @property
    def dialect(self) -> str:
        """The database: sqlite, postgresql, mysql or mariadb."""
        return self._address.database.name

    def run(self, *scenarios: str | type | Scenario, **options: object) -> StormResult:
        """Storm mapped classes, scenarios, or references to them, and return the result.

        The options are those of `idstorm run`, with underscores: `inserts=400`, `time="30s"`, `pool_size=2`,
        `settings={"begin": "immediate"}`, `fail_if="gapless.ratio > 0.05"`. Each takes what a command line would, or a
        number (times in seconds). Options not given come from pytest's own. The test fails for what cannot
        be done as asked, and is skipped where a scenario does not apply to this database.
        """
        __tracebackhide__ = True
        try:
            request = Request(
                scenarios=self._found(scenarios),
                on=(self._address,),
                options=with_defaults(self._request.config, options),
                results=self._results,
                path=path_here(),
                notes=_company(self._request.config),
            )
            report = run(request, workers=_workers(self._request.config))
        except (UsageError, EnvironmentFault) as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        return self._result(report)

    def explore(
        self,
        *scenarios: str | type | Scenario,
        clients: int = 2,
        operations: int | None = None,
        max_preemptions: int | None = None,
        max_schedules: int | None = None,
        max_time: float | None = None,
        **options: object,
    ) -> StormResult:
        """Step the clients of scenarios through their statements in every order, as `idstorm.explore` does."""
        __tracebackhide__ = True
        bounds = Bounds(operations, max_preemptions, max_schedules, max_time)
        try:
            request = ExploreRequest(
                scenarios=self._found(scenarios),
                on=(self._address,),
                clients=clients,
                bounds=bounds,
                options=options_of(options),
                results=self._results,
                path=path_here(),
            )
            report = explored(request)
        except (UsageError, EnvironmentFault) as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        return self._result(report)

    def _found(self, scenarios: Sequence[str | type | Scenario]) -> tuple[Found, ...]:
        return tuple(one for asked in scenarios for one in found_of(asked, self._request.module))

    def _result(self, report: Report) -> StormResult:
        """Return a report to the test, unless the user has ended it, or nothing in it applies."""
        __tracebackhide__ = True
        result = StormResult(report, Path(report.folder))
        self._folders += [result.folder] if report.folder else []
        if any(storm.state is StormState.INTERRUPTED for storm in report.storms):
            raise KeyboardInterrupt
        if report.storms and all(storm.result is Result.NA for storm in report.storms):
            pytest.skip("; ".join(dict.fromkeys(storm.ending or "n/a" for storm in report.storms)))
        self._request.node.stash.setdefault(RESULTS, []).append(result)
        return result

    def forget(self) -> None:
        """Remove the folders of the runs, unless a folder was configured for them."""
        if self._temporary:
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def storms_for(request: pytest.FixtureRequest, target: str, temporary: Path) -> Iterator[Storms]:
    """Yield an object that runs storms for a test on a target, which has to be available."""
    configured_place = configured(request.config, "results")
    results = request.config.invocation_params.dir / configured_place if configured_place else temporary / "idstorm"
    yield Storms(request, open_target(request.config, target), results, temporary=not configured_place)


def _workers(config: pytest.Config) -> WorkerPool:
    """Return the workers that all storms of this process share: starting one takes half a second of a processor."""
    if _WORKERS not in config.stash:
        config.stash[_WORKERS] = WorkerPool()
        config.add_cleanup(config.stash[_WORKERS].close)
    return config.stash[_WORKERS]


def _company(config: pytest.Config) -> tuple[str, ...]:
    """Return the report's notes on the test workers that run beside this one."""
    count = getattr(config, "workerinput", {}).get("workercount", 1)
    return () if count == 1 else (f"rates are those of a machine shared by {count} test workers",)
