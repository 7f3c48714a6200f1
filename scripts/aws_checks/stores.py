"""Whether the orders are kept as the settings say: restorable, encrypted, read and refused."""

from botocore.exceptions import ClientError

from aws_checks.check import Outcome, Progress, failed, not_tried, proven
from aws_checks.deployment import FUNCTIONS, Deployment


def table_can_be_restored(deployment: Deployment, progress: Progress) -> Outcome:
    """Look to which moments the table can be brought back."""
    backups = deployment.client("dynamodb").describe_continuous_backups(
        TableName=deployment.outputs["orders_table_name"]
    )["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    if backups["PointInTimeRecoveryStatus"] != "ENABLED":
        return failed("point-in-time recovery is off")
    if "EarliestRestorableDateTime" not in backups:
        return not_tried("DynamoDB names no moment yet")
    return proven(f"any moment since {backups['EarliestRestorableDateTime']:%Y-%m-%d %H:%M}")


def batches_are_read(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether both mappings run, and with what they ask of failed records."""
    mappings = [
        mapping
        for page in deployment.client("lambda").get_paginator("list_event_source_mappings").paginate()
        for mapping in page["EventSourceMappings"]
        if mapping["FunctionArn"].split(":")[6] in {f"{deployment.prefix}-{function}" for function in FUNCTIONS}
    ]
    if len(mappings) != 2:
        return failed(f"there are {len(mappings)} event source mappings instead of 2")
    for mapping in mappings:
        function = mapping["FunctionArn"].split(":")[6]
        result = mapping.get("LastProcessingResult", "")
        if mapping["State"] != "Enabled":
            return failed(f"the mapping of {function} is {mapping['State']}")
        if result.startswith("PROBLEM"):
            return failed(f"the mapping of {function} reports: {result}")
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            return failed(f"the mapping of {function} does not ask which records failed")
    stream = next(mapping for mapping in mappings if "/stream/" in mapping["EventSourceArn"])
    if not stream.get("BisectBatchOnFunctionError") or stream.get("MaximumRetryAttempts") != 10:
        return failed("the stream's mapping does not split failing batches, or tries them for ever")
    return proven("both mappings run, and the stream's splits failing batches and gives up after ten retries")


def plain_http_is_refused(deployment: Deployment, progress: Progress) -> Outcome:
    """Ask the queues for their attributes without TLS, which SQS offers and the queues' policies refuse."""
    if deployment.endpoint_url:
        return not_tried("an endpoint of one's own has no second, unencrypted address")
    sqs = deployment.client("sqs", use_ssl=False)
    for output in ("orders_queue_url", "orders_dlq_url", "notifications_dlq_url"):
        try:
            sqs.get_queue_attributes(QueueUrl=deployment.outputs[output], AttributeNames=["QueueArn"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
                raise
        else:
            return failed(f"{deployment.queue_name(output)} answered without TLS")
    return proven("all three queues refuse a request without TLS")


def key_encrypts_every_store(deployment: Deployment, progress: Progress) -> Outcome:
    """Look whether a key of the shop's own is on every store of data, if it is on one."""
    keys = _keys(deployment)
    if not any(keys.values()):
        return not_tried("this deployment has no key of its own (kms_key_arn)")
    if len(set(keys.values())) > 1:
        return failed(f"not encrypted with the same key: {', '.join(sorted(keys))}")
    [key] = set(keys.values())
    table = deployment.client("dynamodb").describe_table(TableName=deployment.outputs["orders_table_name"])["Table"]
    # Without a key of the shop's own, this is the one that AWS manages for DynamoDB.
    if table.get("SSEDescription", {}).get("KMSMasterKeyArn") != key:
        return failed("the table is not encrypted with the key of all other stores")
    metadata = deployment.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    if metadata["KeyState"] != "Enabled":
        return failed(f"the key is {metadata['KeyState']}")
    return proven(f"{len(keys) + 1} stores are encrypted with one key, which is enabled")


def _keys(deployment: Deployment) -> dict[str, str | None]:
    sqs, sns, logs = (deployment.client(service) for service in ("sqs", "sns", "logs"))
    keys: dict[str, str | None] = {}
    for output in ("orders_queue_url", "orders_dlq_url", "notifications_dlq_url"):
        attributes = sqs.get_queue_attributes(QueueUrl=deployment.outputs[output], AttributeNames=["All"])["Attributes"]
        keys[output] = attributes.get("KmsMasterKeyId")
    for output in ("alerts_topic_arn", "order_completed_topic_arn"):
        attributes = sns.get_topic_attributes(TopicArn=deployment.outputs[output])["Attributes"]
        keys[output] = attributes.get("KmsMasterKeyId")
    for name in (*map(deployment.log_group, FUNCTIONS), deployment.access_log):
        groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        keys[name] = next((group.get("kmsKeyId") for group in groups if group["logGroupName"] == name), None)
    for function in FUNCTIONS:
        configuration = deployment.client("lambda").get_function_configuration(
            FunctionName=f"{deployment.prefix}-{function}"
        )
        keys[function] = configuration.get("KMSKeyArn")
    return keys
