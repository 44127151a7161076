"""The benches of the store do what they say, on little logs."""

from pathlib import Path

from tests.bench.store import appends, codec, growth, log_of, replay
from tests.spec.store.making import judge, kinds


def test_the_codec_is_timed_on_a_typical_commit() -> None:
    cost = codec(50)
    assert 300 < cost.bytes < 450
    assert min(cost.encode_us, cost.decode_us, cost.hash_us) > 0


def test_every_commit_that_is_appended_is_settled(tmp_path: Path) -> None:
    for partitions in (1, 3):
        (tmp_path / str(partitions)).mkdir()
        rate = appends(tmp_path / str(partitions), 300, 16, partitions, "OFF")
        assert (rate.in_flight, rate.partitions, rate.synchronous) == (16, partitions, "OFF")
        assert rate.commits_per_second > 0
        assert 0 < rate.p50_ms <= rate.p99_ms
        assert 0 < rate.records <= 300


def test_every_commit_of_the_log_that_is_replayed_is_admitted() -> None:
    log = list(log_of(25, 4, 7))
    assert kinds(judge(log)) == ["admitted"] * 100
    rate = replay(25)
    assert rate.commits == 125
    assert rate.commits_per_second > 0


def test_growth_is_measured_on_new_and_on_old_orders(tmp_path: Path) -> None:
    found = growth(tmp_path, (200, 300))
    assert [each.orders for each in found] == [200, 300]
    assert all(each.new_us > 0 and each.old_us > 0 for each in found)
