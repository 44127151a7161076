"""Break it for so long: ``python -m tests.chaos --minutes M --seed N``. Everything stays on 127.0.0.1, and ends."""

import argparse
import random
import sys

from tests.chaos.run import chaos
from tests.simulation.oracles import Broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of load and kills, default 10")
    parser.add_argument("--seed", type=int, help="of load and kills; the moments still depend on the machine")
    parser.add_argument("--share", action="store_true", help="engines that follow all partitions or a share, by chance")
    parser.add_argument("--quiet", action="store_true", help="only the summary")
    arguments = parser.parse_args()
    if not 0 < arguments.minutes <= 120:
        parser.error("--minutes: up to 120")
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed
    print(f"seed {seed}, {arguments.minutes:g} minutes", flush=True)
    try:
        note = lambda line: None if arguments.quiet else print(line, flush=True)  # noqa: E731
        report = chaos(arguments.minutes, seed, note, share=arguments.share)
    except Broken as broken:
        print(f"BROKEN {broken}")
        return 1
    print(report)
    print("nothing acknowledged was lost, nothing happened twice, quantities and refunds add up, all was answered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
