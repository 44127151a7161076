"""What other services read: the public topics, the Avro contracts of their records, and the ids these are framed with.

``topics`` names the topics, ``contracts`` gives their schemas, ``records`` writes their bodies, ``ids`` pins the schema
ids of an installation that has no schema registry. Contracts evolve FULL_TRANSITIVE; files lie beside this one.
"""
