"""MariaDB, which shares most of MySQL's code."""

from idstorm.databases.mariadb.database import MariaDB

__all__ = ["MariaDB"]
