"""State that a team shares: in S3, under a lock, and nowhere else.

The tests share one state and come in the order of its life. They take the examples as they are; the emulator's only wish is
that a bucket is part of the path and not of the host.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack.aws import AwsConnection
from support.deployment.emulator import Emulator
from support.deployment.terraform import TerraformError, TerraformRoot
from support.prerequisites import missing, require_program
from support.repository.files import REPOSITORY
from support.waiting import wait_for

BACKEND = REPOSITORY / "terraform-backend"
EXAMPLE = BACKEND / "profiles" / "prod.s3.tfbackend.example"
TOPIC = "aws_sns_topic.order_completed"


def setting(name: str, example: Path = EXAMPLE) -> str:
    """Return a setting of the example of a backend's configuration."""
    match = re.search(rf'(?m)^{name} += "(.+)"$', example.read_text())
    assert match, f"{name} is in {example}"
    return match[1]


class SharedState:
    """A working copy of terraform-backend whose state is in a bucket."""

    def __init__(self, root: TerraformRoot, s3: Any, variables: dict[str, Any]) -> None:
        self.root = root
        self.s3 = s3
        self.variables = variables

    def objects(self) -> dict[str, str]:
        """Return what is in the bucket: keys and what tells one content from another."""
        listed = self.s3.list_objects_v2(Bucket=setting("bucket")).get("Contents", [])
        return {each["Key"]: each["ETag"] for each in listed}

    def resources(self) -> list[str]:
        """Return the addresses of the managed resources in the state as it is in the bucket."""
        body = self.s3.get_object(Bucket=setting("bucket"), Key=setting("key"))["Body"].read()
        return [
            f"{resource['type']}.{resource['name']}"
            for resource in json.loads(body)["resources"]
            if resource["mode"] == "managed"
        ]


@pytest.fixture(scope="module")
def shared(
    emulator: Emulator, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedState]:
    terraform = require_program("terraform", "install Terraform 1.11 or newer to test shared state")
    version = json.loads(subprocess.run([terraform, "version", "-json"], capture_output=True, check=True).stdout)
    if tuple(map(int, version["terraform_version"].split(".")[:2])) < (1, 11):
        missing("Terraform 1.11", "install it or a newer one to test shared state")
    s3 = AwsConnection(emulator.endpoint_url, setting("region"), emulator.connection.credentials).client("s3")
    s3.create_bucket(Bucket=setting("bucket"), CreateBucketConfiguration={"LocationConstraint": setting("region")})
    # As the example says: filled in and named by the command that backend.tf.example gives.
    configuration = tmp_path_factory.mktemp("profiles") / "prod.s3.tfbackend"
    shutil.copy(EXAMPLE, configuration)
    root = TerraformRoot(
        BACKEND,
        tmp_path_factory.mktemp("terraform") / "terraform-backend",
        emulator.environment,
        backend_options=(f"-backend-config={configuration}", "-backend-config=use_path_style=true"),
    )
    yield SharedState(root, s3, {**variables, "project": "shared"})
    for key in s3.list_objects_v2(Bucket=setting("bucket")).get("Contents", []):
        s3.delete_object(Bucket=setting("bucket"), Key=key["Key"])
    s3.delete_bucket(Bucket=setting("bucket"))


def test_what_is_applied_is_in_the_bucket_and_nowhere_else(shared: SharedState) -> None:
    shared.root.apply(shared.variables, target=TOPIC)

    assert shared.objects().keys() == {setting("key")}, "and no lock is left"
    assert shared.resources() == [TOPIC]
    arn = shared.root.applied()[TOPIC]["arn"]
    local = [path for path in shared.root.directory.rglob("*") if path.is_file() and not path.is_symlink()]
    knowing = [path for path in local if path.suffix != ".tf" and arn.encode() in path.read_bytes()]
    assert knowing == [], "no copy of the state is left behind"


def test_a_second_change_meanwhile_is_refused_and_says_who_holds_the_lock(shared: SharedState) -> None:
    before = shared.objects()
    lock = f"{setting('key')}.tflock"
    with shared.root.asked_to_apply(shared.variables, TOPIC) as answer:
        wait_for("the lock", lambda: lock in shared.objects())

        with pytest.raises(TerraformError) as refusal:
            shared.root.apply({**shared.variables, "environment": "staging"}, target=TOPIC)

        said = " ".join(str(refusal.value).split())
        assert "Error acquiring the state lock" in said
        assert "OperationTypeApply" in said
        assert shared.objects()[setting("key")] == before[setting("key")], "the state is as it was"
        answer("no")

    assert shared.objects() == before, "the lock is gone with who held it"
    assert shared.resources() == [TOPIC]


def test_destroy_leaves_an_empty_state_for_the_next_one(shared: SharedState, emulator: Emulator) -> None:
    shared.root.destroy(shared.variables)

    assert shared.resources() == []
    topics = [topic["TopicArn"] for topic in emulator.client("sns").list_topics()["Topics"]]
    assert not [arn for arn in topics if ":shared-" in arn]


def test_both_folders_keep_their_state_in_the_same_way_under_keys_of_their_own() -> None:
    frontend = REPOSITORY / "terraform-frontend"
    other = frontend / "profiles" / EXAMPLE.name
    assert (frontend / "backend.tf.example").read_text() == (BACKEND / "backend.tf.example").read_text()
    assert setting("bucket", other) == setting("bucket")
    assert setting("key", other) != setting("key")


@pytest.mark.parametrize("folder", ["terraform-backend", "terraform-frontend"])
def test_without_it_state_is_a_local_file(folder: str) -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / folder).glob("*.tf") if path.name != "backend.tf")
    assert not re.search(r"(?m)^\s*(backend|cloud)\b", code), "terraform init works as typed"
