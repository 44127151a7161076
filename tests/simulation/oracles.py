"""Checks that hold after every run, whatever happened in it. Each check raises ``Broken`` with its name."""

from collections import defaultdict

from consumers.engine.order_cache import CachedOrder
from consumers.engine.outcome import Outcome
from consumers.log.commit_codec import HISTORY, is_order
from domain import events as e
from domain.folding import apply
from domain.order import Order, Stamp, fresh
from domain.order_json import money
from schemas.codec import decode_event
from tests.simulation.clients import Attempt
from tests.simulation.instructing import wrong_instructions
from tests.simulation.money import Account
from tests.simulation.reader import AdmittedCommit, Reading, read
from tests.simulation.world import World

WROTE_NOTHING = ("bad", "version-conflict", "unavailable")


class Broken(AssertionError):
    """An oracle spoke."""

    def __init__(self, oracle: str, what: str) -> None:
        super().__init__(f"{oracle}: {what}")
        self.oracle = oracle


def check(world: World) -> Reading:
    """All oracles over the log and over everything that was answered."""
    reading = read(world.log)
    acknowledged(world, reading)
    no_defects(world)
    accounts = quantities_and_money(reading)
    deadlines(reading)
    same_everywhere(world, reading)
    money_shown(world, accounts)
    instructions(world, accounts)
    policies(world)
    return reading


# ---- O1: every acknowledged outcome that names a commit is in the log exactly once -----------------------------------


def acknowledged(world: World, reading: Reading) -> None:
    at = {(admitted.partition, admitted.ordinal): admitted for admitted in reading.admitted}
    first = {
        admitted.stream: admitted for admitted in reversed(reading.admitted) if admitted.commit["streams"][0]["events"]
    }
    published = _published(world)
    by_command: dict[tuple[str, str], list[AdmittedCommit]] = defaultdict(list)
    for admitted in reading.admitted:
        if admitted.commit["command_id"] is not None:
            by_command[admitted.stream, admitted.commit["command_id"]].append(admitted)
    for command, found in by_command.items():
        if len(found) > 1:
            raise Broken("O1", f"{command} is in the log {len(found)} times")
    for intent in world.clients.intents:
        answers = [attempt for attempt in intent.attempts if attempt.outcome is not None]
        for attempt in answers:
            _check_named_commit(attempt, at)
            _was_not_there(attempt, first.get(attempt.command.stream), published)
        _one_answer(intent.key, answers)
        _check_unwritten(intent.attempts, by_command.get(intent.key, []))


def _check_named_commit(attempt: Attempt, at: dict[tuple[int, int], AdmittedCommit]) -> None:
    """The commit that an answer names is in the log, and it is this command's."""
    assert attempt.outcome is not None
    commit_position = attempt.outcome.effective.commit_position
    if commit_position is None:
        return
    admitted = at.get((commit_position.partition, commit_position.ordinal))
    if admitted is None or admitted.hash != commit_position.hash:
        raise Broken("O1", f"{attempt.name} was acknowledged with a commit that is not in the log: {commit_position}")
    if admitted.stream != attempt.command.stream or admitted.commit["command_id"] != attempt.command.command_id:
        raise Broken("O1", f"{attempt.name} was acknowledged with somebody else's commit")
    if admitted.commit["command_fingerprint"] != attempt.command.fingerprint:
        raise Broken("O1", f"{attempt.name} was acknowledged with the commit of another body")


def _was_not_there(attempt: Attempt, first: AdmittedCommit | None, published: dict[str, int]) -> None:
    """An order or policy that an answer denies was not in the log when the command was sent."""
    assert attempt.outcome is not None
    if attempt.outcome.commit_position is not None:
        return
    if attempt.outcome.rule == "no-such-order" and first is not None and first.offset < attempt.end:
        raise Broken("O1", f"{attempt.name} was answered that there is no such order, but there was")
    if attempt.outcome.rule == "no-such-policy":
        name = attempt.body["policy"].partition("@")[0]
        if published.get(name, attempt.control_end) < attempt.control_end:
            raise Broken("O1", f"{attempt.name} was answered that there is no policy {name}, but there was")


def _published(world: World) -> dict[str, int]:
    """Map each policy id to the offset in the control log where it was first published."""
    found: dict[str, int] = {}
    for admitted in read(world.control_log).admitted:
        for event in decoded(admitted):
            if isinstance(event, e.PolicyPublished):
                found.setdefault(event.id, admitted.offset)
    return found


