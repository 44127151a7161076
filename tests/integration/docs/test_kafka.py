"""The how-to's steps to a broker without Docker are followed unchanged."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.needs import require

pytestmark = [pytest.mark.java, pytest.mark.kafka]

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/kafka.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### Without Docker")[2].partition("### With Docker")[0]
BROKER, ENGINE, _ = re.findall(r"^```\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


def test_a_broker_without_docker_and_topics_on_it(tmp_path: pathlib.Path) -> None:
    require("java")
    python, *rest = BROKER.split()
    assert python == ".venv/bin/python"
    broker = subprocess.Popen([sys.executable, *rest], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert broker.stdout is not None
        port = broker.stdout.readline().strip().rpartition(":")[2]
        made, serves = ENGINE.replace(".venv/bin/", f"{pathlib.Path(sys.executable).parent}/").rsplit("\n", 2)[:2]
        assert serves.endswith("rescind serve")
        done = subprocess.run(
            ["bash", "-e", "-c", made.replace("PORT", port)],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if not key.startswith("RESCIND_J")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "rescind.journal: made, 4 partitions" in done.stdout
        assert "rescind.order-events: made, 4 partitions" in done.stdout
    finally:
        broker.terminate()
        broker.wait(60)
        broker.stdout.close()  # type: ignore[union-attr]
