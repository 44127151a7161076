"""Replay one seed: ``python -m tests.simulation --seed N [--trace] [--plant NAME]``, or many: ``--seeds FIRST LAST``."""

import argparse
import sys
import time

from tests.simulation.oracles import check
from tests.simulation.plants import PLANTS
from tests.simulation.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one run, its faults and answers in numbers")
    parser.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "BEHIND"), help="many runs; stops at the first broken one")
    parser.add_argument("--trace", action="store_true", help="print what happened, step by step")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="nothing", help="a bug to put in first")
    asked = parser.parse_args()
    seeds = range(*asked.seeds) if asked.seeds else [asked.seed if asked.seed is not None else 0]
    began = time.perf_counter()
    for seed in seeds:
        world = World(seed, PLANTS[asked.plant])
        if asked.trace:
            world.lines = []
        try:
            world.run()
            reading = check(world)
        except Exception as broken:
            if world.lines is not None:
                sys.stdout.writelines(world.lines)
            print(f"seed {seed}: {type(broken).__name__}: {broken}")
            print(f"python -m tests.simulation --seed {seed}" + (f" --plant {asked.plant}" if asked.plant != "nothing" else ""))
            if len(seeds) == 1:
                raise
            return 1
        if world.lines is not None:
            sys.stdout.writelines(world.lines)
        if len(seeds) == 1:
            print(f"seed {seed}: trace {world.trace[:16]}, {len(reading.admitted)} commits, {reading.rejected}, {world.counts}")
    if len(seeds) > 1:
        print(f"{len(seeds)} seeds in {time.perf_counter() - began:.1f} s")
    return 0


sys.exit(main())