def _one_answer(key: tuple[str, str], answers: list[Attempt]) -> None:
    """A repeated command gets the complete first answer."""
    first: Outcome | None = None
    fingerprint = b""
    known = 0
    for attempt in sorted(answers, key=lambda attempt: attempt.answered):
        assert attempt.outcome is not None
        answer = attempt.outcome.effective
        if answer.commit_position is None:
            kind, rule = attempt.outcome.kind, attempt.outcome.rule
            repeated = attempt.asked > known and attempt.command.fingerprint == fingerprint
            if first is not None and repeated and kind not in ("unavailable", "unknown"):
                raise Broken("O1", f"{key} was answered already, and then {kind} {rule}")
        elif first is None:
            first, fingerprint, known = answer, attempt.command.fingerprint, attempt.answered
        elif answer != first:
            raise Broken("O1", f"{key} was answered twice, differently: {first} and {answer}")
        elif attempt.command.fingerprint != fingerprint:
            raise Broken("O1", f"{key} answered two bodies with one commit")


def _check_unwritten(attempts: list[Attempt], found: list[AdmittedCommit]) -> None:
    """A command that every answer called unwritten is not in the log."""
    all_unwritten = all(
        attempt.outcome is not None
        and (
            attempt.outcome.kind in WROTE_NOTHING
            or (attempt.outcome.kind == "refused" and not attempt.outcome.commit_position)
        )
        for attempt in attempts
    )
    if found and all_unwritten:
        raise Broken("O1", f"{attempts[0].name} is in the log, but every answer was that nothing was written")


def no_defects(world: World) -> None:
    for intent in world.clients.intents:
        for attempt in intent.attempts:
            if attempt.defect is not None:
                raise Broken("defect", f"{attempt.name}: {attempt.defect!r}")


# ---- O2 and O3: quantities and money ---------------------------------------------------------------------------------


def quantities_and_money(reading: Reading) -> dict[str, Account]:
    """Every order's account by its stream, after all commits were checked."""
    accounts: dict[str, Account] = {}
    recorded: dict[str, int] = {}
    for admitted in reading.admitted:
        stream = admitted.stream
        if not is_order(stream):
            continue
        if admitted.commit["recorded_at"] < recorded.get(stream, 0):
            raise Broken("O2", f"{stream} was recorded before it was recorded last")
        recorded[stream] = admitted.commit["recorded_at"]
        account = accounts.setdefault(stream, Account())
        events = decoded(admitted)
        for event in events:
            account.take(event)
        for line, item in account.lines.items():
            now = (item.open, item.shipped, item.canceled)
            if sum(now) != item.ordered or min(now) < 0:
                raise Broken("O2", f"{stream} line {line}: of {item.ordered} are open, shipped, canceled {now}")
            if not 0 <= item.undelivered + item.sent_back <= item.shipped:
                raise Broken("O2", f"{stream} line {line}: {item.shipped} shipped, and more of them never arrived")
        account.highest = max(account.highest, account.due)
        if sum(isinstance(event, e.RefundDue) for event in events) > 1:
            raise Broken("O3", f"{stream} has two refunds in one commit")
        if account.wrong is not None:
            raise Broken("O3", f"{stream}: {account.wrong}")
        instructed = account.tenders.instructed
        if instructed != account.highest:
            raise Broken("O3", f"{stream} instructed refunds of {instructed}, due is {account.highest}")
        if account.placed is not None and account.placed.total != account.total:
            raise Broken("O3", f"{stream} costs {account.total}, it says {account.placed.total}")
        if admitted.commit["writer"] == HISTORY:
            account.tenders.forget_instructions()
    return accounts


def money_shown(world: World, accounts: dict[str, Account]) -> None:
    """What an order shows of its money is what the account has, and adds up."""
    engine = world.processes[0].engine
    assert engine is not None
    for stream, account in accounts.items():
        order = engine.orders.get(engine.partition(stream), stream).order
        if order is None:
            continue
        shown = money(order)
        due, refunded, elsewhere = account.tenders.shown
        expected = (account.paid, due, refunded, account.other + elsewhere)
        names = ("paid_minor", "refund_due_minor", "refunded_minor", "other_refunds_minor")
        if tuple(shown[name] for name in names) != expected:
            raise Broken("O3", f"{stream} shows {shown}, and {names} are {expected}")
        billed = sum(billing.amount for billing in account.billings.values() if billing.confirmed)
        if shown["kept_minor"] != account.paid + billed - due - refunded - account.other - elsewhere:
            raise Broken("O3", f"{stream} keeps {shown['kept_minor']}, which does not add up")


