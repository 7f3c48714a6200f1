"""Terraform updates a deployment of an earlier release in place, without replacing resources.

The state comes from commit 05faa3a, applied to the emulator, without local paths.
"""

import gzip
from pathlib import Path
from typing import Any

from support.deployment.emulator import Emulator
from support.deployment.terraform import TerraformRoot
from support.repository.files import REPOSITORY

STATE = Path(__file__).parent / "state_of_05faa3a.json.gz"

# Order e-mails are now off by default, because they can silence the alarms. Rejected orders are counted by code in the
# log.
DELETED = {
    "aws_sns_topic_subscription.order_completed_email[0]",
    'module.monitoring.aws_cloudwatch_log_metric_filter.this["OrdersRefusedByCode"]',
}


def test_earlier_deployment_is_updated_in_place(emulator: Emulator, variables: dict[str, Any], tmp_path: Path) -> None:
    root = TerraformRoot(REPOSITORY / "terraform-backend", tmp_path / "terraform", emulator.environment)
    (root.directory / "terraform.tfstate").write_bytes(gzip.decompress(STATE.read_bytes()))
    actions = root.planned_actions({**variables, "no_orders_alarm_minutes": 60})
    assert {address for address, action in actions.items() if action in ("delete", "replace")} == DELETED
    kept = {"aws_dynamodb_table.orders", "aws_sns_topic.alerts", "aws_sns_topic.order_completed"}
    assert not kept & actions.keys(), "these resources must not change"
    assert {action for address, action in actions.items() if address.startswith("aws_sqs_queue.")} <= {"update"}
