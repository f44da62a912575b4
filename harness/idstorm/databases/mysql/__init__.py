"""MySQL: a database for each storm."""

from idstorm.databases.mysql.database import MySQL

__all__ = ["MySQL"]
