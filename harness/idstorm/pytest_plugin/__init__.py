"""The plugin that pytest loads. What a suite does not use is not imported.

def test_invoice_ids(idstorm):
    report = idstorm.run(Invoice, inserts=5_000)
    assert report.passed, report

@pytest.mark.idstorm("app.models:Invoice", on=["sqlite", "postgresql"])
def test_everywhere(storm_report): ...

@pytest.mark.idstorm_explore("app.models:Invoice", max_preemptions=2)
def test_every_interleaving(storm_report): ...
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from idstorm.pytest_plugin.options import add_options, configured

if TYPE_CHECKING:
    from idstorm.commands.outcome import StormResult
    from idstorm.pytest_plugin.audits import Audits
    from idstorm.pytest_plugin.joined import Join
    from idstorm.pytest_plugin.storms import Storms

_FAILED = pytest.StashKey[bool]()
_JOINED = pytest.StashKey["StormResult"]()
_FAULT = pytest.StashKey[str]()

_MARK = (
    "idstorm(*scenarios, on=[...], **options): storm the scenarios for the fixture storm_report, on each of these "
    "databases; the options are those of the fixture idstorm's run()"
)
_MARK_EXPLORE = (
    "idstorm_explore(*scenarios, on=[...], **bounds): explore the scenarios for the fixture storm_report, on each of "
    "these databases; the bounds are those of the fixture idstorm's explore()"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each with an ini key of the same name."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and refuse invalid options before any test runs."""
    config.addinivalue_line("markers", _MARK)
    config.addinivalue_line("markers", _MARK_EXPLORE)
    if any(configured(config, name) for name in ("time", "inserts", "processes", "clients", "fail-if")):
        from idstorm.errors import UsageError
        from idstorm.pytest_plugin.options import with_defaults

        try:
            with_defaults(config, {})
        except UsageError as error:
            raise pytest.UsageError(f"--idstorm-…: {error}") from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Let the workers of pytest-xdist share the controller's session."""
    from idstorm.pytest_plugin.sharing import hold_session

    node.workerinput["idstorm_session"] = str(hold_session(node.config))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Learn from a worker of pytest-xdist how to reach the databases that it joined."""
    from idstorm.pytest_plugin.joined import receive_keyring

    receive_keyring(node.config, getattr(node, "workeroutput", {}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that storms once for each database."""
    if "_idstorm_target" in metafunc.fixturenames:
        from idstorm.pytest_plugin.targets import names_of, targets_of

        mark = _mark_of(metafunc.definition)
        targets = targets_of(metafunc.config, mark)
        metafunc.parametrize("_idstorm_target", targets, ids=names_of(targets))


@pytest.fixture
def idstorm(
    request: pytest.FixtureRequest, _idstorm_target: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Storms]:
    """Storms models and scenarios on a database: `idstorm.run(Model, ...)` returns the result.

    A test that asks for it runs once for each database that is configured. The folders of its runs are kept where the
    test fails, or where a folder was configured for them.
    """
    from idstorm.pytest_plugin.storms import storms_for

    with storms_for(request, _idstorm_target, tmp_path_factory.getbasetemp()) as storms:
        yield storms
        if not request.node.stash.get(_FAILED, True):
            storms.forget()


@pytest.fixture
def storm_report(request: pytest.FixtureRequest, idstorm: Storms) -> StormResult:
    """The result of what the mark `idstorm`, or `idstorm_explore`, describes. If it did not pass, the test fails."""
    mark = _mark_of(request.node)
    if mark is None or not mark.args:
        pytest.fail(
            'storm_report storms what a mark names: @pytest.mark.idstorm("package.module:Model")', pytrace=False
        )
    act = idstorm.explore if mark.name == "idstorm_explore" else idstorm.run
    return act(*mark.args, **{name: value for name, value in mark.kwargs.items() if name != "on"})


def _mark_of(node: pytest.Item) -> pytest.Mark | None:
    return node.get_closest_marker("idstorm") or node.get_closest_marker("idstorm_explore")


@pytest.fixture
def idstorm_join(request: pytest.FixtureRequest) -> Iterator[Join]:
    """Joins a session that a test has anyway: `idstorm_join(Order, session=db_session)`.

    The ids that sessions are told, in all tests and all test workers, are judged together at the end.
    """
    from idstorm.pytest_plugin.joined import joining
    from idstorm.pytest_plugin.sharing import session_of

    with joining(request, session_of(request.config)) as join:
        yield join


@pytest.fixture
def idstorm_audit() -> Audits:
    """Audits the database that a suite has made: `assert idstorm_audit(engine).passed`."""
    from idstorm.pytest_plugin.audits import Audits

    return Audits()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail a test whose `storm_report` did not pass, whatever the test itself checked."""
    result = yield
    report = pyfuncitem.funcargs.get("storm_report")
    if report is not None and not getattr(report, "passed", True):
        pytest.fail(repr(report), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show a failed test's storms: verdicts, witnesses and folders."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    if report.failed:
        from idstorm.pytest_plugin.results import RESULTS

        report.sections += [("idstorm", str(result)) for result in item.stash.get(RESULTS, ()) if not result.passed]
    return report


@pytest.hookimpl(trylast=True)  # after pytest-xdist has waited for its workers
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Judge what all joined sessions were told; a broken claim fails the run."""
    from idstorm.pytest_plugin.sharing import held_session

    if hasattr(session.config, "workeroutput"):
        from idstorm.pytest_plugin.joined import send_keyring

        send_keyring(session.config)
    folder = held_session(session.config)
    if folder is None:
        return
    from idstorm.errors import EnvironmentFault
    from idstorm.pytest_plugin.joined import judge_session

    strict = bool(configured(session.config, "strict"))
    try:
        result = judge_session(session.config, folder)
    except EnvironmentFault as error:
        session.config.stash[_FAULT] = str(error)
        failed = strict
    else:
        if result is None:
            return
        session.config.stash[_JOINED] = result
        failed = result.report.result == "failed" or (strict and not result.passed)
    if failed and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the result of the joined sessions."""
    fault, result = config.stash.get(_FAULT, None), config.stash.get(_JOINED, None)
    if fault is not None:
        terminalreporter.section("idstorm: joined sessions could not be judged")
        terminalreporter.write_line(fault)
    if result is None:
        return
    colour = {"passed": "green", "failed": "red"}.get(result.report.result, "yellow")
    if result.passed and config.get_verbosity() <= 0:
        terminalreporter.write_line(repr(result), **{colour: True})
        return
    terminalreporter.section(f"idstorm: joined sessions: {result.report.result}")
    terminalreporter.write_line(str(result))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop and remove the servers that the session shared."""
    from idstorm.pytest_plugin.sharing import end_session

    end_session(config)
