"""Rules of a bundle: every rule yields what is wrong and nothing where all is well.

A rule reads the files alone. What needs a program or a package of its own is in `planner.bundle.tools`.
"""

from planner.bundle.finding import Rule
from planner.bundle.rules import engine, folder, host, operation, planned, pods, scaling

# One module a line, each with its own RULES: name of the rule -> rule, whose docstring begins with what holds.
RULES: dict[str, Rule] = {
    **folder.RULES,
    **pods.RULES,
    **engine.RULES,
    **planned.RULES,
    **scaling.RULES,
    **operation.RULES,
    **host.RULES,
}
