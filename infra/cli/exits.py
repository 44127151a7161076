"""Exit codes, and which error leads to which. Imports nothing heavy, because every command imports it."""

from typing import Final

EXIT_NO: Final = 1
"""The answer is no, or a check failed."""
EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 3
EXIT_INTERRUPTED: Final = 130
EXIT_NOBODY_READS: Final = 141
"""The reader of the output is gone; the code that SIGPIPE would give."""
EXIT_TERMINATED: Final = 143


class CommandRefused(Exception):
    """The answer is no; the message says what can be done next."""


class UsageError(Exception):
    """The command line is wrong; the message says how to write it."""


class Unavailable(Exception):
    """The command cannot be carried out now; the message says why and what to do."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; everything is closed before the process exits."""


class Terminated(BaseException):
    """SIGTERM; everything is closed before the process exits."""


def explain(wrong: Exception) -> tuple[int, str] | None:
    """Return the exit code and message of an error; None for a bug, which should show its traceback."""
    from consumers.ports.journal import JournalError
    from consumers.ports.local_state import LocalStateDamaged, LocalStateUnavailable
    from consumers.ports.notifications import DeliveryStoreUnavailable
    from consumers.ports.vault import VaultUnavailable
    from domain.errors import BadInput, PolicyUnknown
    from infra.settings import SettingsError

    known: list[tuple[type[Exception] | tuple[type[Exception], ...], int]] = [
        (CommandRefused, EXIT_NO),
        ((UsageError, SettingsError, BadInput), EXIT_USAGE),
        ((Unavailable, PolicyUnknown, JournalError, VaultUnavailable, DeliveryStoreUnavailable), EXIT_UNAVAILABLE),
        ((LocalStateDamaged, LocalStateUnavailable), EXIT_UNAVAILABLE),
    ]
    for kind, code in known:
        if isinstance(wrong, kind):
            return code, str(wrong)
    return _late(wrong)


def _late(wrong: Exception) -> tuple[int, str] | None:
    """Handle errors whose modules are slow to import."""
    from consumers.ports.views import ViewsError
    from infra.importing.items import NotThere
    from infra.notifications.delivery_store import AnotherJournals
    from infra.publishing.operator_answers import NoSuchPlace

    if isinstance(wrong, NotThere | NoSuchPlace):
        return EXIT_USAGE, str(wrong)
    if isinstance(wrong, ViewsError | AnotherJournals):
        return EXIT_UNAVAILABLE, str(wrong)
    if isinstance(wrong, PermissionError):
        return EXIT_UNAVAILABLE, f"{wrong.filename} may not be used by this user: {wrong.strerror}"
    if isinstance(wrong, OSError) and wrong.filename is not None:
        return EXIT_UNAVAILABLE, f"{wrong.filename}: {wrong.strerror}"
    return None
