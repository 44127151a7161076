"""Keeps the views of a running engine in step with the log, and rebuilds or compares them."""
