"""Runs the eraser in an engine: a thread that has the vault destroy the keys of erased subjects."""
