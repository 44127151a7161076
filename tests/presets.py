"""Preset names in tests. A bare name means version 1, so that a later version of a preset changes no other test."""

from domain.presets import NAMES


def pinned(policy: str) -> str:
    """Return ``NAME@1`` for the bare name of a preset, and any other policy as it is."""
    return f"{policy}@1" if policy in NAMES else policy
