"""Reading many integers fast: a file for each database, a way that its servers and drivers are good at."""
