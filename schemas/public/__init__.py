"""The public formats for other services: topics, the Avro contracts of their records, and the schema ids for framing.

``topics`` names the topics, ``contracts`` returns their schemas, ``records`` encodes their bodies, and ``ids`` pins the
schema ids of installations without a schema registry. Contracts evolve FULL_TRANSITIVE. Their files are in this folder.
"""
