"""Options of `idstorm run` come from the command line, from variables and from a profile, in this order."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from idstorm.cli.profiles import key_of
from idstorm.cli.run import run
from idstorm.cli.sources import variable_of
from idstorm.extensions import DIALECTS
from running import Idstorm, Ran

FILE = "profile ci of idstorm.toml"


def profile(idstorm: Idstorm, text: str, name: str = "idstorm.toml", head: str = "profiles.ci") -> None:
    idstorm.write(name, f"[{head}]\n{text}")


def shown(ran: Ran) -> dict[str, tuple[str, str]]:
    """Return what a dry run shows: each value with its source, by name."""
    assert ran.code == 0, ran.err
    _, _, values = ran.out.partition("\n\n")
    rows = (re.split("  +", line) for line in values.splitlines())
    return {name: (value, source) for name, value, source in rows}


def storms(ran: Ran) -> list[str]:
    assert ran.code == 0, ran.err
    return [line for line in ran.out.partition("\n\n")[0].splitlines() if not line.startswith(" ")]


def said(ran: Ran, *sentences: str) -> None:
    assert ran.code == 2, (ran.out, ran.err)
    assert ran.err.count("Error: ") == 1
    assert all(sentence in ran.err for sentence in sentences), ran.err
    assert "Traceback" not in ran.err


def test_a_profile_holds_all_that_ci_has_to_say(idstorm: Idstorm) -> None:
    profile(
        idstorm,
        """
        scenarios = ["rollbacks", "uuid4"]
        on = ["sqlite", "sqlite:///app.db"]
        processes = 1
        clients = 4
        inserts = 400
        rollback = 0.25
        think = "0..1ms"
        isolation = "serializable"
        reader = true
        seed = 5
        fail-if = ["operations.failed > 0", "gapless.ratio > 0.9"]
        set = {begin = "immediate", busy_timeout = 5000}
        json = "report.json"
        """,
        "pyproject.toml",
        "tool.idstorm.profiles.ci",
    )
    ran = idstorm("run", "--profile", "ci")
    assert ran.code == 1, ran.err
    report = idstorm("check", str(idstorm.run_folder), "--json", "-").report
    assert report["command"].startswith("idstorm run rollbacks uuid4 --on sqlite --on sqlite:///app.db --processes 1")
    for words in (
        "--reader",
        "--fail-if 'operations.failed > 0' --fail-if 'gapless.ratio > 0.9'",
        "--set begin=immediate",
    ):
        assert f" {words} " in report["command"]
    assert [(storm["scenario"], storm["target"]["name"], storm["result"]) for storm in report["storms"]] == [
        (scenario, target, "failed") for scenario in ("rollbacks", "uuid4") for target in ("sqlite", "sqlite:///app.db")
    ]
    for storm in report["storms"]:
        fleet = {"processes": 1, "clients": 4, "inserts": 400, "rollback": 0.25, "think": [0, 0.001], "seed": 5}
        assert fleet.items() <= storm["fleet"].items()
        assert storm["fleet"]["isolation"] == "SERIALIZABLE"
        assert storm["fleet"]["settings"] == {"begin": "immediate", "busy_timeout": "5000"}
    assert (idstorm.folder / "report.json").is_file()


VALUES = {
    # what a profile, a variable and the command line say, and how that is shown
    "clients": (("3", "3"), ("4", "4"), (["-c", "5"], "5"), "8"),
    "pool-timeout": (("1.5", "1.5"), ("2.5", "2.5"), (["--pool-timeout", "3.5"], "3.5"), "30"),
    "think": (("'0..1ms'", "0..0.001s"), ("2ms", "0.002..0.002s"), (["--think", "3ms"], "0.003..0.003s"), "–"),
    "keep": (("true", "yes"), ("1", "yes"), (["--keep"], "yes"), "no"),
    "reader": (("false", "no"), ("yes", "yes"), (["--no-reader"], "no"), "–"),
    "forecast": (("'50/s'", "50/s"), ("60/s", "60/s"), (["--forecast", "70/s"], "70/s"), "–"),
    "on": (
        ("['sqlite', 'sqlite:///f']", "sqlite, sqlite:///f"),
        ("sqlite,sqlite:///v", "sqlite, sqlite:///v"),
        (["--on", "sqlite:///c"], "sqlite:///c"),
        "sqlite",
    ),
    "set": (
        ("['begin=immediate']", "begin=immediate"),
        ("begin=deferred", "begin=deferred"),
        (["--set", "begin=sqlalchemy"], "begin=sqlalchemy"),
        "–",
    ),
    "fail-if": (
        ("'errors.total > 1'", "errors.total > 1"),
        ("errors.total > 2\ngapless.ratio > 0.5", "errors.total > 2, gapless.ratio > 0.5"),
        (["--fail-if", "errors.total > 3"], "errors.total > 3"),
        "–",
    ),
    "results": (("'f'", "f"), ("v", "v"), (["--results", "c"], "c"), "results"),
}


@pytest.mark.parametrize(
    "given", [one for size in range(4) for one in combinations(("file", "variable", "line"), size)], ids="+".join
)
def test_the_command_line_goes_before_variables_and_they_before_a_profile(
    idstorm: Idstorm, given: tuple[str, ...]
) -> None:
    words, environ, text = list[str](), dict[str, str](), ""
    expected: dict[str, tuple[str, str]] = {}
    for key, ((in_file, of_file), (in_variable, of_variable), (on_line, of_line), otherwise) in VALUES.items():
        variable = f"IDSTORM_{key.upper().replace('-', '_')}"
        text += f"{key} = {in_file}\n" if "file" in given else ""
        words += on_line if "line" in given else []
        environ |= {variable: in_variable} if "variable" in given else {}
        expected[key] = {
            "file": (of_file, FILE),
            "variable": (of_variable, variable),
            "line": (of_line, "command line"),
            "default": (otherwise, "default"),
        }[given[-1] if given else "default"]
    profile(idstorm, text)
    values = shown(idstorm("run", "uuid4", "--profile", "ci", "--dry-run", *words, **environ))
    assert {key: values[key] for key in VALUES} == expected


@pytest.mark.parametrize(
    ("in_file", "environ", "words", "expected"),
    [
        ("time = '3s'", {}, ["-n", "7"], {"inserts": ("7", "command line"), "time": ("–", "default")}),
        ("inserts = 7", {}, ["-T", "3s"], {"inserts": ("–", "default"), "time": ("3s", "command line")}),
        ("time = 3", {"INSERTS": "7"}, [], {"inserts": ("7", "IDSTORM_INSERTS"), "time": ("–", "default")}),
        ("inserts = 7", {"TIME": "3"}, [], {"inserts": ("–", "default"), "time": ("3s", "IDSTORM_TIME")}),
        ("", {"INSERTS": "7"}, ["-T", "3s"], {"inserts": ("–", "default"), "time": ("3s", "command line")}),
        ("", {"TIME": "3"}, ["-n", "7"], {"inserts": ("7", "command line"), "time": ("–", "default")}),
        (
            "inserts = 7\ntime = 3",
            {"INSERTS": "8", "TIME": "4"},
            ["-n", "9"],
            {"inserts": ("9", "command line"), "time": ("–", "default")},
        ),
        ("", {}, [], {"inserts": ("–", "default"), "time": ("5s", "default")}),
    ],
)
def test_of_inserts_and_a_time_the_one_from_further_up_counts(
    idstorm: Idstorm, in_file: str, environ: dict[str, str], words: list[str], expected: dict[str, tuple[str, str]]
) -> None:
    profile(idstorm, in_file)
    variables = {f"IDSTORM_{name}": value for name, value in environ.items()}
    values = shown(idstorm("run", "uuid4", "--profile", "ci", "--dry-run", *words, **variables))
    assert {name: values[name] for name in expected} == expected


def test_inserts_and_a_time_from_the_same_place_exclude_each_other(idstorm: Idstorm) -> None:
    profile(idstorm, "inserts = 7\ntime = '3s'")
    said(
        idstorm("run", "uuid4", "--profile", "ci", IDSTORM_TIME=""),
        "inserts (profile ci of idstorm.toml) and time (profile ci of idstorm.toml) cannot be used together",
    )
    said(
        idstorm("run", "uuid4", IDSTORM_TIME="3s", IDSTORM_INSERTS="7"),
        "IDSTORM_INSERTS and IDSTORM_TIME cannot be used together",
    )


def test_scenarios_that_are_given_replace_those_of_the_profile(idstorm: Idstorm) -> None:
    profile(idstorm, "scenarios = ['uuid4', 'rollbacks']")
    words = ["run", "--profile", "ci", "--dry-run"]
    assert storms(idstorm(*words)) == ["uuid4 on sqlite", "rollbacks on sqlite"]
    assert storms(idstorm(*words, IDSTORM_SCENARIOS="ulids, bulk")) == ["ulids on sqlite", "bulk on sqlite"]
    assert storms(idstorm(*words, "upsert:do_nothing", IDSTORM_SCENARIOS="ulids")) == ["upsert:do_nothing on sqlite"]


def test_a_profile_can_be_named_by_a_variable(idstorm: Idstorm) -> None:
    profile(idstorm, "clients = 3")
    idstorm.write("idstorm.toml", "profiles.ci.clients = 3\nprofiles.nightly.clients = 4")
    named = idstorm("run", "uuid4", "--dry-run", IDSTORM_PROFILE="nightly")
    assert shown(named)["clients"] == ("4", "profile nightly of idstorm.toml")
    assert (
        shown(idstorm("run", "uuid4", "--dry-run", "--profile", "ci", IDSTORM_PROFILE="nightly"))["clients"][0] == "3"
    )
    assert shown(idstorm("run", "uuid4", "--dry-run"))["clients"] == ("8", "default")


def test_in_a_variable_several_values_are_between_commas_or_a_line_each(idstorm: Idstorm) -> None:
    dry = ["run", "uuid4", "--dry-run"]
    assert shown(idstorm(*dry, IDSTORM_ON=" sqlite , sqlite:///a,"))["on"][0] == "sqlite, sqlite:///a"
    assert shown(idstorm(*dry, IDSTORM_ON="sqlite:///a,b\n"))["on"][0] == "sqlite:///a,b"
    assert shown(idstorm(*dry, IDSTORM_ON="sqlite:///a b\nsqlite\n\n"))["on"][0] == "sqlite:///a b, sqlite"


def test_every_option_can_come_from_a_variable_of_its_own(idstorm: Idstorm) -> None:
    params = [param for param in run.params if param.name != "scenario"]
    variables = [variable_of(param) for param in params]
    assert len(set(variables)) == len(params)
    assert {"IDSTORM_PROFILE", "IDSTORM_ON", "IDSTORM_TIME", "IDSTORM_FAIL_IF", "IDSTORM_MAX_OVERFLOW"} < set(variables)
    assert [param.envvar for param in params] == variables
    for taken in ("REQUIRE", "WORKER", "PG_CTL", "MYSQLD", "MARIADBD"):
        assert f"IDSTORM_{taken}" not in variables
    assert [one for one in variables if one.endswith("_URL")] == ["IDSTORM_ADMIN_URL"]  # others are databases' own
    assert "admin" not in DIALECTS
    long_names = set(re.findall(r"--([a-z][a-z-]+)", idstorm("run", "--help").out))
    assert {key_of(param) for param in params} <= long_names


def test_a_variable_that_is_wrong_is_named(idstorm: Idstorm) -> None:
    said(idstorm("run", "uuid4", IDSTORM_CLIENTS="many"), "Invalid value for IDSTORM_CLIENTS: 'many'")
    said(idstorm("run", "uuid4", "--clients", "many", IDSTORM_CLIENTS="4"), "Invalid value for '-c' / '--clients'")
    said(idstorm("run", "uuid4", IDSTORM_FAIL_IF="nonsense"), "IDSTORM_FAIL_IF", "is not a gate")
    said(idstorm("run", "uuid4", IDSTORM_ON="oracle"), "oracle is not a target", "(on from IDSTORM_ON)")
    said(idstorm("run", "uuid4", IDSTORM_ON=","), "name a target with --on", "(on from IDSTORM_ON)")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clients = 0", "clients: clients has to be from 1 to 10,000, and 0 is not"),
        ("clients = true", "clients: 'true' is not a whole number"),
        ("clients = 2.5", "clients: '2.5' is not a whole number"),
        ("clients = [2]", "clients: it has to be a string, a number, true or false"),
        ("clients = 1979-05-27", "clients: it has to be a string, a number, true or false"),
        ("reader = 'perhaps'", "reader: 'perhaps' is not a valid boolean"),
        ("time = 'soon'", "time: 'soon' is not a duration: write 30s, 5m or 500ms"),
        ("rollback = nan", "rollback: rollback has to be at least 0"),
        ("fail-if = ['gapless.ratio > 0.5', 'visible.skiped > 0']", "fail-if: no report has a figure visible.skiped"),
        ("set = ['begin']", "set: 'begin' is not a setting"),
        ("set = {begin = ['immediate']}", "set: it has to be a string"),
        ("on = {a = 'sqlite'}", "on: it has to be a string"),
        ("client = 4", "client is not an option of `idstorm run`; did you mean clients?"),
        ("fail_if = 'errors.total > 0'", "fail_if is not an option of `idstorm run`; did you mean fail-if?"),
        ("scenario = 'uuid4'", "scenario is not an option of `idstorm run`; did you mean scenarios?"),
        ("no-reader = true", "no-reader is not an option of `idstorm run`; did you mean reader?"),
        ("profile = 'other'", "profile is not an option"),
        ("time = 3\nduration = 4", "duration and time are the same option"),
    ],
)
def test_a_value_that_is_wrong_is_named_with_its_file_profile_and_key(
    idstorm: Idstorm, text: str, sentence: str
) -> None:
    profile(idstorm, text)
    said(idstorm("run", "uuid4", "--profile", "ci"), f"Error: {FILE}: {sentence}")
    assert not (idstorm.folder / "results").exists()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("on = 'oracle'", ["oracle is not a target", f"(scenarios, on from {FILE})"]),
        ("on = []", ["name a target with --on", f"(scenarios, on from {FILE})"]),
        ("set = {colour = 'red'}", ["has no such setting", f"(scenarios, set from {FILE})"]),
    ],
)
def test_what_turns_out_to_be_wrong_later_is_named_too(idstorm: Idstorm, text: str, sentences: list[str]) -> None:
    profile(idstorm, f"scenarios = 'uuid4'\n{text}")
    said(idstorm("run", "--profile", "ci"), *sentences)


def test_a_scenario_that_is_not_there_is_named_with_its_profile(idstorm: Idstorm) -> None:
    profile(idstorm, "scenarios = ['autoincremnt']")
    said(idstorm("run", "--profile", "ci"), "did you mean autoincrement", f"(scenarios from {FILE})")
    said(idstorm("run", "--profile", "ci", "uuid5"), "there is no scenario 'uuid5'")
    assert FILE not in idstorm("run", "--profile", "ci", "uuid5").err


def test_a_profile_without_scenarios_needs_some(idstorm: Idstorm) -> None:
    profile(idstorm, "scenarios = []")
    said(idstorm("run", "--profile", "ci"), "SCENARIO")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[profiles.nightly]\n[profiles.quick]", "idstorm.toml has no profile ci; there are nightly, quick"),
        ("[profiles.nightly]", "idstorm.toml has no profile ci; there is nightly"),
        ("", "idstorm.toml has no profile ci; it has no profiles"),
        ("[profile.ci]", "idstorm.toml: profile is not a key of idstorm; did you mean profiles?"),
        ("profiles = 5", "idstorm.toml: profiles has to be a table: [profiles]"),
        ("[profiles]\nci = 5", "idstorm.toml: profiles.ci has to be a table: [profiles.ci]"),
        ("[profiles.ci]\non = sqlite", "idstorm.toml is not TOML: Invalid value (at line 2, column 6)"),
        ("[profiles.ci]\n\non = 'sqlite", "(at line 3, where the file ends)"),
    ],
)
def test_a_file_that_is_wrong_is_named(idstorm: Idstorm, text: str, sentence: str) -> None:
    idstorm.write("idstorm.toml", text)
    said(idstorm("run", "uuid4", "--profile", "ci"), sentence)


def test_a_file_in_another_encoding_is_named_with_its_line(idstorm: Idstorm) -> None:
    (idstorm.folder / "idstorm.toml").write_bytes(b"[profiles.ci]\non = 'sqlite:///caf\xe9.db'\n")
    said(idstorm("run", "uuid4", "--profile", "ci"), "idstorm.toml is not TOML: it is not in UTF-8 (at line 2)")


def test_without_any_file_the_two_that_may_hold_a_profile_are_named(idstorm: Idstorm) -> None:
    idstorm.write("pyproject.toml", "[tool.other]")
    said(idstorm("run", "uuid4", "--profile", "ci"), "idstorm.toml", "pyproject.toml with [tool.idstorm]")


def test_the_nearest_file_counts(idstorm: Idstorm) -> None:
    below = idstorm.folder / "one" / "two"
    below.mkdir(parents=True)
    deep = Idstorm(below)

    def clients(where: Path, name: str, head: str, number: int) -> str:
        Idstorm(where).write(name, f"[{head}profiles.ci]\nclients = {number}")
        value, source = shown(deep("run", "uuid4", "--profile", "ci", "--dry-run"))["clients"]
        return f"{value} {source.removeprefix('profile ci of ')}"

    assert clients(idstorm.folder, "pyproject.toml", "tool.idstorm.", 3) == "3 ../../pyproject.toml"
    assert clients(idstorm.folder, "idstorm.toml", "", 4) == "4 ../../idstorm.toml"
    assert clients(below.parent, "pyproject.toml", "tool.other.", 5) == "4 ../../idstorm.toml"
    assert clients(below.parent, "pyproject.toml", "tool.idstorm.", 6) == "6 ../pyproject.toml"
    assert clients(below, "idstorm.toml", "", 7) == "7 idstorm.toml"


def test_files_are_read_for_a_profile_alone(idstorm: Idstorm) -> None:
    idstorm.write("idstorm.toml", "no TOML at all")
    assert idstorm("run", "uuid4", "--dry-run").code == 0


def test_a_dry_run_touches_nothing_and_shows_no_password(idstorm: Idstorm) -> None:
    url = "postgresql://me:tr0ub4dor@127.0.0.1:1/nowhere"
    profile(idstorm, f"scenarios = ['uuid4']\non = ['sqlite:///app.db', '{url}']")
    ran = idstorm("run", "--profile", "ci", "--dry-run", IDSTORM_MYSQL_URL="mysql://me:tr0ub4dor@127.0.0.1:1/x")
    assert storms(ran) == ["uuid4 on sqlite:///app.db", "uuid4 on postgresql+psycopg://me:***@127.0.0.1:1/nowhere"]
    assert "tr0ub4dor" not in ran.out + ran.err
    assert {path.name for path in idstorm.folder.iterdir()} == {"idstorm.toml"}


def test_a_dry_run_of_what_cannot_be_asked_for_is_a_usage_error(idstorm: Idstorm) -> None:
    said(idstorm("run", "nothing_like_it", "--dry-run"), "there is no scenario")
    said(idstorm("run", "uuid4", "--set", "colour=red", "--dry-run"), "has no such setting")
    said(idstorm("run", "rollbacks", "--isolation", "autocommit", "--dry-run"), "means nothing under AUTOCOMMIT")
    said(idstorm("run", "uuid4", "-j", "9", "--dry-run"), "too many")


def test_a_dry_run_says_what_cannot_be_had(idstorm: Idstorm, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("IDSTORM_MYSQL_URL", "IDSTORM_MYSQLD"):
        monkeypatch.delenv(variable, raising=False)
    (storm,) = storms(idstorm("run", "uuid4", "--on", "mysql", "--dry-run", PATH=""))
    if storm == "uuid4 on mysql":
        pytest.skip("this machine has a MySQL server of its own")
    assert storm.startswith("uuid4 on mysql: there is no mysql to storm: set IDSTORM_MYSQL_URL")
