"""Names of streams for the ids of the `eventsourcing` library. A UUID is restored as a UUID, and a string as that
string.

A string is its own stream name, unless it looks like a name that this module makes. Then it is marked as text. A stream
that begins with ``$`` is a control stream of the journal (docs/reference/journal-format.md), so no id can become one by
accident.
"""

from typing import Final
from uuid import UUID

_UUID: Final = "uuid:"
_TEXT: Final = "text:"
_TRACKING: Final = "tracking:"
_MARKED: Final = (_UUID, _TEXT, _TRACKING, "$")


def stream_of(originator_id: UUID | str) -> str:
    """The chain stream of an aggregate's id. Different ids have different streams."""
    if isinstance(originator_id, UUID):
        return _UUID + originator_id.hex
    if not originator_id or originator_id.startswith(_MARKED):
        return _TEXT + originator_id
    return originator_id


def originator_of(stream: str) -> UUID | str:
    """The id from which ``stream_of`` made the name. A name that it never makes is its own id."""
    if stream.startswith(_UUID):
        return UUID(hex=stream[len(_UUID) :])
    return stream.removeprefix(_TEXT)


def snapshots_of(purpose: str, stream: str) -> str:
    """The unique stream for an aggregate's snapshots, or for another purpose."""
    return f"{purpose}:{stream}"


def tracking_of(application_name: str) -> str:
    """The watermark stream that records how far an application's notification log was processed."""
    return _TRACKING + application_name
