"""Host settings: each with its reason and its documented effect, and a word on what does nothing here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import resources

from planner.bundle.documents import pods
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.subject import Subject
from planner.bundle.words import parts
from planner.units import GIB

FOLDER = "host"
SYSCTL = f"{FOLDER}/sysctl.d/90-llm-serving.conf"
LIMITS = f"{FOLDER}/limits.d/90-llm-serving.conf"
UDEV = f"{FOLDER}/udev/60-llm-nvme.rules"
RAID = f"{FOLDER}/nvme-raid.sh"
SYSTEMD = f"{FOLDER}/systemd"


@dataclass(frozen=True)
class Sysctl:
    """A kernel setting.

    Attributes
    ----------
    key, value : as sysctl.d writes them; several numbers are separated by blanks
    reason : why, and where that is documented
    """

    key: str
    value: str
    reason: str


# A connection of 25 Gbit/s over 20 ms holds 62.5 MB in flight: what one needs to fetch weights from another region.
WINDOW_BYTES = 64 * 2**20

SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "vm.swappiness",
        "1",
        "Pages of the engine stay in memory while weights fill the page cache; a step that waits for swap misses every "
        "promise. Kernel: admin-guide/sysctl/vm.",
    ),
    Sysctl(
        "kernel.numa_balancing",
        "0",
        "Automatic balancing unmaps pages to see who uses them; each such fault stalls the process that launches the "
        "kernels. Kernel: admin-guide/sysctl/kernel; AMD's and NVIDIA's tuning guides turn it off for GPU servers.",
    ),
    Sysctl(
        "vm.max_map_count",
        "1048576",
        "Weights are mapped file by file, and each process of a rank maps its own; the default is 65530, "
        "beyond which mmap fails with ENOMEM. Kernel: admin-guide/sysctl/vm.",
    ),
    Sysctl(
        "net.core.somaxconn",
        "8192",
        "Connections that the gateway opens in a burst wait in this queue and are not refused; the default is 4096. "
        "Kernel: admin-guide/sysctl/net.",
    ),
    Sysctl(
        "net.core.rmem_max",
        str(WINDOW_BYTES),
        "Largest receive window: 25 Gbit/s over 20 ms are 62.5 MB in flight while weights are fetched.",
    ),
    Sysctl("net.core.wmem_max", str(WINDOW_BYTES), "The same for sending, where KV caches go over TCP."),
    Sysctl("net.ipv4.tcp_rmem", f"4096 131072 {WINDOW_BYTES}", "Least, first and largest window of TCP: ip-sysctl."),
    Sysctl("net.ipv4.tcp_wmem", f"4096 16384 {WINDOW_BYTES}", "The same for sending."),
    Sysctl(
        "net.ipv4.tcp_slow_start_after_idle",
        "0",
        "A connection that paused between two answers keeps its window: ip-sysctl.",
    ),
)

GOVERNOR = """\
[Unit]
Description=Processor clock at its highest: every step of the engine begins on the host
ConditionPathExistsGlob=/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for f in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do echo performance > "$f"; done'

[Install]
WantedBy=multi-user.target
"""

PERSISTENCE = """\
[Unit]
Description=NVIDIA driver stays loaded between two users: else each first start of a process initialises every device
Documentation=https://docs.nvidia.com/deploy/driver-persistence/
ConditionPathExistsGlob=/dev/nvidia[0-9]*
After=nvidia-persistenced.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'exec nvidia-smi --persistence-mode=1'

[Install]
WantedBy=multi-user.target
"""

MOUNT = """\
[Unit]
Description=Weights on local drives, as nvme-raid.sh made them

[Mount]
What=/dev/md/models
Where=/var/lib/models
Type=xfs
Options=noatime,nofail

[Install]
WantedBy=multi-user.target
"""

CONTAINERS = """\
# Pods take their limits from the container runtime and not from limits.d. Registering memory for RDMA or for pinned
# copies locks it.
[Service]
LimitMEMLOCK=infinity
"""

UDEV_RULE = """\
# NVMe drives order requests themselves: no scheduler. Weights are read from front to back: read 4 MiB ahead, where the
# default of 128 KiB leaves a drive idle between two requests of a mapped file. Kernel: block/queue-sysfs.
ACTION=="add|change", KERNEL=="nvme[0-9]*n[0-9]*", ENV{DEVTYPE}=="disk", ATTR{queue/scheduler}="none"
ACTION=="add|change", KERNEL=="nvme[0-9]*n[0-9]*", ENV{DEVTYPE}=="disk", ATTR{queue/read_ahead_kb}="4096"
ACTION=="add|change", KERNEL=="md[0-9]*", ATTR{queue/read_ahead_kb}="4096"
"""

LIMIT_LINES = """\
# For engines that a login session starts. Pods take theirs from the container runtime: see
# systemd/containerd.service.d.
# Memory that RDMA or pinned copies use must not be swapped; the default of a few MiB makes registration fail.
*  -  memlock  unlimited
# A connection of each request on both sides of the gateway, and a file of each part of the weights.
*  -  nofile   1048576
"""

HEAD = """\
# Nothing in this file makes NVLink or NVSwitch traffic faster: it never passes through the kernel. The buffers of
# net.* serve sockets alone: fetching weights, HTTP, and KV caches or collectives where they go over TCP.
"""


def write(draft: Draft) -> Files:
    """All settings; those of NVIDIA's driver only where the plan has it."""
    nvidia = draft.subject.accelerator.vendor == "NVIDIA"
    raid = (resources.files("planner.bundle.shipped") / "nvme-raid.sh").read_text("utf-8")
    files = {
        SYSCTL: sysctl(),
        LIMITS: LIMIT_LINES,
        UDEV: UDEV_RULE,
        RAID: raid,
        f"{SYSTEMD}/llm-cpu-governor.service": GOVERNOR,
        f"{SYSTEMD}/var-lib-models.mount": MOUNT,
        f"{SYSTEMD}/containerd.service.d/90-llm-memlock.conf": CONTAINERS,
        f"{FOLDER}/README.md": page(draft.subject, "en"),
        f"{FOLDER}/README.zh.md": page(draft.subject, "zh"),
    }
    return {**files, f"{SYSTEMD}/llm-gpu-persistence.service": PERSISTENCE} if nvidia else files


def sysctl() -> str:
    """Contents of a file in sysctl.d."""
    settings = "\n".join(f"\n# {_wrapped(row.reason)}\n{row.key} = {row.value}" for row in SYSCTLS)
    return f"{HEAD}{settings}\n"


def page(subject: Subject, language: str) -> str:
    """How to put the settings in place, what they do, and what does nothing."""
    words = parts("host", language)
    layer_s = next((a.value for a in subject.result.assumptions if a.name == "host_layer_s"), None)
    counted = words["counted"].format(layer=f"{layer_s * 1e6:.0f} µs") if isinstance(layer_s, float) else None
    room_gib = math.ceil(subject.checkpoint_bytes * pods.STORAGE_MARGIN / GIB)
    figures = {
        "room": str(room_gib),
        "checkpoint": f"{subject.checkpoint_bytes / GIB:,.0f} GiB",
        "load": f"{subject.load_time_s:.0f} s",
        "llm": subject.llm.name,
        "host_layer": (counted or words["uncounted"]).strip(),
    }
    return words["page"].format(**figures)


def _wrapped(text: str, width: int = 116) -> str:
    """Comment over several lines."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n# ".join([*lines, line])
