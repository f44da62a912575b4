"""Measure, print and write down."""

from __future__ import annotations

import importlib

import click
from rich.console import Console

NAMES = ("overhead", "start", "judge")
"""A benchmark is added by a file of its own, with a function `measure`, and its name here."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--quick", is_flag=True, help="Measure less, to see that it works: the numbers mean little.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Run these benchmarks, or all; the results are written to bench/results."""
    console = Console()
    for name in names or NAMES:
        with console.status(f"measuring {name}"):
            measured = importlib.import_module(f"bench.{name}").measure(quick=quick)
        measured.show(console)
        console.print(f"[dim]{measured.save()}[/]\n", highlight=False)


if __name__ == "__main__":
    main()
