"""Journals without a cluster, behind the journal port: in memory and in SQLite."""
