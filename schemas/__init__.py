"""Storage formats: Avro contracts, stored names, codecs, the commit envelope, hashes. All functions are pure."""
