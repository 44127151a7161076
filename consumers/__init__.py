"""Loops that read a log, each for one purpose, with the log that they share and their ports."""
