"""SNS subscriptions by HTTPS: Subscribe returns the ARN before they are confirmed, if it is asked to.

Terraform reads the subscription by it. ministack 1.5.33 ignores ReturnSubscriptionArn.
https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

from typing import Any

from ministack.services import sns

_subscribe = sns._subscribe


def patch_subscriptions() -> None:
    """Let Subscribe follow ReturnSubscriptionArn."""
    sns._subscribe = _subscribe_with_arn


def _subscribe_with_arn(params: Any) -> Any:
    status, headers, body = _subscribe(params)
    if status == 200 and sns._p(params, "ReturnSubscriptionArn") == "true":
        topic, _ = sns._get_topic(sns._p(params, "TopicArn"))
        [arn] = [
            each["arn"]
            for each in topic["subscriptions"]
            if (each["protocol"], each["endpoint"]) == (sns._p(params, "Protocol"), sns._p(params, "Endpoint"))
        ]
        body = body.replace(b"pending confirmation", arn.encode())
    return status, headers, body
