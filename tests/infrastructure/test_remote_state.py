"""State in S3 with a lock. The tests use the unchanged example files and share one state."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local_stack.aws import AwsConnection
from support.deployment.emulator import Emulator
from support.deployment.terraform import TerraformError, TerraformRoot
from support.prerequisites import missing, require_program
from support.repository.files import REPOSITORY
from support.waiting import wait_for

EXAMPLES = {
    side: REPOSITORY / f"terraform-{side}/profiles/prod.s3.tfbackend.example" for side in ("backend", "frontend")
}
SETTINGS = {side: dict(re.findall(r'(?m)^(\w+) += "(.+)"$', path.read_text())) for side, path in EXAMPLES.items()}
BUCKET, KEY, REGION = (SETTINGS["backend"][name] for name in ("bucket", "key", "region"))


@dataclass(frozen=True)
class SharedState:
    """A Terraform folder with one resource, whose state is in a bucket."""

    root: TerraformRoot
    s3: Any

    def objects(self) -> dict[str, str]:
        """Return the bucket's keys with their ETags."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: each["ETag"] for each in listed}


@pytest.fixture(scope="module")
def shared(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedState]:
    terraform = require_program("terraform", "install Terraform 1.11 or newer to test shared state")
    version = json.loads(subprocess.run([terraform, "version", "-json"], capture_output=True, check=True).stdout)
    if tuple(map(int, version["terraform_version"].split(".")[:2])) < (1, 11):
        missing("Terraform 1.11", "install it or a newer one to test shared state")
    s3 = AwsConnection(emulator.endpoint_url, REGION, emulator.connection.credentials).client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    directory = tmp_path_factory.mktemp("terraform")
    source, configuration = directory / "source", directory / "prod.s3.tfbackend"
    source.mkdir()
    (source / "main.tf").write_text('resource "terraform_data" "order" {\n}\n')
    shutil.copy(REPOSITORY / "terraform-backend" / "backend.tf.example", source / "state.tf")
    shutil.copy(EXAMPLES["backend"], configuration)
    # The emulator supports path-style buckets only.
    options = (f"-backend-config={configuration}", "-backend-config=use_path_style=true")
    shared = SharedState(TerraformRoot(source, directory / "root", emulator.environment, options), s3)
    shared.root.apply({})
    yield shared
    for key in shared.objects():
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)


def test_state_is_only_in_the_bucket(shared: SharedState) -> None:
    assert shared.objects().keys() == {KEY}, "the lock must be released"
    state = json.loads(shared.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())
    [order] = state["resources"]
    id_ = order["instances"][0]["attributes"]["id"].encode()
    local = [path for path in shared.root.directory.rglob("*") if path.is_file()]
    assert [path for path in local if id_ in path.read_bytes()] == []


def test_concurrent_change_is_rejected_with_the_lock_holder(shared: SharedState) -> None:
    before = shared.objects()
    with subprocess.Popen(
        [shared.root.program, "apply", "-no-color", "-replace=terraform_data.order"],
        cwd=shared.root.directory,
        env=shared.root.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as first:
        wait_for("the lock", lambda: f"{KEY}.tflock" in shared.objects())
        with pytest.raises(TerraformError) as error:
            shared.root.apply({})
        assert "Error acquiring the state lock" in str(error.value)
        assert "OperationTypeApply" in str(error.value)
        assert shared.objects()[KEY] == before[KEY]
        first.communicate("no\n")
    assert shared.objects() == before, "the lock must be released, and the state unchanged"


def test_both_folders_share_a_bucket_under_different_keys() -> None:
    assert SETTINGS["frontend"]["bucket"] == BUCKET
    assert SETTINGS["frontend"]["key"] != KEY
