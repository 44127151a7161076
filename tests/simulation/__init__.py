"""The engine under simulation: several processes on one log, a seeded scheduler, faults, and oracles (README.md)."""