# ---- O7: the payment service is instructed to pay what is due and does not wait, and nothing else --------------------


def instructions(world: World, accounts: dict[str, Account]) -> None:
    """What the public topic of refunds says about every refund."""
    wrong = wrong_instructions(world.processes[0].states, {name: each.tenders for name, each in accounts.items()})
    if wrong is not None:
        raise Broken("O7", wrong)


# ---- O5: each deadline fires once and never early --------------------------------------------------------------------


def deadlines(reading: Reading) -> None:
    fired: set[tuple[str, str]] = set()
    for admitted in reading.admitted:
        for event in decoded(admitted):
            if isinstance(event, e.DeadlineReached):
                if (admitted.stream, event.deadline_id) in fired:
                    raise Broken("O5", f"{admitted.stream} {event.deadline_id} fired twice")
                fired.add((admitted.stream, event.deadline_id))
                if not event.due_at < min(admitted.commit["recorded_at"], admitted.appended_at):
                    raise Broken("O5", f"{admitted.stream} {event.deadline_id} fired early")


# ---- O6: everybody's state is the fold of the log --------------------------------------------------------------------


def same_everywhere(world: World, reading: Reading) -> None:
    folds = {
        stream: fold(reading, stream)
        for stream in {admitted.stream for admitted in reading.admitted}
        if "$" not in stream
    }
    for process in world.processes:
        assert process.engine is not None
        for stream, expected in sorted(folds.items()):
            partition = process.engine.partition(stream)
            for found in (process.engine.orders.get(partition, stream), process.engine.orders.load(partition, stream)):
                if not _same(found, expected):
                    raise Broken("O6", f"{process.name} sees {found}, the log says {expected}")


def _same(found: CachedOrder, expected: CachedOrder) -> bool:
    return (
        found.unreadable is None
        and found.order == expected.order
        and found.head == expected.head
        and found.count == expected.count
        and found.recorded_at == expected.recorded_at
        and {name: answer.fingerprint for name, answer in found.answered.items()}
        == {name: answer.fingerprint for name, answer in expected.answered.items()}
    )


def fold(reading: Reading, stream: str) -> CachedOrder:
    """A stream as the second reader sees it."""
    from consumers.engine.order_cache import AnsweredCommand

    found = CachedOrder(stream)
    order: Order | None = None
    for admitted in reading.of(stream):
        commit = admitted.commit
        actor = commit["actor"] or {"kind": "system", "id": "engine"}
        stamp = Stamp(commit["recorded_at"], actor["kind"], actor["id"], commit["command_fingerprint"])
        for event, entry in zip(decoded(admitted), commit["streams"][0]["events"], strict=True):
            order = order or fresh(*stream.split("/", 1))
            apply(order, event, entry["occurred_at"], stamp)
            found.count += 1
        found.head = admitted.hash
        found.recorded_at = max(found.recorded_at, commit["recorded_at"])
        if commit["command_id"] is not None:
            found.answered[commit["command_id"]] = AnsweredCommand(admitted.ordinal, commit["command_fingerprint"])
    found.order = order
    return found


# ---- policies: an id@version has one content, whoever published it ---------------------------------------------------


def policies(world: World) -> None:
    published: dict[tuple[str, int], bytes] = {}
    for admitted in read(world.control_log).admitted:
        for event in decoded(admitted):
            if isinstance(event, e.PolicyPublished) and (event.id, event.version) in published:
                raise Broken("O1", f"{event.id}@{event.version} was published twice")
            if isinstance(event, e.PolicyPublished):
                published[event.id, event.version] = event.sha256
    for document, future in world.clients.publications:
        if future.done() and not future.cancelled() and future.result().kind == "accepted":
            key = (document.policy.id, document.policy.version)
            if published.get(key) != document.sha256:
                raise Broken("O1", f"{key} was acknowledged, the control log has another one")


def decoded(admitted: AdmittedCommit) -> list[e.Event]:
    """A commit's events."""
    entries = admitted.commit["streams"][0]["events"]
    return [decode_event(entry["name"], entry["schema_version"], entry["body"]) for entry in entries]
