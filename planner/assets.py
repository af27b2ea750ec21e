"""Where the files that are not Python lie: at the top of a checkout, inside an installed package.

The wheel's layout is decided in pyproject.toml (`force-include`); `.ci/check_wheel.sh` tries it.
"""

from __future__ import annotations

from pathlib import Path

from planner.errors import PlannerError

_PACKAGE = Path(__file__).resolve().parent


def catalogs_dir() -> Path:
    """Folder of the catalogs: TOML and CSV facts with their sources."""
    return _find("catalogs", "catalogs")


def app_file() -> Path:
    """Script that `streamlit run` starts."""
    return _find("dashboard/app.py", "app.py")


def streamlit_config_dir() -> Path:
    """Folder of the dashboard's `config.toml`; Streamlit also finds it beside `app_file()`."""
    return _find("dashboard/.streamlit", ".streamlit")


def locale_dir() -> Path:
    """Folder of the compiled translations, the same in a checkout and in a wheel."""
    return _PACKAGE / "locale"


def _find(in_package: str, in_checkout: str) -> Path:
    """The installed file first: beside an installed package, `catalogs` could be anybody's."""
    installed, checkout = _PACKAGE / in_package, _PACKAGE.parent / in_checkout
    if installed.exists():
        return installed
    if checkout.exists():
        return checkout
    raise PlannerError(
        "this installation is incomplete: neither {installed} nor {checkout} is there.\n"
        "  Install the wheel again, or start from a checkout with `make run`.",
        installed=installed,
        checkout=checkout,
    )
