"""Random orders of money and parcels, told to the domain and to the model.

``python -m tests.spec.model --orders 20000`` tells as many.

An order that differs is printed with the least of its story that still differs, and with the command that shows it
again. The last line says how many were told, and how often each kind of command was accepted, refused or malformed.
"""

import argparse
import sys
import time
from collections import Counter

from tests.spec.model.orders import tell, told_to_the_domain


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.spec.model", description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed's number")
    parser.add_argument("--seed", help="this one only")
    parser.add_argument("--most", type=int, default=5, help="stop after so many that differ")
    asked = parser.parse_args()
    seeds = [asked.seed] if asked.seed is not None else [str(asked.first + n) for n in range(asked.orders)]
    began, found, seen, told = time.monotonic(), 0, Counter[tuple[str, str]](), 0
    for seed in seeds:
        told += 1
        wrong = tell(seed, lambda bodies: told_to_the_domain(bodies, seen))
        if wrong is not None:
            found += 1
            print(wrong, flush=True)
        if found >= asked.most:
            break
    ways = Counter[str]()
    for (_, came_to), times in seen.items():
        ways[came_to] += times
    said = ", ".join(f"{times:,} {came_to}" for came_to, times in sorted(ways.items()))
    seconds = time.monotonic() - began
    print(f"{told:,} orders from {seeds[0]}: {found} differ ({said}, {seconds:.0f} s)", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
