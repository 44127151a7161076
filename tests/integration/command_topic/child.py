"""A process whose engine takes commands from a topic: ``python -m tests.integration.command_topic.child SETTINGS``."""

import json
import signal
import sys
import time

from infra.app import open_app
from infra.settings import load_settings


def main(settings: str) -> None:
    with open_app(load_settings(**json.loads(settings)), publish=True, views=False) as app:
        commanding = app.commanding
        assert commanding is not None
        said: list[int] | None = None
        while True:
            if commanding.assigned and sorted(commanding.assigned) != said:
                said = sorted(commanding.assigned)
                sys.stdout.write(json.dumps(said) + "\n")
                sys.stdout.flush()
            time.sleep(0.01)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main(*sys.argv[1:])
