"""What errors mean, a file for each database: its table of codes, and where its drivers hide them."""
