"""Journals behind the one port (``consumers.ports.journal``): memory, SQLite; later Kafka."""
