"""Make docs/failure.svg from a real run: ``python docs/failure.py``, in the folder of the project."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from idstorm.commands.explore import explore_failures
from idstorm.commands.run import Request, run
from idstorm.options import StormOptions
from idstorm.report.terminal import show

WIDTH = 100


def main() -> None:
    """Storm the example that fails, and draw its report."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    with TemporaryDirectory() as folder:
        options = StormOptions(inserts=1_000, seed=7).resolved()
        request = Request(("examples/order_numbers.py:place_order.number",), ("sqlite",), options, Path(folder))
        report = explore_failures(run(request), request)
        shown = Console(width=WIDTH, file=StringIO())
        show(shown, report)
        assert "FAILED" in str(shown.file.getvalue())  # type: ignore[attr-defined]
        show(console, report)
    picture = console.export_svg(
        title="idstorm run examples/order_numbers.py:place_order --id number --explore-failures"
    )
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # which would be fetched
    picture = re.sub(re.escape(folder), "results", picture)
    Path(__file__).with_suffix(".svg").write_text(picture)


if __name__ == "__main__":
    main()
