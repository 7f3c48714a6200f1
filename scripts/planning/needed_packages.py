"""The packages that only planning needs, which `make run` therefore does not install."""

from importlib.util import find_spec

from planning.errors import PlanningError

NEEDED = ("numpy", "simpy", "matplotlib")


def require_needed_packages() -> None:
    """Raise PlanningError, saying what to do, where one of NEEDED is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise PlanningError(
            f"The capacity model needs {' and '.join(missing)}: install what it needs with `make install-plan`."
        )
