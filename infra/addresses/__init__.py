"""Addresses named in settings: Kafka, PostgreSQL, a mail server, the files of a store, and the vault key's text
form."""
