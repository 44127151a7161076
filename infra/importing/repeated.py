"""Whether an input that was imported to its end would still change anything: an import again must not.

Such an input is opened again only for a command that would leave a commit. Nearly all of its commands were answered
before; what left nothing behind the first time (a stranger's command, an unknown order) is judged anew, and mostly
leaves nothing again.
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
    """Whether this input was opened for the marketplace before, and is closed everywhere now."""
    stream = stream_of(marketplace, source)
    begun = any(follower.head(stream) is not None for follower in engine.followers.values())
    return begun and (marketplace, source) not in engine.imports.inputs(marketplace)


def would_write(engine: Engine, command: Command, market: MarketSettings) -> bool:
    """Whether an import of this command would leave a commit, on what is followed now."""
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
    except Exception:  # noqa: BLE001 - it is told as that line's when it is given, and must not cost the others
        return False


def _without_texts(command: Command) -> Command:
    """A copy whose texts count as sealed: for a trial that writes nothing, not even to the vault."""
    texts = {name: Text("", _NO_TEXT) for name in command.TEXTS if getattr(command, name) is not None}
    return command.model_copy(update=texts) if texts else command


def would_reach(engine: Engine, marketplace: str, until: Instant) -> bool:
    """Whether an order of the marketplace has a deadline before ``until`` that is not reached. Looks at all of them."""
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
