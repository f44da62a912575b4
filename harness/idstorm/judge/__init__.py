"""The judge: pure functions from what was recorded to what it means. One file a check, numpy only."""
