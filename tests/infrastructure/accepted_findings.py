"""What checkov finds in the infrastructure and is left as it is, each with the reason.

Where the remedy costs money or needs something that only the shop has, the reason names the variable that turns it on.
"""

from collections.abc import Mapping
from typing import Final

Findings = Mapping[str, str]
"""Reasons by the id of the check."""

FRONTEND_ALWAYS: Final[Findings] = {
    "CKV_AWS_290": "Session Manager's actions know no resource that could be named before the instance is there",
    "CKV_AWS_355": "Session Manager's actions know no resource that could be named before the instance is there",
}

FRONTEND_BY_DEFAULT: Final[Findings] = {
    "CKV_AWS_2": "plain HTTP until there is a certificate: certificate_arn (a check warns)",
    "CKV_AWS_103": "no TLS, and so no version of it, until there is a certificate: certificate_arn",
    "CKV2_AWS_20": "no redirect to HTTPS until there is a certificate: certificate_arn",
    "CKV_AWS_378": "no TLS at the load balancer until there is a certificate: certificate_arn",
    "CKV_AWS_260": "a shop is open to everybody; for a stage that is not: allowed_cidrs",
    "CKV_AWS_88": "public addresses with closed ports save the price of NAT gateways: instances_are_private",
    "CKV_AWS_91": "records of requests are paid by volume and need a bucket: access_log_bucket",
    "CKV_AWS_150": "protected in prod only, so that others can be thrown away: deletion_protection_enabled",
    "CKV2_AWS_11": "flow logs are paid by volume: flow_logs_enabled",
    "CKV2_AWS_28": "a web application firewall is paid by the month and by request: web_acl_arn",
}

FRONTEND_WITH_EVERY_OPTION: Final[Findings] = {
    "CKV_AWS_378": "the listener is HTTPS; checkov does not connect a listener and a target group of different modules",
    "CKV_AWS_158": "flow logs hold addresses and ports and are encrypted with the key of CloudWatch Logs",
    "CKV2_AWS_76": "which rules the web ACL has is the affair of whoever gives its ARN; no web server runs Java",
}

BACKEND_ALWAYS: Final[Findings] = {
    "CKV_AWS_116": (
        "a function's own dead-letter queue is for asynchronous invocations, of which there are none: what fails stays "
        "with the orders queue, with the stream's mapping, or is answered to the client"
    ),
    "CKV_AWS_117": (
        "the functions call AWS APIs only, which are as public from a VPC; inside one they would need endpoints or NAT "
        "gateways, paid by the hour, to protect nothing that listens"
    ),
    "CKV_AWS_272": (
        "code signing wants a signing profile and a bucket of the shop's own; the package's hash is in the plan, and who "
        "may update a function is who may deploy"
    ),
}

BACKEND_BY_DEFAULT: Final[Findings] = {
    "CKV_AWS_26": "AWS's own key for SNS refuses CloudWatch, and alarms would go nowhere: kms_key_arn",
    "CKV_AWS_119": "the table is encrypted with AWS's key; one of the shop's own is paid by month and use: kms_key_arn",
    "CKV_AWS_158": "logs are encrypted with AWS's key, and hold no order's content: kms_key_arn",
    "CKV_AWS_309": "a shop takes orders from everybody; to ask for a token: jwt_issuer",
    "CKV_AWS_338": "logs are kept for thirty days, for more days cost more: log_retention_days",
}

TEMPLATE_ALWAYS: Final[Findings] = {
    "CKV_AWS_115": (
        "no concurrency is reserved for status and notification: nothing is lost when they wait, and a reservation takes "
        "from all others"
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
"""All that may be found, by what is looked at."""
