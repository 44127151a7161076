"""The eraser: has the vault destroy the keys of erased subjects."""
