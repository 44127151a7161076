"""Helpers for every SQLite file, whatever it stores."""
