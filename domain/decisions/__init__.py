"""Decisions: one module a subject. Each is a generator that yields events; what it yielded has happened by its next line.

``decide`` runs them on a copy of the order. An expected no is an event too; only malformed input raises.
"""
