"""Kernel settings within what the kernel accepts. Written without a tool: `sysctl` would change this machine."""

from __future__ import annotations

import re

from planner.bundle.finding import Bundle, Finding, Problems, Rule

FOLDER = "host/sysctl.d/"
INT_MAX = 2**31 - 1

# Least and largest value of each number: Documentation/admin-guide/sysctl/{vm,kernel,net}.rst and
# networking/ip-sysctl.rst of Linux 6.1; a key that is not here is refused, as nobody looked it up.
RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "vm.swappiness": ((0, 200),),
    "vm.max_map_count": ((1, INT_MAX),),
    "kernel.numa_balancing": ((0, 2),),
    "net.core.somaxconn": ((1, INT_MAX),),
    "net.core.rmem_max": ((2304, INT_MAX),),
    "net.core.wmem_max": ((4608, INT_MAX),),
    "net.ipv4.tcp_rmem": ((1, INT_MAX),) * 3,
    "net.ipv4.tcp_wmem": ((1, INT_MAX),) * 3,
    "net.ipv4.tcp_slow_start_after_idle": ((0, 1),),
}
_LINE = re.compile(r"([a-z0-9_.]+) = ([0-9]+(?: [0-9]+)*)")


def sysctl_ranges(bundle: Bundle) -> Problems:
    """Every kernel setting is known, given once, and within its range."""
    seen: set[str] = set()
    for file in sorted(name for name in bundle.files if name.startswith(FOLDER)):
        for line in bundle.files[file].decode(errors="replace").splitlines():
            if line.strip() and not line.startswith(("#", ";")):
                problem = _problem(line, seen)
                if problem:
                    yield Finding("sysctl", file, "error", problem)


def _problem(line: str, seen: set[str]) -> str | None:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        return f"{line.strip()!r} is not 'key = numbers'"
    key, numbers = found[1], [int(number) for number in found[2].split()]
    if key in seen:
        return f"{key} is given twice"
    seen.add(key)
    if key not in RANGES:
        return f"{key} is not in the list of settings with known ranges"
    ranges = RANGES[key]
    if len(numbers) != len(ranges):
        return f"{key} takes {len(ranges)} numbers, not {len(numbers)}"
    for number, (low, high) in zip(numbers, ranges, strict=True):
        if not low <= number <= high:
            return f"{key} = {number} is outside {low} to {high}"
    return f"{key} must not fall" if numbers != sorted(numbers) else None


RULES: dict[str, Rule] = {"sysctl": sysctl_ranges}
