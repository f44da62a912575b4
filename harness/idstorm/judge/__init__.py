"""The judge: pure functions from recordings to verdicts. One file for each check, numpy only."""
