"""Loops that read a log and do one thing, and the ports they stand on."""
