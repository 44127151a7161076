"""How it is written down: Avro contracts, name table, codecs, commit envelope, hashes. Pure."""
