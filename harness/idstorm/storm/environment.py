"""A scenario's own environment, which is kept up while its clients are at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from idstorm.errors import ScenarioError
from idstorm.scenario import Place, Scenario
from idstorm.storm.loops import kept_up


@contextmanager
def environment_of(scenario: Scenario, place: Place) -> Iterator[Any]:
    """Keep up the scenario's environment for the whole storm, and yield what its clients are told of it.

    Raises ScenarioError where that cannot be held by JSON.
    """
    if scenario.environment is None:
        yield None
        return
    with kept_up(scenario.environment(place)) as given:
        try:
            told = json.loads(json.dumps(given))
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"an environment has to yield what JSON can hold: {error}") from error
        yield told
