"""Judging what an audit read of a database: pure functions from a survey to findings, each with what mends it."""
