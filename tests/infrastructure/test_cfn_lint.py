"""cfn-lint finds nothing in the CloudFormation template, with none of its rules ignored."""

import json
import subprocess
import sys
from pathlib import Path

from support.repository.cloudformation import TEMPLATE


def _findings(path: Path) -> list[str]:
    """Return what cfn-lint finds, by rule, with none of its rules ignored."""
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--format", "json", path],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return [f"{each['Rule']['Id']} {each['Message']}" for each in json.loads(linted.stdout)]


def test_cfn_lint_finds_nothing_in_the_packaged_template(tmp_path: Path) -> None:
    packaged = tmp_path / TEMPLATE.name
    packaged.write_text(
        TEMPLATE.read_text()
        .replace("Code: ../dist/orders-arm64.zip", "Code: {S3Bucket: artifacts, S3Key: 0123456789abcdef}")
        .replace("Location: ../dist/orders-arm64.inputs", "Location: s3://artifacts/0123456789abcdef")
    )
    assert "../dist" not in packaged.read_text()
    assert _findings(packaged) == []


def test_cfn_lint_finds_only_that_the_template_has_to_be_packaged_first() -> None:
    functions = TEMPLATE.read_text().count("Type: AWS::Lambda::Function\n")
    assert functions
    assert _findings(TEMPLATE) == ["W3002 This code may only work with 'package' cli command"] * functions
