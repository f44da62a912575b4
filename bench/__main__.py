"""Measure, print and write down."""

from __future__ import annotations

import importlib
import sys

import click
from rich.console import Console

from bench.servers import DIALECTS

NAMES = ("overhead", "joining", "start", "judge", "census", "versus", "explore")
"""A benchmark is added by a file of its own, with a function `measure`, and its name here."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--on", multiple=True, type=click.Choice(DIALECTS), help="Measure on these databases.  [default: all]")
@click.option("--quick", is_flag=True, help="Measure less, to see that it works: the numbers mean little.")
def main(names: tuple[str, ...], on: tuple[str, ...], quick: bool) -> None:
    """Run these benchmarks, or all; the results are written to bench/results."""
    console, chosen = Console(width=None if sys.stdout.isatty() else 120), names or NAMES
    for name in chosen:
        with console.status(f"measuring {name}"):
            measured = importlib.import_module(f"bench.{name}").measure(quick=quick, on=on or DIALECTS)
        measured.show(console)
        console.print(f"[dim]{measured.save()}[/]\n", highlight=False)
    if skipped := [name for name in NAMES if name not in chosen]:
        console.print(f"not asked for: {', '.join(skipped)}", highlight=False)


if __name__ == "__main__":
    main()
