"""Every error of AWS is one sentence with a remedy, without anything that was sent."""

import pytest
from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from orders_cli.errors import sentence_about
from support.stub_aws.sqs import refusal

DENIED = (
    "User: arn:aws:iam::123456789012:user/eve is not authorized to perform: sqs:ReceiveMessage on resource: "
    "arn:aws:sqs:eu-central-1:123456789012:orders-dlq because no identity-based policy allows it"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal("ExpiredToken"), "Your AWS credentials have expired: log in again"),
        (refusal("ExpiredTokenException"), "Your AWS credentials have expired: log in again"),
        (refusal("RequestExpired"), "Your AWS credentials have expired: log in again"),
        (refusal("InvalidClientTokenId"), "AWS rejected your credentials (InvalidClientTokenId): log in again"),
        (refusal("SignatureDoesNotMatch"), "AWS rejected your credentials"),
        (
            refusal("AccessDenied", message=DENIED),
            "is not allowed to do this: it lacks sqs:ReceiveMessage. Ask for docs/operator-policy.json",
        ),
        (refusal("AccessDeniedException", "Query"), "is not allowed to do this: it lacks the action of Query."),
        (refusal("KMS.AccessDeniedException"), "is not allowed to do this"),
        (refusal("ThrottlingException", "FilterLogEvents"), "AWS throttles FilterLogEvents"),
        (refusal("RequestThrottled"), "AWS throttles"),
        (refusal("ProvisionedThroughputExceededException"), "AWS throttles"),
        (refusal("TooManyRequestsException"), "AWS throttles"),
        (refusal("OverLimit"), "AWS throttles"),
        (refusal("AWS.SimpleQueueService.NonExistentQueue"), "found nothing"),
        (refusal("ResourceNotFoundException"), "found nothing"),
        (refusal("SomethingNew", "Invoke", message="secret"), "AWS refused Invoke with SomethingNew."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusal_is_a_sentence(error: ClientError, said: str) -> None:
    sentence = sentence_about(error)
    assert said in sentence
    assert sentence.endswith(".")
    assert "secret" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aws.NoCredentialsError(), "AWS credentials are missing or incomplete"),
        (
            aws.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"),
            "AWS credentials are missing or incomplete",
        ),
        (
            aws.CredentialRetrievalError(provider="process", error_msg="secret"),
            "AWS credentials are missing or incomplete",
        ),
        (aws.NoRegionError(), "No AWS region is set: give --region"),
        (aws.ProfileNotFound(profile="nobody"), "The config profile (nobody) could not be found: choose one"),
        (aws.UnauthorizedSSOTokenError(), "Your AWS session is no longer valid: log in again"),
        (aws.SSOTokenLoadError(error_msg="secret"), "Your AWS session is no longer valid"),
        (aws.TokenRetrievalError(provider="sso", error_msg="secret"), "Your AWS session is no longer valid"),
        (aws.EndpointConnectionError(endpoint_url="https://sqs.example"), "https://sqs.example does not answer"),
        (aws.ConnectTimeoutError(endpoint_url="https://sqs.example"), "does not answer (ConnectTimeoutError)"),
        (aws.ReadTimeoutError(endpoint_url="https://sqs.example"), "does not answer (ReadTimeoutError)"),
        (aws.SSLError(endpoint_url="https://sqs.example", error="secret"), "does not answer (SSLError)"),
        (aws.UnknownServiceError(service_name="x", known_service_names="y"), "The call to AWS failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_missing_answer_is_a_sentence(error: BotoCoreError, said: str) -> None:
    sentence = sentence_about(error)
    assert said in sentence
    assert "secret" not in sentence
