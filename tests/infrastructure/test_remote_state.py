"""State in S3 with a lock. The tests use the unchanged example files, share one state and run in order."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_stack.aws import AwsConnection
from support.deployment.emulator import Emulator
from support.deployment.terraform import TerraformError, TerraformRoot
from support.prerequisites import missing, require_program
from support.repository.files import REPOSITORY
from support.waiting import wait_for

BACKEND, FRONTEND = REPOSITORY / "terraform-backend", REPOSITORY / "terraform-frontend"
TOPIC = "aws_sns_topic.order_completed"


def settings(folder: Path) -> dict[str, str]:
    """Return the settings of a folder's example backend configuration."""
    text = (folder / "profiles" / "prod.s3.tfbackend.example").read_text()
    return dict(re.findall(r'(?m)^(\w+) += "(.+)"$', text))


BUCKET, KEY, REGION = (settings(BACKEND)[name] for name in ("bucket", "key", "region"))


@dataclass(frozen=True)
class SharedState:
    """A working copy of terraform-backend whose state is in a bucket."""

    root: TerraformRoot
    s3: Any
    variables: dict[str, Any]

    def objects(self) -> dict[str, str]:
        """Return the bucket's keys with their ETags."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: each["ETag"] for each in listed}

    def resources(self) -> list[str]:
        """Return the managed resources of the state in the bucket."""
        state = json.loads(self.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())
        return [f"{each['type']}.{each['name']}" for each in state["resources"] if each["mode"] == "managed"]


@pytest.fixture(scope="module")
def shared(
    emulator: Emulator, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedState]:
    terraform = require_program("terraform", "install Terraform 1.11 or newer to test shared state")
    version = json.loads(subprocess.run([terraform, "version", "-json"], capture_output=True, check=True).stdout)
    if tuple(map(int, version["terraform_version"].split(".")[:2])) < (1, 11):
        missing("Terraform 1.11", "install it or a newer one to test shared state")
    s3 = AwsConnection(emulator.endpoint_url, REGION, emulator.connection.credentials).client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    configuration = tmp_path_factory.mktemp("profiles") / "prod.s3.tfbackend"
    shutil.copy(BACKEND / "profiles" / "prod.s3.tfbackend.example", configuration)
    root = TerraformRoot(
        BACKEND,
        tmp_path_factory.mktemp("terraform") / "terraform-backend",
        emulator.environment,
        # The emulator supports path-style buckets only.
        backend_options=(f"-backend-config={configuration}", "-backend-config=use_path_style=true"),
    )
    shared = SharedState(root, s3, {**variables, "project": "shared"})
    yield shared
    for key in shared.objects():
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)


def test_state_is_only_in_the_bucket(shared: SharedState) -> None:
    shared.root.apply(shared.variables, target=TOPIC)
    assert shared.objects().keys() == {KEY}, "the lock must be released"
    assert shared.resources() == [TOPIC]
    arn = shared.root.applied()[TOPIC]["arn"]
    local = [path for path in shared.root.directory.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in local if path.suffix != ".tf" and arn.encode() in path.read_bytes()] == []


def test_concurrent_change_is_rejected_with_the_lock_holder(shared: SharedState) -> None:
    before = shared.objects()
    variables = [f"-var={name}={value}" for name, value in shared.variables.items()]
    with subprocess.Popen(
        [shared.root.program, "apply", "-no-color", f"-target={TOPIC}", f"-replace={TOPIC}", *variables],
        cwd=shared.root.directory,
        env=shared.root.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as first:
        wait_for("the lock", lambda: f"{KEY}.tflock" in shared.objects())
        with pytest.raises(TerraformError) as error:
            shared.root.apply({**shared.variables, "environment": "staging"}, target=TOPIC)
        message = " ".join(str(error.value).split())
        assert "Error acquiring the state lock" in message
        assert "OperationTypeApply" in message
        assert shared.objects()[KEY] == before[KEY]
        first.communicate("no\n")
    assert shared.objects() == before, "the lock must be released"
    assert shared.resources() == [TOPIC]


def test_destroy_leaves_an_empty_state(shared: SharedState, emulator: Emulator) -> None:
    shared.root.destroy(shared.variables)
    assert shared.resources() == []
    topics = [topic["TopicArn"] for topic in emulator.client("sns").list_topics()["Topics"]]
    assert not [arn for arn in topics if ":shared-" in arn]


def test_both_folders_share_a_bucket_under_different_keys() -> None:
    assert (FRONTEND / "backend.tf.example").read_text() == (BACKEND / "backend.tf.example").read_text()
    assert settings(FRONTEND)["bucket"] == BUCKET
    assert settings(FRONTEND)["key"] != KEY
