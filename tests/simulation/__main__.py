"""Replay one seed: ``python -m tests.simulation --seed N``, or try many: ``--seeds FIRST BEHIND``."""

import argparse
import sys
import time

from tests.simulation.plants import PLANTS
from tests.simulation.runs import again, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one run, its faults and answers in numbers")
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "BEHIND"), help="stops at the first broken one")
    parser.add_argument("--trace", action="store_true", help="print what happened, step by step")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="nothing", help="a bug to put in first")
    arguments = parser.parse_args()
    seeds = range(*arguments.seeds) if arguments.seeds else [arguments.seed or 0]
    began = time.perf_counter()
    for seed in seeds:
        ran = run(seed, arguments.plant, in_words=arguments.trace)
        sys.stdout.writelines(ran.lines or ())
        if ran.broken is not None:
            print(f"seed {seed}: {ran.broken}")
            print(again(seed, arguments.plant))
            if len(seeds) == 1:
                raise ran.broken
            return 1
        if len(seeds) == 1:
            print(f"seed {seed}: {ran}")
    print(f"{len(seeds)} runs in {time.perf_counter() - began:.1f} s")
    return 0


sys.exit(main())
