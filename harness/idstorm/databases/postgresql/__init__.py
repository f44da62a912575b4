"""PostgreSQL: a schema for each storm."""

from idstorm.databases.postgresql.database import PostgreSQL

__all__ = ["PostgreSQL"]
