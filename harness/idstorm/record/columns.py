"""Ids as numpy columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idstorm.record.keys import Codec, Shown

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Keys:
    """A column of keys: 64-bit integers for the fast path, else rows of words."""

    codec: Codec
    words: Ints  #: shape (n,) for one-word keys, (n, codec.words) for the others

    @classmethod
    def encode(cls, codec: Codec, values: Iterable[object]) -> Keys:
        """Return the keys of these ids; None, which is not an id, becomes a key of zeros."""
        nothing = (0,) * codec.words
        rows = [nothing if value is None else codec.encode(value) for value in values]
        return cls.of_words(codec, np.array(rows, np.int64))

    @classmethod
    def of_words(cls, codec: Codec, words: Ints) -> Keys:
        """Return the keys that these words hold, whatever their shape."""
        return cls(codec, words.reshape(-1) if codec.words == 1 else words.reshape(-1, codec.words))

    def __len__(self) -> int:
        return len(self.words)

    def take(self, which: Ints | Bools | slice) -> Keys:
        """Return the keys at these places."""
        return Keys(self.codec, self.words[which])

    def equal(self, other: Keys) -> Bools:
        """Return, place by place, whether two columns hold the same key."""
        if self.words.ndim == 1:
            return np.asarray(self.words == other.words)
        return np.asarray((self.words[:, :2] == other.words[:, :2]).all(axis=1))

    def digest(self) -> Ints:
        """Return one integer for each key: equal keys have equal digests, different ones almost always differ."""
        if self.words.ndim == 1:
            return self.words
        mixed: Ints = self.words[:, 0] * np.int64(-7046029254386353131) ^ self.words[:, 1]
        return mixed

    @property
    def scopes(self) -> Ints:
        """A hash of the scope of each id that is counted within one."""
        hashes: Ints = self.words[:, -2]
        return hashes

    @property
    def numbers(self) -> Ints:
        """The number of each id: within its scope, if it has one. Those of unsigned columns are less 2**63."""
        numbers: Ints = self.words if self.words.ndim == 1 else self.words[:, -1]
        return numbers

    def show(self, place: int) -> Shown:
        """Return the id at this place as JSON can hold it."""
        words: Sequence[int] = self.words[place].reshape(-1).tolist()
        return self.codec.decode(words)


def join_keys(codec: Codec, parts: Sequence[Keys]) -> Keys:
    """Return these columns one after another."""
    empty = np.zeros(0 if codec.words == 1 else (0, codec.words), np.int64)
    return Keys(codec, np.concatenate([part.words for part in parts] or [empty]))
