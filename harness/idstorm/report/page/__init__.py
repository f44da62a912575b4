"""A report as one page of HTML, with pictures, which asks the network for nothing."""
