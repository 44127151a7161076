"""`rescind doctor`: examine every part of a store, and report its state, what is wrong, and what to do. Changes
nothing.

Parts are examined in order of dependency. A part that cannot be examined because an earlier one is broken is left out.
``log`` examines the control log, the journal and local state, ``views_and_vault`` the views, the vault and the
notifications, and ``commands``, ``publishing`` and ``instructions`` the topics.
"""

from infra.diagnostics.findings import Finding
from infra.diagnostics.store import examine

__all__ = ["Finding", "examine"]
