"""idstorm: are the ids that your database hands out really safe under load?

Importing this package does nothing. Scenario authors import from `idstorm.scenario`.
"""

__version__ = "0.1.0"
