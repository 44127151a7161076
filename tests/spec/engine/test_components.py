"""Components start in order and stop in reverse, also when one of them fails."""

import pytest

from infra.runtime.components import Components, Health


class Part:
    """A component that records its calls, and fails in those that ``fails`` names."""

    def __init__(self, name: str, calls: list[str], *fails: str) -> None:
        self.name = name
        self._calls = calls
        self._fails = fails

    def start(self) -> None:
        self._call("start")

    def stop(self) -> None:
        self._call("stop")

    def health(self) -> Health:
        return {}

    def _call(self, what: str) -> None:
        self._calls.append(f"{what} {self.name}")
        if what in self._fails:
            raise OSError(f"{self.name} does not {what}")


def test_components_start_in_order_and_stop_in_reverse() -> None:
    calls: list[str] = []
    components = Components()
    for name in "abc":
        components.add(Part(name, calls))
    components.start()
    components.stop()
    assert calls == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    components.stop()
    assert len(calls) == 6, "a second stop does nothing"


def test_when_a_start_fails_the_later_ones_do_not_start_and_all_are_stopped() -> None:
    calls: list[str] = []
    components = Components()
    components.add(Part("a", calls))
    components.add(Part("b", calls, "start"))
    components.add(Part("c", calls))
    with pytest.raises(OSError, match="b does not start"):
        components.start()
    components.stop()
    assert calls == ["start a", "start b", "stop c", "stop b", "stop a"]


def test_when_a_stop_fails_the_others_are_stopped() -> None:
    calls: list[str] = []
    components = Components()
    components.add(Part("a", calls))
    components.add(Part("b", calls, "stop"))
    with pytest.raises(OSError, match="b does not stop"):
        components.stop()
    assert calls == ["stop b", "stop a"]


def test_a_component_may_leave_open_what_stops_after_it() -> None:
    calls: list[str] = []
    components = Components()
    components.add(Part("journal", calls))

    class Hanging(Part):
        def stop(self) -> None:
            super().stop()
            self.left_open = components.leave_open()

    engine = components.add(Hanging("engine", calls))
    components.add(Part("views", calls))
    components.stop()
    assert calls == ["stop views", "stop engine"]
    engine.left_open.close()
    assert calls[2:] == ["stop journal"]
