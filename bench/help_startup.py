"""How long `mtts --help` takes, next to importing the two libraries that it cannot do without.

Rounds alternate between both and compare within a round, so a busy machine burdens them alike. It measures and judges
nothing: the target is printed beside the figure.
"""

import argparse
import statistics
import subprocess
import sys
import time

from bench.rig.rounds import spread

TARGET_RATIO = 2.0
PROGRAM = (sys.executable, "-m", "mtts", "--help")
FLOOR = (sys.executable, "-c", "import typer, rich")


def elapsed_ms(command: tuple[str, ...]) -> float:
    """Wall time of one run in milliseconds; CalledProcessError when it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30, help="how often each is started (at least 2)")
    rounds = max(2, parser.parse_args().rounds)

    elapsed_ms(FLOOR), elapsed_ms(PROGRAM)  # the first start writes byte code and fills the disk's cache
    pairs = [(elapsed_ms(FLOOR), elapsed_ms(PROGRAM)) for _ in range(rounds)]
    ratios = [program / floor for floor, program in pairs]

    print(f"start-up, {rounds} rounds, Python {sys.version.split()[0]}")
    print(f"  import typer, rich  median {statistics.median(floor for floor, _ in pairs):6.1f} ms")
    print(f"  mtts --help         median {statistics.median(program for _, program in pairs):6.1f} ms")
    print(f"  ratio {spread(ratios)}; target at most {TARGET_RATIO}")


if __name__ == "__main__":
    main()
