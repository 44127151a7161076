"""Journals behind the one port (``consumers.journal``): memory, SQLite; later Kafka."""
