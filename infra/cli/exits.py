"""Exit codes, and which error comes to which. Nothing heavy is imported here: this room is on every command's way."""

from typing import Final

EXIT_NO: Final = 1
"""The answer is no, or a check failed."""
EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 3
EXIT_INTERRUPTED: Final = 130
EXIT_NOBODY_READS: Final = 141
"""Neither yes nor no: whoever read the answer has gone, as a program says that SIGPIPE ends."""
EXIT_TERMINATED: Final = 143


class CommandRefused(Exception):
    """The answer is no; the message says what can be done next."""


class UsageError(Exception):
    """What was asked cannot be read; the message says what it takes."""


class Unavailable(Exception):
    """It cannot be done now; the message says why, and what to do."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: everything is closed on the way out."""


class Terminated(BaseException):
    """SIGTERM: ended by somebody else; everything is closed on the way out."""


def explain(wrong: Exception) -> tuple[int, str] | None:
    """The exit code of an error and its sentence; None for a defect, whose trace is wanted."""
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
    """Errors whose modules cost time to load."""
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
