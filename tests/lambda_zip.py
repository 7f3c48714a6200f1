"""The Lambda zip as tests build it."""

from pathlib import Path

import build_lambda
from build_lambda import BuildError
from requirements_of_tests import missing


def lambda_zip(target: str, root: Path = build_lambda.ROOT) -> Path:
    """Return the zip of the package in `root` for `target`, up to date; skip, or fail in CI, without a
    network.
    """
    try:
        return build_lambda.build(target, root)
    except BuildError as error:
        if "cannot be reached" in str(error):
            missing("the package index", str(error))
        raise
