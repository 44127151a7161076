"""The state of one engine, in one object that the command handler and the partition changes share."""

from consumers.engine.control_log import ControlLog, ControlWrites
from consumers.engine.deadline_index import DeadlineIndex
from consumers.engine.dependencies import EngineDependencies, EngineLimits, Mode
from consumers.engine.imports import Imports
from consumers.engine.log_clock import LogClock
from consumers.engine.order_cache import OrderCache
from consumers.engine.read_barrier import ReadBarrier
from consumers.engine.step_clock import StepClock
from consumers.engine.stream_queues import StreamQueues
from consumers.log.follower import Follower
from consumers.log.writer import Writer
from consumers.ports.journal import Journal


class EngineState:
    """The parts of one engine that keep state. They belong to the engine's thread."""

    def __init__(
        self,
        journal: Journal,
        control: ControlLog,
        followers: dict[int, Follower],
        writer: Writer,
        mode: Mode,
        dependencies: EngineDependencies,
        limits: EngineLimits,
    ) -> None:
        self.journal = journal
        self.control = control
        self.followers = followers
        self.writer = writer
        self.dependencies = dependencies
        self.limits = limits
        self.clock = StepClock()
        self.orders = OrderCache(followers, limits.orders)
        self.imports = Imports()
        self.queues = StreamQueues()
        self.barrier = ReadBarrier(journal, control, followers)
        self.deadlines = DeadlineIndex(followers, self.orders, self.imports)
        self.control_writes = ControlWrites(writer, followers, mode.writer, dependencies.new_id)
        self.log_clock = LogClock(self.control_writes, followers, limits.clock_tolerance, self.clock)
