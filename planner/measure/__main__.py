"""`python -m planner.measure`: the same measurement on a host that has torch and nothing else."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from planner.errors import PlannerError
from planner.measure import files
from planner.measure.kernels import open_device
from planner.measure.run import measure


def main() -> int:
    """Measure, write the file; 1 with a message where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m planner.measure", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("planner-measure.json"), help="file to write")
    parser.add_argument("--seconds", type=float, default=90, help="about how long to measure (default 90)")
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    asked = parser.parse_args()
    try:
        files.check(asked.out, asked.force)
        document = measure(open_device(), asked.seconds, _report)
        files.write(document, asked.out)
    except PlannerError as error:
        sys.stderr.write(f"planner: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nplanner: stopped; nothing written\n")
        return 130
    sys.stderr.write(f"\n{asked.out} written. Look at it anywhere: planner measure --show {asked.out}\n")
    return 0


def _report(done: int, total: int, what: str) -> None:
    sys.stderr.write(f"\r{done:>4} of {total}  {what:<60}")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
