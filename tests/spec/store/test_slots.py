"""Slots: a process has one for itself, and it is free again when the process is gone."""

import signal
import subprocess
import sys
from pathlib import Path

from infra.local_state.slots import claim_slot, is_claimed, slot_path

HOLDER = """
import sys
from pathlib import Path
from infra.local_state import claim_slot
slot = claim_slot(Path(sys.argv[1]))
print(slot.number, flush=True)
sys.stdin.read()
"""


def test_each_takes_the_free_slot_with_the_smallest_number(tmp_path: Path) -> None:
    slots = [claim_slot(tmp_path) for _ in range(3)]
    assert [slot.number for slot in slots] == [0, 1, 2]
    assert [slot.path for slot in slots] == [tmp_path / "state" / str(n) for n in range(3)]
    slots[1].release()
    slots[1].release()
    assert [is_claimed(tmp_path, n) for n in range(4)] == [True, False, True, False]
    again = claim_slot(tmp_path)
    assert again.number == 1
    for slot in (*slots, again):
        slot.release()


def test_looking_at_a_slot_makes_nothing(tmp_path: Path) -> None:
    assert not is_claimed(tmp_path, 0)
    assert not slot_path(tmp_path, 0).exists()


def test_a_slot_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "0\n"
    assert is_claimed(tmp_path, 0)
    second = claim_slot(tmp_path)
    assert second.number == 1
    holder.send_signal(signal.SIGKILL)
    holder.wait(30)
    holder.stdin.close()
    holder.stdout.close()
    first = claim_slot(tmp_path)
    assert first.number == 0
    first.release()
    second.release()
