"""Addresses that settings give: Kafka, PostgreSQL, a mail server, and the text form of the vault key."""
