"""cfn-lint reports no finding for the packaged template, with all rules enabled."""

import subprocess
import sys
from pathlib import Path

from support.repository.cloudformation import TEMPLATE


def test_cfn_lint_reports_nothing(tmp_path: Path) -> None:
    packaged = tmp_path / TEMPLATE.name
    packaged.write_text(
        TEMPLATE.read_text()
        .replace("Code: ../dist/orders-arm64.zip", "Code: {S3Bucket: artifacts, S3Key: 0123456789abcdef}")
        .replace("Location: ../dist/orders-arm64.inputs", "Location: s3://artifacts/0123456789abcdef")
    )
    assert "../dist" not in packaged.read_text()
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), packaged.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout
