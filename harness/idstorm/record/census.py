"""The census: what the table holds, read back in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from idstorm.errors import UnreadableRun
from idstorm.record.columns import Bools, Ints, Keys
from idstorm.record.keys import Codec
from idstorm.record.packed import Packed, Packing
from idstorm.record.stamp import Stamp


@dataclass(frozen=True)
class Census:
    """The (id, token) pairs of a table, in no particular order. NULL ids and tokens are kept as such."""

    ids: Keys
    tokens: Ints
    null_ids: Bools | None = None  #: None: there is none
    null_tokens: Bools | None = None  #: None: there is none

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def known_ids(self) -> Keys:
        """The ids that are not NULL."""
        return self.ids if self.null_ids is None else self.ids.take(~self.null_ids)

    @classmethod
    def of(cls, codec: Codec, rows: list[tuple[object, int | None]]) -> Census:
        """Return the census of these (id, token) pairs."""
        ids, tokens = [row[0] for row in rows], [row[1] for row in rows]
        return cls(
            Keys.encode(codec, ids),
            np.array([token or 0 for token in tokens], np.int64),
            np.array([id_ is None for id_ in ids], np.bool_) if None in ids else None,
            np.array([token is None for token in tokens], np.bool_) if None in tokens else None,
        )

    def write(self, path: Path, stamp: Stamp) -> None:
        """Write the census of a storm, whole or not at all."""
        nulls = {"null_ids": self.null_ids, "null_tokens": self.null_tokens}
        with Packing(path, stamp, {"rows": len(self)}) as packing:
            packing.add("ids", self.ids.words)
            packing.add("tokens", self.tokens)
            for name, column in nulls.items():
                if column is not None:
                    packing.add(name, column)

    @classmethod
    def read(cls, path: Path, codec: Codec, stamp: Stamp) -> Census:
        """Return the census that `write` wrote for this storm. Raises UnreadableRun for anything else."""
        with Packed(path, stamp) as packed:
            nulls = [
                packed.read(name).astype(np.bool_) if name in packed else None for name in ("null_ids", "null_tokens")
            ]
            census = cls(Keys.of_words(codec, packed.read("ids")), packed.read("tokens"), *nulls)
        if len(census.ids) != len(census.tokens):
            raise UnreadableRun(f"{path} is truncated: {len(census.ids)} ids, {len(census.tokens)} tokens")
        return census
