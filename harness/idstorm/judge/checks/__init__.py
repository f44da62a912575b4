"""The checks, a file each, which ends with its `Check`: pure functions from the evidence of a storm to what it means.

A check is added by a file here that is named like it, with a `CHECK`, and a test. Its claims, its gates, its columns
and its words in every report come from that (see `idstorm.findings.checks`).
"""
