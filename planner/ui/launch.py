"""Start the dashboard's server in this process, with the first answer already there."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from streamlit.web import cli

from planner.assets import app_file
from planner.schema import PlanResult
from planner.ui import aside
from planner.ui.session import catalog, regret_of_plans, solve
from planner.workloads import load_workload


def serve(port: int) -> NoReturn:
    """Serve the dashboard until it is stopped."""
    file = app_file()
    os.chdir(file.parent)  # where Streamlit looks for .streamlit
    warm_up()
    aside.start()
    sys.argv = ["streamlit", "run", file.name, "--server.port", str(port)]
    sys.exit(cli.main())


def warm_up() -> None:
    """Read the catalogs and answer the default question, so that the first visitor waits for neither."""
    logging.disable(logging.WARNING)  # Streamlit would say at every cache that nobody visits yet
    try:
        _answer_the_default_question()
    finally:
        logging.disable(logging.NOTSET)
    gc.collect()
    gc.freeze()  # that what is here stays need not be found out at each collection


def _answer_the_default_question() -> None:
    catalog()
    answer = solve(load_workload())
    if isinstance(answer, PlanResult):
        regret_of_plans(answer)
    for page in Path(__file__).parent.glob("*_page.py"):
        importlib.import_module(f"planner.ui.{page.stem}")
