"""Git as tests run it."""

import os
import subprocess
from pathlib import Path

from support.prerequisites import require_program

# A test's own repository must not depend on the developer's settings.
_NO_CONFIGURATION = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def git(directory: Path, *arguments: str, user_configuration: bool = False) -> "subprocess.CompletedProcess[str]":
    """Run Git in `directory`.

    Git exports GIT_DIR, GIT_INDEX_FILE and others to hooks, and they take precedence over the directory. They are removed,
    because a test in a hook would otherwise write to the developer's repository.
    """
    program = require_program("git", "install Git")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        [program, *arguments],
        cwd=directory,
        env=environment if user_configuration else {**environment, **_NO_CONFIGURATION},
        capture_output=True,
        text=True,
        check=False,
    )
