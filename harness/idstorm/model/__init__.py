"""What a mapped class needs to be inserted: its id, its token, the rows that fill it, their parents, its tables."""
