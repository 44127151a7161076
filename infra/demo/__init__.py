"""A simulated marketplace of a few hundred orders, for ``rescind serve --demo``."""

from infra.demo.seeding import NotEmpty, SeedingFailed, seed
from infra.documents.demo_tour import MARKETPLACE

__all__ = ["MARKETPLACE", "NotEmpty", "SeedingFailed", "seed"]
