"""Decisions, one module for each subject: generators that yield events.

``decide`` runs a generator on a copy of the order and applies each event before the generator continues. A refusal is
an event too. Only malformed input raises.
"""
