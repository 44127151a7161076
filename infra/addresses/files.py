"""The names of the files in an embedded store's directory."""

from typing import Final

JOURNAL_FILE: Final = "journal.sqlite"
CONTROL_FILE: Final = "control.sqlite"
DELIVERY_STORE_FILE: Final = "notices.sqlite"
"""The notifier's delivery store."""
