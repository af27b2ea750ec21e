"""Checks by other people's tools: each reads a folder and yields what its tool refuses.

A tool that is not installed yields one finding `not_checked` that says how to get it; nothing means: content.
"""

from planner.bundle.tools import custom, files, gateway, kubernetes, monitoring, systemd, triton
from planner.bundle.tools.program import Tool

# One module a line, each with its own TOOLS: name of the check -> check, whose docstring begins with what holds.
TOOLS: dict[str, Tool] = {
    **kubernetes.TOOLS,
    **gateway.TOOLS,
    **custom.TOOLS,
    **files.TOOLS,
    **monitoring.TOOLS,
    **systemd.TOOLS,
    **triton.TOOLS,
}
