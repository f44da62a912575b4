"""The essay and the claims of a scenario, as text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from idstorm.findings.checks import held_by_default


class Claims(Protocol):
    """The parts of a claim that are shown."""

    @property
    def stance(self) -> str: ...
    @property
    def checks(self) -> Sequence[str]: ...
    @property
    def why(self) -> str: ...
    @property
    def when(self) -> Any: ...


def essay(scenarios: Iterable[tuple[str, str, str, Sequence[Claims]]]) -> str:
    """Return the essay, and the name, summary and claims, of each of these scenarios; a shared essay is shown once."""
    lines, seen = list[str](), set[str]()
    for name, text, summary, claims in scenarios:
        if text not in seen:
            lines += [text or "(no docstring)", ""]
            seen.add(text)
        lines += [f"{name}: {summary}"] if not text.startswith(summary) else []
        lines += [f"claims of {name}", *(f"  {_claim(claim)}" for claim in claims)]
        named = {check for claim in claims for check in claim.checks}
        rest = [check for check in held_by_default() if check not in named]
        lines += [f"  holds      {', '.join(rest)} (by default)", ""] if rest else [""]
    return "\n".join(lines).rstrip()


def _claim(claim: Claims) -> str:
    text = f"{claim.stance:10} {', '.join(claim.checks)}"
    if claim.when is not None:
        where = " or ".join(sorted(claim.when)) if isinstance(claim.when, Collection) else "the facts fit"
        text += f", where {where}"
    return text + (f": {claim.why}" if claim.why else "")
