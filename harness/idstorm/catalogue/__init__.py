"""Finding scenarios: in the catalogue, in a file, in a module.

A reference is ``WHERE[:NAME]``. WHERE is a name of the catalogue, the path of a ``.py`` file or a module; NAME is a
`Scenario` or a mapped class in it. Without a NAME, all scenarios of the file are meant.

Other distributions add to the catalogue by entry points of the group `idstorm.scenarios`. Each leads to a module, which
has the entry point's name here, or to a package, whose modules have their own, but for those that begin with `_`:

    [project.entry-points."idstorm.scenarios"]
    vectors = "idstorm_vectors.scenarios"

They are listed, found and stormed, by `matrix` too, like idstorm's own, which come first: a name of one of those, or of
another distribution's, is not taken a second time, and what cannot be imported is shown with the reason.
"""

from __future__ import annotations

from idstorm.catalogue.digests import digest_of
from idstorm.catalogue.finding import INTO, Found, Missing, all_scenarios, find
from idstorm.catalogue.loading import current_directory_first, load, put_first
from idstorm.catalogue.places import folder, names

__all__ = [
    "INTO",
    "Found",
    "Missing",
    "all_scenarios",
    "current_directory_first",
    "digest_of",
    "find",
    "folder",
    "load",
    "names",
    "put_first",
]
