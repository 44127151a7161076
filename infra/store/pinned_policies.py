"""Whether the control log has each policy that an order is pinned to: it had when the order was placed."""

from collections.abc import Iterable, Iterator
from typing import Final

from consumers.engine.control_log import ControlLog
from consumers.log.commit_codec import decoded
from consumers.log.divergence import BRING_BACK, KEEP_BOTH
from consumers.ports.journal import JournalError, LogChanged, LogLost
from consumers.ports.log_values import Admitted
from domain.events import OrderPlaced, PolicyRef
from domain.wording import counted
from infra.settings import ViewsAt
from infra.store.recorded_positions import rows_of_views

Pinned = tuple[str, PolicyRef]
"""The stream of an order, and the policy that it is pinned to."""

_IN_VIEWS: Final = (
    "SELECT policy_id AS id, policy_version AS version, policy_sha256 AS sha256, "
    "min(marketplace || '/' || order_id) AS stream FROM orders GROUP BY 1, 2, 3"
)


def pinned_in_views(at: ViewsAt) -> Iterator[Pinned]:
    """Each policy that orders in the views are pinned to, with one of these orders. Nothing where they cannot be
    read."""
    for row in rows_of_views(at, _IN_VIEWS, ()):
        yield row["stream"], PolicyRef(row["id"], row["version"], bytes.fromhex(row["sha256"]))


def pinned_in_commits(commits: Iterable[Admitted]) -> Iterator[Pinned]:
    """The orders that these commits place, and the policy of each."""
    for admitted in commits:
        for part in admitted.commit.streams:
            for entry in part.events:
                event = decoded(entry) if entry.name == OrderPlaced.__name__ else None
                if isinstance(event, OrderPlaced):
                    yield part.stream, event.policy


def unpublished(control: ControlLog, pinned: Iterable[Pinned]) -> JournalError | None:
    """Return the error for a control log, read to its end, that lacks a policy pinned on an order (LogLost) or has a
    different text of it (LogChanged). Reading the control log may raise JournalError."""
    differing = [each for each in pinned if not _is_published(control, each[1])]
    if differing:  # another engine may have published since the control log was read
        while control.follow():
            pass
        differing = [each for each in differing if not _is_published(control, each[1])]
    if not differing:
        return None
    stream, policy = differing[0]
    many = f" ({counted(len(differing), 'order or policy', 'orders or policies')} in all)" if len(differing) > 1 else ""
    if control.policies.sha256_of(policy.id, policy.version) is None:
        return LogLost(
            f"control log: it does not have {policy.id}@{policy.version}, and {stream} is pinned to it{many}. "
            f"{BRING_BACK}"
        )
    return LogChanged(
        f"control log: it has another text of {policy.id}@{policy.version} than the one that {stream} is pinned to"
        f"{many}: the policy or the order was changed. {KEEP_BOTH}"
    )


def _is_published(control: ControlLog, policy: PolicyRef) -> bool:
    return control.policies.sha256_of(policy.id, policy.version) == policy.sha256
