"""A cluster to try things and to measure on: ``python -m tests.broker [--brokers 3]``. Its address is the first line;
it stays on 127.0.0.1, and ends, with everything in it, by ctrl-C or SIGTERM."""

import argparse
import signal

from tests.broker import jars
from tests.broker.local import LocalCluster

MEASURING = ("-Xmx512m", "-Xms512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-Dlog4j2.level=ERROR")
"""More heap than tests get, and all of the compiler."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.broker", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    arguments = parser.parse_args()
    jars.prepare()
    jars.JVM = MEASURING
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    cluster = LocalCluster(arguments.brokers)
    try:
        print(cluster.servers, flush=True)
        signal.sigwait(signals)
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
