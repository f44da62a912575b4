"""Running a test suite of another project in a process of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import mkdtemp

import pytest

import preloaded
from running import PATIENCE

QUICKLY = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Words for every suite: it takes a second of a processor to import Hypothesis, in each of its processes."""


def run_suite(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    """Do what `pytester.runpytest_subprocess` does, but by a fork of a process that has imported what a storm needs.

    Not for tests about what is imported.
    """
    began = time.perf_counter()
    path = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    every = [f"--basetemp={mkdtemp(dir=pytester.path, prefix='runpytest-')}", *QUICKLY, *words]
    done = preloaded.call("pytest", every, Path.cwd(), {**os.environ, "PYTHONPATH": path}, 5 * PATIENCE)
    print(done.out, done.err, sep="\n")
    return pytest.RunResult(done.code, done.out.splitlines(), done.err.splitlines(), time.perf_counter() - began)
