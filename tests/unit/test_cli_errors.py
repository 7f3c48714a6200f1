"""Every AWS error is reported as one sentence with a remedy, without content of the request."""

import pytest
from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from orders_cli.errors import sentence_about
from support.stub_aws.sqs import aws_error

DENIED = (
    "User: arn:aws:iam::123456789012:user/eve is not authorized to perform: sqs:ReceiveMessage on resource: "
    "arn:aws:sqs:eu-central-1:123456789012:orders-dlq because no identity-based policy allows it"
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (aws_error("ExpiredToken"), "AWS rejected your credentials (ExpiredToken): log in again"),
        (aws_error("SignatureDoesNotMatch"), "AWS rejected your credentials"),
        (
            aws_error("AccessDenied", message=DENIED),
            "is not allowed to do this: it lacks sqs:ReceiveMessage. Ask for docs/operator-policy.json",
        ),
        (aws_error("AccessDeniedException", "Query"), "is not allowed to do this: it lacks the action of Query."),
        (aws_error("KMS.AccessDeniedException"), "is not allowed to do this"),
        (aws_error("ThrottlingException", "FilterLogEvents"), "AWS throttles FilterLogEvents"),
        (aws_error("ProvisionedThroughputExceededException"), "AWS throttles"),
        (aws_error("AWS.SimpleQueueService.NonExistentQueue"), "found nothing"),
        (aws_error("ResourceNotFoundException"), "found nothing"),
        (aws_error("SomethingNew", "Invoke", message="secret"), "AWS rejected Invoke with SomethingNew."),
        (aws.NoCredentialsError(), "AWS credentials are missing or incomplete"),
        (aws.CredentialRetrievalError(provider="process", error_msg="secret"), "AWS credentials are missing"),
        (aws.NoRegionError(), "No AWS region is set: give --region"),
        (aws.ProfileNotFound(profile="nobody"), "The config profile (nobody) could not be found: choose one"),
        (aws.SSOTokenLoadError(error_msg="secret"), "Your AWS session is no longer valid: log in again"),
        (aws.EndpointConnectionError(endpoint_url="https://sqs.example"), "https://sqs.example does not respond"),
        (aws.SSLError(endpoint_url="https://sqs.example", error="secret"), "does not respond (SSLError)"),
        (aws.UnknownServiceError(service_name="x", known_service_names="y"), "The call to AWS failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_aws_error_is_reported_in_one_sentence(error: ClientError | BotoCoreError, sentence: str) -> None:
    text = sentence_about(error)
    assert sentence in text
    assert "secret" not in text
    assert "\n" not in text
