"""What checkov finds in the frontend and is left as it is, each with the reason.

Where the remedy costs money or needs something that only the shop has, the reason names the variable that turns it on.
"""

from typing import Final

ALWAYS: Final = {
    "CKV_AWS_290": "Session Manager's actions know no resource that could be named before the instance is there",
    "CKV_AWS_355": "Session Manager's actions know no resource that could be named before the instance is there",
}
"""Findings in every deployment."""

BY_DEFAULT: Final = {
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
"""Findings that go away with the variable that the reason names."""

WITH_EVERYTHING_ON: Final = {
    "CKV_AWS_158": "flow logs hold addresses and ports and are encrypted with the key of CloudWatch Logs",
    "CKV2_AWS_76": "which rules the web ACL has is the affair of whoever gives its ARN; no web server runs Java",
}
"""Findings in what is there only on request."""
