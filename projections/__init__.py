"""The tables that people query: pure functions from a recorded event to row changes."""
