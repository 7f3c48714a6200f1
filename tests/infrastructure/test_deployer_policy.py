"""docs/deployer-policy.json allows only the calls of both deployments.

Terraform applies and destroys with it in test_backend_apply.py. CloudFormation calls AWS with the caller's permissions,
which the emulator does not check; the schemas of the resource types list these calls.
"""

import json

from infrastructure.conftest import DEPLOYER_POLICY as POLICY
from infrastructure.test_invariants import as_list
from support.repository.cloudformation import Template

# Prefixes of actions for features that this template does not use, such as VPCs, global tables, layers and gradual
# deployments.
NOT_USED = """
    codedeploy: dynamodb:AssociateTableReplica dynamodb:BatchWriteItem dynamodb:CreateTableReplica
    dynamodb:DeleteItem dynamodb:DeleteResourcePolicy dynamodb:DescribeImport
    dynamodb:DisableKinesisStreamingDestination dynamodb:EnableKinesisStreamingDestination dynamodb:GetItem
    dynamodb:ImportTable dynamodb:PutItem dynamodb:PutResourcePolicy dynamodb:Query dynamodb:Scan
    dynamodb:UpdateContributorInsights dynamodb:UpdateItem dynamodb:UpdateKinesisStreamingDestination
    dynamodb:UpdateTimeToLive ec2: elasticfilesystem: firehose: iam:AttachRolePolicy iam:CreateServiceLinkedRole
    iam:DetachRolePolicy kinesis: kms:ListAliases kms:RevokeGrant lambda:AssociateRuntimeAlias
    lambda:DeleteFunctionCodeSigningConfig lambda:DeleteProvisionedConcurrencyConfig lambda:GetCodeSigningConfig
    lambda:GetFunctionRecursionConfig lambda:GetFunctionScalingConfig lambda:GetLayerVersion
    lambda:PassCapacityProvider lambda:PutFunctionCodeSigningConfig lambda:PutFunctionRecursionConfig
    lambda:PutFunctionScalingConfig lambda:PutProvisionedConcurrencyConfig lambda:PutRuntimeManagementConfig
    logs:CreateLogStream logs:DeleteDataProtectionPolicy logs:DeleteIndexPolicy logs:DeleteResourcePolicy
    logs:DescribeIndexPolicies logs:DescribeLogStreams logs:GetDataProtectionPolicy
    logs:PutBearerTokenAuthentication logs:PutDataProtectionPolicy logs:PutIndexPolicy logs:PutLogEvents
    logs:PutLogGroupDeletionProtection s3:GetObjectMetadata s3:GetObjectVersion s3:ListBucket s3:REST.PUT.OBJECT
    s3:getObject s3files: sns:PutDataProtectionPolicy
"""

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
LOG_DELIVERY = {
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Delete", "Get", "Update")),
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
}

# `aws cloudformation package`, `deploy` and `delete-stack`.
BY_THE_CLI = {
    *(f"cloudformation:{verb}ChangeSet" for verb in ("Create", "Describe", "Execute")),
    *(f"cloudformation:{name}" for name in ("DeleteStack", "DescribeStackEvents", "DescribeStacks")),
    "cloudformation:GetTemplate",  # the runbook
    "s3:GetObject",
    "s3:PutObject",
}

# Actions that only Terraform's provider calls.
BY_TERRAFORM = {"iam:ListInstanceProfilesForRole"}


STATEMENTS = json.loads(POLICY.read_text(encoding="utf-8"))["Statement"]


def test_policy_allows_every_call_of_both_deployments_and_nothing_else() -> None:
    # Imported here because it takes a second, in each process of a test run.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    types = {resource["Type"] for resource in Template.read().document["Resources"].values()}
    declared = {
        action
        for kind in types
        for handler in ("create", "read", "update", "delete")
        for action in PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind)
        .schema["handlers"]
        .get(handler, {})
        .get("permissions", [])
    }
    not_used = NOT_USED.split()
    unused = {prefix for prefix in not_used if not any(action.startswith(prefix) for action in declared)}
    assert not unused, "remove these: no resource type declares them"
    needed = {action for action in declared if not any(action.startswith(prefix) for prefix in not_used)}
    needed |= LOG_DELIVERY | BY_THE_CLI | BY_TERRAFORM
    assert {action for each in STATEMENTS for action in as_list(each["Action"])} == needed


def test_policy_fits_a_managed_policy_and_limits_wildcard_resources() -> None:
    policy = json.loads(POLICY.read_text(encoding="utf-8"))
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
    unrestricted = {each["Sid"] for each in STATEMENTS if each["Resource"] == "*"}
    assert unrestricted == {"DeliverAccessLogs", "ReadDomainChanges", "ManageEventSources", "ManageSubscriptions"}, (
        "actions without an ARN"
    )
    # CloudWatch authorizes DescribeAlarms on all alarms: https://github.com/mattclay/aws-terminator/pull/63
    [resource] = [each["Resource"] for each in STATEMENTS if each["Action"] == "cloudwatch:DescribeAlarms"]
    assert resource.endswith(":alarm:*")
