"""Every interleaving of a few clients, statement by statement, on the real database."""
