"""One table of options: what it says is what the command line, profiles, variables and the pytest plugin take."""

from __future__ import annotations

import shlex
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idstorm.cli.matrix import matrix
from idstorm.cli.run import run
from idstorm.errors import UsageError
from idstorm.findings.gate import parse_gate
from idstorm.options import OPTIONS, Option, StormOptions, check_bounds, options_of, words_of

WORDS = st.text("abcdefgh_ '\"=%", min_size=1, max_size=8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "think": st.floats(0, 100).map(lambda most: (0.0, round(most, 6) + 0.001)),
    "isolation": st.sampled_from(["SERIALIZABLE", "READ COMMITTED"]),
    "admin_url": st.sampled_from(["postgresql://host/name", "mysql://host:3306"]),  # one with a secret is masked
    "label": st.text("ab -'=%", min_size=1).filter(str.strip),
    "namespace": st.sampled_from(["schema", "database"]),
    "fail_if": st.lists(st.sampled_from(["gapless.ratio > 0.05", "operations.failed >= 1"]).map(parse_gate)).map(tuple),
    "settings": st.lists(st.tuples(st.text("abc_", min_size=1), WORDS)).map(tuple),
}


def values_of(option: Option) -> st.SearchStrategy[Any]:
    if option.name in VALUES:
        return VALUES[option.name]
    if option.is_flag:
        return st.booleans()
    least, most = option.bounds or (0, 0)
    if isinstance(option.default, float) or option.name in ("time", "rollback", "deletes", "headroom", "forecast"):
        return st.floats(max(least, 0.001), 0.9 if most == 1 else most).map(lambda value: round(value, 4))
    return st.integers(int(least), int(most))


ANY = st.fixed_dictionaries({}, optional={name: values_of(option) for name, option in OPTIONS.items()})


@given(ANY)
@settings(deadline=None, max_examples=50)
def test_the_command_that_repeats_a_run_gives_the_same_options(values: dict[str, Any]) -> None:
    values.pop("time" if "inserts" in values else "inserts", None)
    asked = options_of(values)
    ctx = run.make_context("run", ["autoincrement", *shlex.split(words_of(asked))])
    assert options_of({name: ctx.params[name] for name in OPTIONS}) == asked


def test_every_option_is_one_of_the_command_line() -> None:
    params = {param.name: param for param in run.params}
    for name, option in OPTIONS.items():
        assert set(params[name].opts + params[name].secondary_opts) == {
            flag for flags in option.flags for flag in flags.split("/")
        }
        assert isinstance(params[name], click.Option)


@pytest.mark.parametrize("command", [run, matrix])
def test_help_shows_each_option_under_its_group(command: click.Command) -> None:
    with click.Context(command, info_name="idstorm") as ctx:
        shown = command.get_help(ctx)
    for param in command.params:
        if param.name in OPTIONS:
            before, _, after = shown.partition(f"\n{OPTIONS[param.name].group}:\n")
            section = after.partition("\n\n")[0]
            assert f"--{OPTIONS[param.name].key}" in section, (param.name, before)


def test_python_code_may_give_values_or_words() -> None:
    as_words = options_of(
        {"time": "1m", "think": "0..5ms", "settings": "begin=immediate", "fail_if": "unique.duplicated > 0"}
    )
    as_values = options_of(
        {
            "time": 60,
            "think": (0.0, 0.005),
            "settings": {"begin": "immediate"},
            "fail_if": [parse_gate("unique.duplicated > 0")],
        }
    )
    assert as_words == as_values


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"client": 4}, "a storm has no option client; did you mean clients?"),
        ({"clients": "many"}, "'many' is not a whole number"),
        ({"clients": 2.5}, "clients cannot be 2.5"),
        ({"clients": True}, "clients cannot be True"),
        ({"think": (-1, 0.001)}, "think cannot be "),
        ({"think": (0.005, 0)}, "think cannot be "),
        ({"think": ()}, "think cannot be "),
        ({"think": ("a", "b")}, "think cannot be "),
        ({"time": 0}, "time cannot be 0"),
        ({"patience": float("nan")}, "patience cannot be nan"),
        ({"settings": [("a",)]}, "set cannot be "),
        ({"settings": {"begin": ""}}, "'begin=' is not a setting"),
        ({"fail_if": 5}, "fail-if cannot be 5"),
        ({"isolation": 1}, "isolation cannot be 1"),
        ({"keep": "maybe"}, "'maybe' is neither true nor false"),
        ({"rollback": 1.0}, "rollback has to be at least 0 and less than 1, and 1.0 is not"),
        ({"think": "9..1ms"}, "starts with the larger time"),
        ({"settings": ["begin"]}, "'begin' is not a setting: write NAME=VALUE"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(given_: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence.replace("?", r"\?")):
        options_of(given_)


def test_numbers_of_other_libraries_are_numbers() -> None:
    taken = options_of({"rollback": np.float64(0.1), "clients": np.int32(4), "think": [0, np.float32(0.5)]})
    assert words_of(taken) == "--processes 2 --clients 4 --rollback 0.1 --think 0..0.5s"


def test_a_time_and_a_number_of_inserts_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="cannot be used together"):
        StormOptions(inserts=1, time=1.0).resolved()


def test_what_a_scenario_says_is_held_against_the_same_bounds() -> None:
    check_bounds(batch=None, think=(0.0, 3600.0))
    with pytest.raises(UsageError, match="batch has to be from 1 to 100,000, and 100001 is not"):
        check_bounds(batch=100_001)
