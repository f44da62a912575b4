"""What a worker is told of the storm that it is to serve, as one line of JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from idstorm.record.plan import Plan


@dataclass(frozen=True)
class Assignment:
    """One worker's part in a storm.

    A worker may have been started long before, for another storm: directory and variables are those of the moment when
    this storm was assigned.
    """

    plan: Plan
    url: str = field(repr=False)  #: of the namespace, with its password
    folder: str  #: of the storm, as an absolute path
    environment: Any  #: what the scenario's environment gave its clients, as JSON can hold it
    worker: int = 0  #: the number of this worker, from 0
    directory: str = field(default_factory=os.getcwd)  #: the current directory of the user's own code
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def of(self, worker: int) -> Assignment:
        """Return the assignment of the worker with this number."""
        return replace(self, worker=worker)

    def to_line(self) -> str:
        """Return it as one line."""
        about = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps({**about, "plan": self.plan.to_json()})

    @classmethod
    def of_line(cls, line: str) -> Assignment:
        """Return the assignment that a line holds."""
        about = json.loads(line)
        return cls(**{**about, "plan": Plan.from_json(about["plan"])})

    def take_up(self) -> None:
        """Let this process be as the one that made the assignment: in its directory, with its variables."""
        os.chdir(self.directory)
        os.environ.clear()
        os.environ.update(self.variables, IDSTORM_WORKER=str(self.worker))
        time.tzset()
