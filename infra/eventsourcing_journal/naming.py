"""Names of streams for the ids of the `eventsourcing` library: a UUID comes back as a UUID, a string as that string.

A string is its own stream name, unless it looks like one of ours: then it is marked as text. A stream that begins with
``$`` is a control stream of the journal, so no id may become one by accident.
"""

from typing import Final
from uuid import UUID

_UUID: Final = "uuid:"
_TEXT: Final = "text:"
_TRACKING: Final = "tracking:"
_MARKED: Final = (_UUID, _TEXT, _TRACKING, "$")


def stream_of(originator_id: UUID | str) -> str:
    """The chain stream of an aggregate's id; the same for the same id only."""
    if isinstance(originator_id, UUID):
        return _UUID + originator_id.hex
    if not originator_id or originator_id.startswith(_MARKED):
        return _TEXT + originator_id
    return originator_id


def originator_of(stream: str) -> UUID | str:
    """The id that ``stream_of`` made the name from; a name that it never makes is its own id."""
    if stream.startswith(_UUID):
        return UUID(hex=stream[len(_UUID) :])
    return stream.removeprefix(_TEXT)


def snapshots_of(purpose: str, stream: str) -> str:
    """The unique stream beside an aggregate's chain stream: its snapshots, or what else the purpose names."""
    return f"{purpose}:{stream}"


def tracking_of(application_name: str) -> str:
    """The watermark stream that tells how far an application's notification log was processed."""
    return _TRACKING + application_name
