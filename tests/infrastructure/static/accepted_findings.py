"""Accepted checkov findings with their reasons.

If a fix costs money or depends on the shop's account, the reason names the variable that enables it.
"""

from collections.abc import Mapping
from typing import Final

Findings = Mapping[str, str]
"""Reasons by check ID."""

FRONTEND_ALWAYS: Final[Findings] = {
    "CKV_AWS_290": "Session Manager's actions accept no resource that is known before the instance exists",
    "CKV_AWS_355": "Session Manager's actions accept no resource that is known before the instance exists",
}

FRONTEND_BY_DEFAULT: Final[Findings] = {
    "CKV_AWS_2": "plain HTTP until there is a certificate: certificate_arn (a check warns)",
    "CKV_AWS_103": "no TLS version to enforce until there is a certificate: certificate_arn",
    "CKV2_AWS_20": "no redirect to HTTPS until there is a certificate: certificate_arn",
    "CKV_AWS_378": "no TLS at the load balancer until there is a certificate: certificate_arn",
    "CKV_AWS_260": "a shop is public; to restrict access to a test environment: allowed_cidrs",
    "CKV_AWS_88": "public addresses with closed ports avoid the cost of NAT gateways: instances_are_private",
    "CKV_AWS_91": "access logs are billed by volume and need a bucket: access_log_bucket",
    "CKV_AWS_150": "protected in prod only, so that other environments can be deleted: deletion_protection_enabled",
    "CKV2_AWS_11": "flow logs are billed by volume: flow_logs_enabled",
    "CKV2_AWS_28": "a web application firewall is billed per month and per request: web_acl_arn",
}

FRONTEND_WITH_EVERY_OPTION: Final[Findings] = {
    "CKV_AWS_378": "the listener is HTTPS; checkov does not connect a listener and a target group of different modules",
    "CKV_AWS_158": "flow logs hold addresses and ports and are encrypted with the key of CloudWatch Logs",
    "CKV2_AWS_76": "the owner of the web ACL chooses its rules; no web server runs Java",
}

BACKEND_ALWAYS: Final[Findings] = {
    "CKV_AWS_116": (
        "a function's dead-letter queue receives failed asynchronous invocations only, and there are none; failures stay in "
        "the orders queue or in the stream's mapping, or are returned to the client"
    ),
    "CKV_AWS_117": (
        "the functions only call AWS APIs and listen on no port, so a VPC protects nothing; they would need endpoints or "
        "NAT gateways, which are billed per hour"
    ),
    "CKV_AWS_272": (
        "code signing needs a signing profile and a bucket of the shop; the plan shows the package's hash, and only the "
        "deployer may update a function"
    ),
}

BACKEND_BY_DEFAULT: Final[Findings] = {
    "CKV_AWS_26": "the AWS managed key for SNS denies CloudWatch, so alarms would not be delivered: kms_key_arn",
    "CKV_AWS_119": "the table is encrypted with an AWS key; a customer managed key is billed per month and per use: kms_key_arn",
    "CKV_AWS_158": "logs are encrypted with an AWS key and contain no order content: kms_key_arn",
    "CKV_AWS_309": "a shop accepts orders from anyone; to require a token: jwt_issuer",
    "CKV_AWS_338": "logs are retained for thirty days, because longer retention costs more: log_retention_days",
}

TEMPLATE_ALWAYS: Final[Findings] = {
    "CKV_AWS_115": (
        "no concurrency is reserved for status and notification: nothing is lost when they are throttled, and a reservation "
        "reduces what other functions can use"
    ),
    "CKV_AWS_116": BACKEND_ALWAYS["CKV_AWS_116"],
    "CKV_AWS_117": BACKEND_ALWAYS["CKV_AWS_117"],
}

ACCEPTED: Final[Mapping[str, Findings]] = {
    "terraform-frontend by default": {**FRONTEND_ALWAYS, **FRONTEND_BY_DEFAULT},
    "terraform-frontend with every option": {**FRONTEND_ALWAYS, **FRONTEND_WITH_EVERY_OPTION},
    "terraform-backend by default": {**BACKEND_ALWAYS, **BACKEND_BY_DEFAULT},
    "terraform-backend with every option": BACKEND_ALWAYS,
    "cloudformation": TEMPLATE_ALWAYS,
}
"""Accepted findings by document."""
