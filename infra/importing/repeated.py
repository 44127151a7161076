"""Checks whether importing a completely imported input again would change anything.

Such an import is opened again only if one of its commands would write a commit. Nearly all of its commands have been
answered. Those that left nothing behind (of a stranger, or about an unknown order) are decided again, and usually leave
nothing again.
"""

from consumers.engine.engine import Engine
from consumers.engine.imports import stream_of
from domain.commands import Command, Text
from domain.deadlines import due
from domain.decide import authorise, decide
from domain.errors import BadInput
from domain.events import Sealed
from domain.instants import Instant
from domain.marketplace_settings import MarketSettings
from schemas.partitioning import partition_of

_NO_TEXT = Sealed(bytes(32), "")


def ended_before(engine: Engine, marketplace: str, source: bytes) -> bool:
    """True if this input was opened for the marketplace before and is now closed in every partition."""
    stream = stream_of(marketplace, source)
    begun = any(follower.head(stream) is not None for follower in engine.followers.values())
    return begun and (marketplace, source) not in engine.imports.inputs(marketplace)


def would_write(engine: Engine, command: Command, market: MarketSettings) -> bool:
    """True if importing this command would write a commit, as far as the log is followed now."""
    at = command.at
    folded = engine.orders.get(partition_of(command.stream, engine.partitions), command.stream)
    order = folded.order
    if at is None or folded.unreadable is not None or authorise(order, command) is not None:
        return False
    if command.command_id in folded.answered:
        return False
    if order is not None and order.exists and due(order, at):
        return True
    if at < folded.recorded_at:
        return False
    try:
        return not decide(order, _without_texts(command), engine.control.book, market, at).answer
    except BadInput:
        return False
    except Exception:  # noqa: BLE001 - reported for its line when it is submitted; must not stop the others
        return False


def _without_texts(command: Command) -> Command:
    """Return a copy with texts marked as sealed, for a trial that writes nothing, not even to the vault."""
    texts = {name: Text("", _NO_TEXT) for name in command.TEXTS if getattr(command, name) is not None}
    return command.model_copy(update=texts) if texts else command


def would_reach(engine: Engine, marketplace: str, until: Instant) -> bool:
    """True if an order of the marketplace has a pending deadline before ``until``. Checks every order."""
    prefix = f"{marketplace}/"
    for partition, follower in engine.followers.items():
        after: str | None = None
        while names := follower.state.streams(after, 1000):
            after = names[-1]
            for stream in names:
                if not stream.startswith(prefix):
                    continue
                order = engine.orders.get(partition, stream).order
                if order is not None and order.exists and due(order, until):
                    return True
    return False
