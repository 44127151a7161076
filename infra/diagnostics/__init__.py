"""`rescind doctor`: looks at every part of a store and says what is so, what is wrong, and what to do. Changes nothing.

Parts are looked at in the order in which they rest on one another; one that cannot be looked at because an earlier one
is broken is left out. ``log`` has the control log, the journal and local state, ``beside`` views and vault.
"""

from infra.diagnostics.findings import Finding
from infra.diagnostics.store import examine

__all__ = ["Finding", "examine"]
