"""A server to measure on: ``python -m tests.postgresql``. Its URL is the first line. All is as PostgreSQL has it by
default, so a commit is on the disk; it stays on 127.0.0.1, and ends, with everything in it, by ctrl-C or SIGTERM."""

import signal
from contextlib import closing

from tests.postgresql.server import Server


def main() -> None:
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with closing(Server("fsync=on")) as server:
        print(server.url, flush=True)
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
