"""SQLite: a file, one writer at a time."""

from idstorm.databases.sqlite.database import SQLite

__all__ = ["SQLite"]
