"""The table can be restored, data is encrypted, and the event source mappings have their settings."""

import pytest
from botocore.exceptions import ClientError

from smoke.system import FUNCTIONS, QUEUES, System


def test_table_has_point_in_time_recovery(system: System) -> None:
    table = system.outputs["orders_table_name"]
    backups = system.client("dynamodb").describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    if "EarliestRestorableDateTime" not in recovery:
        pytest.skip("DynamoDB reports no restorable time yet")


def test_event_source_mappings_are_enabled_and_report_failures(system: System) -> None:
    functions = {f"{system.prefix}-{function}" for function in FUNCTIONS}
    mappings = {
        mapping["FunctionArn"].split(":")[6].removeprefix(f"{system.prefix}-"): mapping
        for mapping in system.all("lambda", "list_event_source_mappings", "EventSourceMappings")
        if mapping["FunctionArn"].split(":")[6] in functions
    }
    assert mappings.keys() == {"processing", "notification"}
    for function, mapping in mappings.items():
        assert mapping["State"] == "Enabled", function
        assert not mapping.get("LastProcessingResult", "").startswith("PROBLEM"), function
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function
    assert mappings["notification"]["BisectBatchOnFunctionError"] is True
    assert mappings["notification"]["MaximumRetryAttempts"] == 10


def test_request_without_tls_is_rejected(system: System) -> None:
    if system.is_emulated:
        pytest.skip("an emulator has no second, unencrypted address")
    sqs = system.client("sqs", use_ssl=False)
    for output in QUEUES:
        with pytest.raises(ClientError) as error:
            sqs.get_queue_attributes(QueueUrl=system.outputs[output], AttributeNames=["QueueArn"])
        assert error.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), output


def test_data_is_encrypted_with_the_customer_managed_key(system: System) -> None:
    sqs, sns, functions = (system.client(service) for service in ("sqs", "sns", "lambda"))
    keys: dict[str, str | None] = {}
    for output in QUEUES:
        queue = sqs.get_queue_attributes(QueueUrl=system.outputs[output], AttributeNames=["All"])
        keys[output] = queue["Attributes"].get("KmsMasterKeyId")
    for output in ("alerts_topic_arn", "order_completed_topic_arn"):
        topic = sns.get_topic_attributes(TopicArn=system.outputs[output])
        keys[output] = topic["Attributes"].get("KmsMasterKeyId")
    for name in (*map(system.log_group, FUNCTIONS), system.access_log):
        groups = system.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        keys[name] = next((group.get("kmsKeyId") for group in groups if group["logGroupName"] == name), None)
    for function in FUNCTIONS:
        configuration = functions.get_function_configuration(FunctionName=f"{system.prefix}-{function}")
        keys[function] = configuration.get("KMSKeyArn")
    if not any(keys.values()):
        pytest.skip("this deployment has no customer-managed key (kms_key_arn)")
    table = system.client("dynamodb").describe_table(TableName=system.outputs["orders_table_name"])["Table"]
    keys["table"] = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    assert len(set(keys.values())) == 1, keys
    assert system.client("kms").describe_key(KeyId=keys["table"])["KeyMetadata"]["KeyState"] == "Enabled"
