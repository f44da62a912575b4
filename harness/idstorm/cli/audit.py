"""The command `audit`."""

from __future__ import annotations

from pathlib import Path

import click

from idstorm.cli.reports import Outputs, audit_report_options, finish_audit


@click.command()
@click.option(
    "--on", required=True, metavar="TARGET", help="The database: its SQLAlchemy URL, or a word with a variable."
)
@click.option("--scan", is_flag=True, help="Also read whole tables, where no index leads to the furthest id.")
@click.option(
    "--fail-if",
    multiple=True,
    metavar="'FIGURE > N'",
    help="What is an error: a limit on used, behind, days_left or unread, or on how many findings of a kind there are. "
    "[default: used > 0.8, behind > 0, narrow_reference > 0]",
)
@click.option(
    "--since",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="The --json report of an earlier audit: ids burned a day, and the date on which each generator ends.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="[ID=]RATE",
    help="Ids burned, as in 100000/d or public.orders.id=50/s, where --since does not tell.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="REPORT",
    help="The --json report of an audit whose findings are accepted.",
)
@click.option("--allow-unreadable", is_flag=True, help="Pass although something could not be read.")
@audit_report_options
def audit(
    on: str,
    scan: bool,
    fail_if: tuple[str, ...],
    since: Path | None,
    rates: tuple[str, ...],
    baseline: Path | None,
    allow_unreadable: bool,
    outputs: Outputs,
) -> None:
    """Audit the ids of a database that is there: which column overflows next, which generator is behind its table?

    It only reads: the catalogue, and the end of an index of each table with generated ids, each in a statement of its
    own. What mends a finding is printed, with the lock that it takes, and never run.
    """
    from idstorm.commands.audit import AuditRequest
    from idstorm.commands.audit import audit as look

    again = [*(["--scan"] if scan else []), *(word for gate in fail_if for word in ("--fail-if", gate))]
    again += [word for rate in rates for word in ("--rate", rate)]
    for option, file in (("--since", since), ("--baseline", baseline)):
        again += [] if file is None else [option, str(file)]
    again += ["--allow-unreadable"] if allow_unreadable else []
    request = AuditRequest(on, fail_if, rates, since, baseline, scan, allow_unreadable, tuple(again))
    finish_audit(look(request), outputs)
