"""Fulfilment, tracking, shipping notices, delivery: docs/reference/cancellation.md over the ledger.

The contract leaves room in two places: a quantity whose picking began may have shipped since (``StartFulfilment``); a
scan may exceed the open quantity, but never the ordered one.
"""

from tests.spec.model.judging import Picks, named
from tests.spec.model.ledger import No
from tests.spec.model.records import Line, Notice, Parcel, Units
from tests.spec.model.requests import Requests


class Parcels(Requests):
    """Parcels on their way out."""

    def found(self, lines: Units, carrier: str, number: str) -> None:
        """Cancelled units have left."""
        raise NotImplementedError

    def start_fulfilment(
        self, by: str, at: int, lines: Picks = None, stage: str = "picking", occurred_at: int | None = None
    ) -> None:
        picked = named(self, lines)
        if any((count or 0) > self.lines[x].ordered - self.lines[x].canceled > 0 for x, count in picked):
            raise No("more-than-open")
        gone = [x for x in self.lines if not self.lines[x].open and not self.lines[x].shipped]
        if len(gone) == len(self.lines) or any(x in gone for x, _ in picked):
            raise No("canceled-altogether")
        for number in [x for x, _ in picked] or self.lines:
            self.lines[number].started |= number not in gone

    # ---- tracking ------------------------------------------------------------------------------------------------

    def start_tracking(
        self,
        by: str,
        at: int,
        carrier: str,
        tracking_number: str,
        shipment_id: str | None = None,
        lines: Picks = None,
        occurred_at: int | None = None,
    ) -> None:
        picked, seen = named(self, lines), at if occurred_at is None else occurred_at
        if shipment_id in self.returns:
            return
        if any((count or 0) > self.lines[x].ordered for x, count in picked):
            raise No("more-than-open")
        canceled = self._canceled_in(lines, shipment_id)
        gone = self._gone_before(canceled, seen) if self.terms.rebills else {}
        if canceled and not gone and (lines is not None or not any(x.found for x in self.lines.values())):
            raise No("canceled-altogether")
        if lines is not None and len(gone) < len(canceled):
            raise No("canceled-altogether")
        self._track(
            carrier, tracking_number, shipment_id, self._inside(lines, carrier, tracking_number, shipment_id), seen
        )
        if gone:
            self.found(gone, carrier, tracking_number)

    tracking_moved = start_tracking

    def _canceled_in(self, lines: Picks, shipment_id: str | None) -> Units:
        """Cancelled units that a scan is about: it names their line or shipment, or there is nothing else."""
        notice = self.notices.get(shipment_id or "")
        picked: list[tuple[int, int | None]] = []
        if lines is not None:
            picked = named(self, lines)
        elif notice is not None and notice.status == "void":
            picked = list(notice.lines.items())
        elif not self.open_units and not self.shipped_units:
            picked = [(x, None) for x in self.lines]
        units = {}
        for number, count in picked:
            line = self.lines[number]
            left = line.unfound
            if not line.open and not line.shipped and left:
                units[number] = left if count is None else min(count, left)
        return units

    def _gone_before(self, canceled: Units, seen: int) -> Units:
        """Units of these that were cancelled after the scan, and that no earlier report or scan has found."""
        later = dict.fromkeys(canceled, 0)
        for each in self.credits:
            if each.line in later and each.canceled_at is not None and seen < each.canceled_at:
                later[each.line] += each.count
        left = {x: min(count, later[x] - self.lines[x].found + self.lines[x].late) for x, count in canceled.items()}
        return {x: count for x, count in left.items() if count > 0}

    def _inside(self, lines: Picks, carrier: str, number: str, shipment_id: str | None) -> Units:
        """The units in a parcel: as stated, else as in its notice or an earlier scan, else all open units."""
        if lines is not None:
            picked = {x: count or self.lines[x].open or self.lines[x].shipped for x, count in named(self, lines)}
            return {x: n for x, n in picked.items() if n}
        for notice in self._announced(carrier, number, shipment_id):
            return dict(notice.lines)
        for parcel in self.parcels:
            if (parcel.carrier, parcel.number) == (carrier, number):
                return dict(parcel.lines)
        here = {x: line.open for x, line in self.lines.items() if line.open}
        return here or {x: line.shipped for x, line in self.lines.items() if line.shipped > line.delivered}

    def _announced(self, carrier: str, number: str, shipment_id: str | None) -> list[Notice]:
        in_force = {x: notice for x, notice in self.notices.items() if notice.status != "void"}
        if shipment_id is not None:
            return [in_force[shipment_id]] if shipment_id in in_force else []
        return [x for x in in_force.values() if (x.carrier, x.number) == (carrier, number)]

    def _track(self, carrier: str, number: str, shipment_id: str | None, lines: Units, seen: int) -> None:
        notices = self._announced(carrier, number, shipment_id)
        for notice in notices:
            notice.status = "tracking" if notice.status == "announced" else notice.status
            notice.carrier, notice.number = notice.carrier or carrier, notice.number or number
            notice.seen = max(notice.seen, seen)
        for parcel in self.parcels:
            if (parcel.carrier, parcel.number) == (carrier, number):
                parcel.seen = max(parcel.seen, seen)
                parcel.lines = {x: max(parcel.lines.get(x, 0), lines.get(x, 0)) for x in {**parcel.lines, **lines}}
                return
        rest = {x: n for x, n in lines.items() if not any(x in notice.lines for notice in notices)}
        if rest:
            self.parcels.append(Parcel(carrier, number, shipment_id, rest, seen))

    # ---- notices -------------------------------------------------------------------------------------------------

    def ship(
        self,
        by: str,
        at: int,
        shipment_id: str,
        lines: Picks = None,
        carrier: str | None = None,
        tracking_number: str | None = None,
        occurred_at: int | None = None,
    ) -> None:
        seen = at if occurred_at is None else occurred_at
        picked = named(self, lines) or [(x, None) for x, line in self.lines.items() if line.open]
        short = [self.lines[x] for x, count in picked if not self.lines[x].open or (count or 0) > self.lines[x].open]
        if short:
            raise No(*map(self._why_not_open, short))
        if not picked:
            raise No(*map(self._why_not_open, self.lines.values()))
        for number, count in picked:
            self._ship(shipment_id, number, count or self.lines[number].open, carrier, tracking_number, seen)
            if self.terms.fill_or_kill and self.lines[number].open:
                self.cancel(number, self.lines[number].open, at, cause="fill_or_kill", killed=True)

    @staticmethod
    def _why_not_open(line: Line) -> str:
        if line.killed:
            return "auto-canceled-is-final"
        return "cancel-is-final" if line.plain else "ships-more-than-open"

    def _ship(
        self, name: str, number: int, count: int, carrier: str | None, tracking_number: str | None, seen: int
    ) -> None:
        """Open units leave under a notice; a parcel that is tracked already is theirs."""
        self.lines[number].open -= count
        self.lines[number].shipped += count
        notice = self.notices.setdefault(name, Notice({}, carrier, tracking_number, seen))
        notice.lines[number] = notice.lines.get(number, 0) + count
        for parcel in self.parcels:
            same = (carrier, tracking_number) == (parcel.carrier, parcel.number)
            theirs = name == parcel.shipment or tracking_number is None or same
            if number in parcel.lines and theirs and not parcel.delivered:
                notice.status = "tracking"
                notice.carrier, notice.number = notice.carrier or parcel.carrier, notice.number or parcel.number
                notice.seen = max(notice.seen, parcel.seen)
                parcel.lines[number] -= count
                if parcel.lines[number] <= 0:
                    del parcel.lines[number]

    def void_shipment(self, by: str, at: int, shipment_id: str, note: str) -> None:
        notice = self.notices.get(shipment_id)
        if notice is None or notice.status == "void":
            raise No("no-such-shipment")
        if (
            notice.status != "announced"
            or notice.reported
            or any(self.lines[x].free < n for x, n in notice.lines.items())
        ):
            raise No("tracking-lock")
        notice.status = "void"
        for number, count in notice.lines.items():
            self.lines[number].shipped -= count
            self.lines[number].open += count

    def revise_ship_by(self, by: str, at: int, ship_by: int) -> None:
        if not self.open_units:
            raise No("nothing-open")
        if self.ship_by is not None and ship_by > self.ship_by:
            self.proposed = ship_by
        elif ship_by != self.ship_by:
            self.ship_by, self.proposed = ship_by, None
            self.late_ship()

    # ---- delivery ------------------------------------------------------------------------------------------------

    def deliver(self, by: str, at: int, shipment_id: str | None = None, occurred_at: int | None = None) -> None:
        seen = at if occurred_at is None else occurred_at
        if shipment_id in self.returns:
            back = self.returns[shipment_id]
            if back.status == "open" and not back.delivered:
                back.delivered = True
                if back.kind != "declined":
                    self.set("return", self.terms.after(seen, "5 days"), shipment_id)
            return
        for parcel in self.parcels:
            void = parcel.shipment in self.notices and self.notices[parcel.shipment].status == "void"
            name = parcel.number if parcel.shipment is None or void else parcel.shipment
            if not parcel.delivered and shipment_id in (None, name):
                for number, count in list(parcel.lines.items()):
                    units = min(count, self.lines[number].open)
                    if units:
                        self._ship(name, number, units, parcel.carrier, parcel.number, seen)
        known = [(x, notice) for x, notice in self.notices.items() if notice.status != "void"]
        if shipment_id is not None:
            known = [(x, notice) for x, notice in known if x == shipment_id]
        if not known:
            raise No("nothing-shipped" if shipment_id is None else "no-such-shipment")
        for name, notice in known:
            if notice.status == "delivered":
                continue
            notice.status, notice.seen = "delivered", max(notice.seen, seen)
            for parcel in self.parcels:
                same = (parcel.carrier, parcel.number) == (notice.carrier, notice.number)
                parcel.delivered |= parcel.shipment == name or same
            if notice.outcomes == {"lost"} and notice.reported == notice.lines:
                self.found(dict(notice.lines), notice.carrier or "", notice.number or "")
                notice.found = True
                for number, count in notice.lines.items():
                    self.lines[number].late += count
                continue
            for number, count in notice.lines.items():
                units = count - notice.arrived.get(number, 0) - notice.reported.get(number, 0)
                if units > 0:
                    line = self.lines[number]
                    line.delivered += units
                    line.delivered_at = max(line.delivered_at or seen, seen)
                    notice.arrived[number] = notice.arrived.get(number, 0) + units
