"""Start the dashboard's server in this process, with the first answer already there."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from streamlit.web import cli

from planner.assets import app_file
from planner.ui.session import catalog, solve
from planner.workloads import load_workload


def serve(port: int) -> NoReturn:
    """Serve the dashboard until it is stopped."""
    file = app_file()
    os.chdir(file.parent)  # where Streamlit looks for .streamlit
    warm_up()
    sys.argv = ["streamlit", "run", file.name, "--server.port", str(port)]
    sys.exit(cli.main())


def warm_up() -> None:
    """Read the catalogs and answer the default question, so that the first visitor waits for neither."""
    catalog()
    solve(load_workload())
