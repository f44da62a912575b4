"""The census: what the table holds, read back in one snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from idstorm.record.archive import Packed, new_archive
from idstorm.record.columns import Bools, Ints, Keys
from idstorm.record.files import intact, loads
from idstorm.record.keys import Codec, Shown
from idstorm.record.shapes import read_as
from idstorm.record.stamp import Stamp
from idstorm.record.texts import show_stored

_ODD = "odd"
_KEPT = 1_000  # odd ids, as text


@dataclass(frozen=True)
class Census:
    """The (id, token) pairs of a table, in no particular order. NULL ids and tokens are kept as such.

    A stored value that is not an id (its type fails to read it back, or it is not a number where the
    others are) has no key, like NULL; the first of them are kept as text.
    """

    ids: Keys
    tokens: Ints
    null_ids: Bools | None = None  #: the entries whose id has no key; None: there is none
    null_tokens: Bools | None = None  #: None: there is none
    odd: Mapping[int, str] = field(default_factory=dict)  #: by entry, what is stored there instead of an id

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def known_ids(self) -> Keys:
        """The ids that are not NULL."""
        return self.ids if self.null_ids is None else self.ids.take(~self.null_ids)

    def show_id(self, place: int) -> Shown | None:
        """Return the id at this place as JSON can hold it: as text where it is odd, None for NULL."""
        if self.null_ids is not None and self.null_ids[place]:
            return self.odd.get(place)
        return self.ids.show(place)

    @classmethod
    def of(cls, codec: Codec, rows: Sequence[tuple[object, int | None]]) -> Census:
        """Return the census of these (id, token) pairs."""
        ids, tokens = [row[0] for row in rows], [row[1] for row in rows]
        odd = dict[int, str]()
        try:
            keys = Keys.encode(codec, ids)
        except (TypeError, ValueError):
            ids, odd = _without_odd(codec, ids)
            keys = Keys.encode(codec, ids)
        return cls(
            keys,
            np.array([token or 0 for token in tokens], np.int64),
            np.array([id_ is None for id_ in ids], np.bool_) if None in ids else None,
            np.array([token is None for token in tokens], np.bool_) if None in tokens else None,
            odd,
        )

    def write(self, path: Path, stamp: Stamp) -> None:
        """Write the census of a storm, whole or not at all."""
        nulls = {"null_ids": self.null_ids, "null_tokens": self.null_tokens}
        with new_archive(path, stamp, {"rows": len(self)}) as packing:
            packing.add("ids", self.ids.words)
            packing.add("tokens", self.tokens)
            for name, column in nulls.items():
                if column is not None:
                    packing.add(name, column)
            if self.odd:
                packing.add_text(_ODD, json.dumps(self.odd))

    @classmethod
    def read(cls, path: Path, codec: Codec, stamp: Stamp) -> Census:
        """Return the census that `write` wrote for this storm. Raises UnreadableRun for anything else."""
        with Packed(path, stamp) as packed:
            tokens = packed.read("tokens")
            ids = Keys.of_words(codec, packed.read("ids", len(tokens) * codec.words))
            null_ids, null_tokens = (
                packed.read(name, len(tokens)).astype(np.bool_) if name in packed else None
                for name in ("null_ids", "null_tokens")
            )
            odd = _read_odd(packed.read_text(_ODD), len(tokens), path) if _ODD in packed else {}
        return cls(ids, tokens, null_ids, null_tokens, odd)


def _read_odd(text: str, entries: int, path: Path) -> dict[int, str]:
    with intact(path):
        odd = {int(place): shown for place, shown in read_as(dict[str, str], loads(text)).items()}
        if not all(0 <= place < entries for place in odd):
            raise ValueError("it names a row that does not exist")
    return odd


def _without_odd(codec: Codec, ids: Sequence[object]) -> tuple[list[object], dict[int, str]]:
    """Return the ids with None for what is not an id of this codec, and the first of these as text."""
    kept, odd = list(ids), dict[int, str]()
    for place, id_ in enumerate(ids):
        try:
            if id_ is not None:
                codec.encode(id_)
        except (TypeError, ValueError):
            kept[place] = None
            if len(odd) < _KEPT:
                odd[place] = show_stored(id_)
    return kept, odd
