"""The names of namespaces, and what is known of one that is found."""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "idstorm_"
_STAMPED = re.compile(r"idstorm_[0-9]{8}_[0-9]{6}_[0-9a-f]{4}_[0-9]+r?")


@dataclass(frozen=True)
class Namespace:
    """A namespace that exists: left behind by a killed run, unless a field says otherwise."""

    name: str
    in_use: bool = False  #: a run holds its lock, or works in it
    kept: bool = False  #: it was made to be kept
    strange: str | None = None  #: why it is not known to be the caller's own


@dataclass(frozen=True)
class Quiet:
    """The result of waiting until nothing of a storm is at work any more."""

    reached: bool  #: False: something may still be at work
    rolled_back: int = 0  #: the storm's prepared transactions, which no session was left to end
    unseen: str | None = None  #: why it could not be seen whether sessions are at work, or transactions prepared

    def __bool__(self) -> bool:
        return self.reached


def name_of(label: str) -> str:
    """Return the name of the namespace with a label."""
    return PREFIX + label.replace("-", "_")


def is_stamped(name: str) -> bool:
    """Return whether a name is one that only a run of idstorm gives."""
    return _STAMPED.fullmatch(name) is not None


def found(name: str, *, mark: str | None, owner: str, caller: str) -> Namespace:
    """Return what is known of a namespace. Only one with the right name, mark and owner may be dropped.

    `mark` is "kept" for a namespace that was made to be kept, and None where there is no mark.
    """
    why = None
    if not is_stamped(name):
        why = "its name is not one that idstorm gives"
    elif mark is None:
        why = "it does not carry idstorm's mark"
    elif owner != caller:
        why = f"it belongs to {owner}, and you are {caller}"
    return Namespace(name, kept=mark == "kept", strange=why)
