"""A simulated marketplace of a few hundred orders, so that there is something to look at (``rescind serve --demo``)."""

from infra.demo.seeding import MARKETPLACE, NotEmpty, SeedingFailed, seed

__all__ = ["MARKETPLACE", "NotEmpty", "SeedingFailed", "seed"]
