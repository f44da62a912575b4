"""Hiding a secret in arbitrary text: as it is, and in every form that it is commonly rendered in.

A user's own error may hold a password within a URL, the repr of a dict, JSON, HTML, a connection string or base64. Each
character is therefore looked for in all of its spellings, in whatever mixture; encodings of the whole secret are looked
for besides.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}  # HTML's names of characters
_SHORT = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0"}
_LEAST = 6  # base64 or hexadecimal digits: fewer might match a word by chance


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with each of `secrets` replaced by three stars, in whatever form it is written there."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = _pattern(secret).sub("***", text)
    return text


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str]:
    runs = re.findall(r"\\+|[^\\]", secret)  # backslashes by the run, or a long row of them takes for ever to match
    spelled = "".join(f"(?:{'|'.join(_spellings(run[0], len(run)))})" for run in runs)
    return re.compile("|".join([spelled, *map(re.escape, _encodings(secret))]))


def _spellings(char: str, times: int) -> Iterator[str]:
    r"""Yield patterns of a character that comes several times in a row.

    It may stand behind backslashes, be escaped by a language, percent-encoded, or a reference of HTML. A text in a text
    has its escapes escaped, once more for each level. The longer comes first: it may begin with the shorter.
    """
    code, data = ord(char), char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass").hex()
    escapes = [
        f"&(?:amp;)*#(?i:0*{code}|x0*{code:x});",
        "".join(f"%(?:25)*(?i:{byte:02x})" for byte in data),
        "".join(rf"\\{{1,8}}x(?i:{byte:02x})" for byte in data),
        "".join(rf"\\{{1,8}}{byte:03o}" for byte in data),
        "".join(rf"\\{{1,8}}u(?i:{units[place : place + 4]})" for place in range(0, len(units), 4)),
        rf"\\{{1,8}}U(?i:{code:08x})",
    ]
    if char in _NAMED:
        escapes.append(f"&(?:amp;)*{_NAMED[char]};")
    if code < 256:
        escapes.append(rf"\\{{1,8}}x(?i:{code:02x})")
    yield from (f"(?:{escape}){{{times}}}" for escape in escapes)
    if char in "'\"":  # taken out of its quotes in a shell, doubled in SQL
        yield from ("'\"'\"'", char * 2)
    yield rf"\\{{{times},{8 * times}}}" if char == "\\" else rf"\\{{0,8}}{re.escape(char)}"
    if char == " ":
        yield r"\+"
    if char in _SHORT:
        yield rf"\\{{1,8}}{_SHORT[char]}"


def _encodings(secret: str) -> Iterator[str]:
    """Yield the whole secret in hexadecimal digits and in base64, in the middle of what was encoded, too."""
    data = secret.encode("utf-8", "surrogatepass")
    found = [data.hex(), data.hex().upper(), base64.b64encode(data).decode()]
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        first, last = (0, 2, 3)[before], len(whole) - bool((before + len(data)) % 3)
        found.append(whole[first:last])  # what stands at its ends depends on what stands beside it
    for one in found:
        if len(one) >= _LEAST:
            yield from {one, one.translate(str.maketrans("+/", "-_"))}
