"""A process whose engine takes commands from a topic: ``python -m tests.integration.command_topic.child SETTINGS``."""

import json
import signal
import sys
import time

from infra.app import AppOptions, open_app
from infra.settings import load_settings


def main(settings: str) -> None:
    with open_app(load_settings(**json.loads(settings)), AppOptions(publish=True, views=False)) as app:
        command_topic = app.command_topic
        assert command_topic is not None
        reported: list[int] | None = None
        while True:
            if command_topic.assigned and sorted(command_topic.assigned) != reported:
                reported = sorted(command_topic.assigned)
                sys.stdout.write(json.dumps(reported) + "\n")
                sys.stdout.flush()
            time.sleep(0.01)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main(*sys.argv[1:])
