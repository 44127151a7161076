"""Reads the document of a dispute or case and prints it as text."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from domain.wording import counted
from infra.cli.order_text import event_text
from infra.cli.printing import console, money, plain, table, when

if TYPE_CHECKING:
    from consumers.engine.order_cache import CachedOrder
    from domain.events import Sealed
    from domain.order import Order
    from domain.recommendation import Precedents
    from infra.documents.case_file import ReadText
    from infra.store.reader import Reader


def read_case_file(reader: "Reader", folded: "CachedOrder", matter_id: str) -> dict[str, Any] | None:
    """Return the document as support reads it; None where the order has no dispute or case of this id.

    Texts come from the vault, and the marketplace's statistics from the views, where these can be opened.
    """
    from infra.documents.case_file import CaseFileContext, case_file, record_of
    from infra.runtime.clock import clock

    order = folded.order
    assert order is not None
    stream = f"{order.marketplace}/{order.order_id}"
    now = max(clock(), order.recorded_at)
    record = record_of(reader.followers[reader.partition(stream)].state, stream)
    as_of_now = reader.as_of(stream, now).order or order
    with _texts(reader) as read_text:
        context = CaseFileContext(
            viewer=None,
            now=now,
            market=reader.settings.market(order.marketplace),
            book=reader.book,
            precedents=_precedents(reader, order.marketplace),
            read_text=read_text,
        )
        return case_file(as_of_now, record, matter_id, context)


@contextmanager
def _texts(reader: "Reader") -> "Iterator[ReadText]":
    """Yield a reader of the vault's texts; it returns None where there is no vault or its key is missing."""
    from consumers.ports.vault import VaultUnavailable
    from infra.vault.opening import open_vault, vault_exists

    with ExitStack() as stack:
        vault = None
        with suppress(VaultUnavailable):
            if vault_exists(reader.settings):
                vault = stack.enter_context(closing(open_vault(reader.settings)))

        def read(sealed: "Sealed") -> str | None:
            try:
                return None if vault is None else vault.read(sealed.reference).decode("utf-8")
            except (LookupError, VaultUnavailable):
                return None

        yield read


def _precedents(reader: "Reader", marketplace: str) -> "Precedents | None":
    """Return the marketplace's statistics; None where there are no views."""
    from consumers.ports.views import ViewsError
    from infra.documents.case_file import precedents
    from infra.views.opening import existing_views

    with ExitStack() as stack, suppress(ViewsError):
        views = existing_views(reader.settings.views_at)
        if views is not None:
            return precedents(stack.enter_context(closing(views)), marketplace)
    return None


def print_case_file(document: dict[str, Any], order: "Order") -> None:
    """Print a document: what it is about, its checklist, its chronology and the recommendation."""
    out = console()
    kind = document["kind"]
    name = document[f"{kind}_id"]
    out.print(f"[bold]{kind} {plain(name)}[/] of {plain(document['marketplace'])}/{plain(document['order_id'])}")
    about = f"about {document['about_kind']} {document['about']}, by the {document['by']}" if kind == "dispute" else ""
    about = about or f"{document['reason']}"
    out.print(plain(f"{document['status']}, {about}, opened {when(document['opened_at'])}"))
    policy = document["policy"]
    out.print(plain(f"policy: {policy['id']}@{policy['version']}, SHA-256 {policy['sha256']}"))
    out.print()
    rows = []
    for item in document["checklist"]:
        rows.append(("yes" if item["present"] else "no", item["item"], item["said"], ""))
        for gap in item["gaps"]:
            what = f"{gap['consequence']} To do: {gap['what_to_do']}"
            rows.append(("", f"  {gap['severity']}, {gap['stage']}", gap["gap"], what))
    out.print(table(["there", "record", "content", "consequence"], rows))
    out.print()
    entries = [
        (
            entry["version"],
            when(entry["recorded_at"]),
            f"{entry['who']['kind']} {entry['who']['id']}",
            entry["event"],
            event_text(entry["event"], entry["data"], order),
            ", ".join(entry["flags"]),
        )
        for entry in document["chronology"]["entries"]
    ]
    out.print(table(["version", "recorded", "by", "event", "what happened", "flags"], entries, right=["version"]))
    out.print()
    advice = document["recommendation"]
    stake = money(advice["at_stake_minor"], advice["currency"])
    fee = "not set" if advice["arbitration_fee"] is None else advice["arbitration_fee"]
    out.print(f"[bold]{advice['course']}[/]: {plain('; '.join(advice['facts']))}")
    out.print(
        plain(f"at stake {stake} {advice['currency']}, arbitration fee {fee}; {advice['takes']}. {advice['risk']}")
    )
    if advice["precedents"] is not None:
        before = advice["precedents"]
        out.print(
            plain(
                f"{counted(before['decided'], 'dispute')} decided so far, {before['granted_percent']}% granted, "
                f"median time to a decision {counted(before['median_days'], 'day')}"
            )
        )
