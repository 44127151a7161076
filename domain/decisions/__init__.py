"""Decisions, one module a subject: generators that yield events. What was yielded has happened by the next line.

``decide`` runs them on a copy of the order. An expected no is an event too; only malformed input raises.
"""
