"""The Lambda zip, and changed copies of it."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import build_lambda
from build_lambda import BuildError
from support.prerequisites import missing


def lambda_zip(target: str, root: Path = build_lambda.REPOSITORY) -> Path:
    """Return the current zip of the package in `root` for `target`. Without a network, skip the test, or fail it in CI."""
    try:
        return build_lambda.build(target, root, report=lambda line: None)
    except BuildError as error:
        if "cannot be reached" in str(error):
            missing("the package index", str(error))
        raise


def changed_zip(zip_path: Path, member: str, change: Callable[[str], str]) -> bytes:
    """Return a copy of a zip with the text of one file changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(zip_path) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as target:
        for each in source.infolist():
            content = source.read(each)
            target.writestr(each, change(content.decode()) if each.filename == member else content)
    return changed.getvalue()
