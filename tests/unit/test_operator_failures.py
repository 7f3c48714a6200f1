"""Every way in which AWS says no is one sentence that says what to do, and nothing that was sent is in it."""

import pytest
from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from fake_aws.sqs import refusal
from orders_cli.errors import sentence_about

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
        (refusal("InvalidClientTokenId"), "AWS does not know your credentials (InvalidClientTokenId): log in again"),
        (refusal("SignatureDoesNotMatch"), "AWS does not know your credentials"),
        (refusal("AccessDenied", message=DENIED), "may not do this: it lacks sqs:ReceiveMessage."),
        (refusal("AccessDeniedException", "Query"), "may not do this: it lacks the action of Query."),
        (refusal("KMS.AccessDeniedException"), "may not do this"),
        (refusal("ThrottlingException", "FilterLogEvents"), "AWS is throttling FilterLogEvents"),
        (refusal("RequestThrottled"), "AWS is throttling"),
        (refusal("ProvisionedThroughputExceededException"), "AWS is throttling"),
        (refusal("TooManyRequestsException"), "AWS is throttling"),
        (refusal("OverLimit"), "AWS is throttling"),
        (refusal("AWS.SimpleQueueService.NonExistentQueue"), "found nothing there"),
        (refusal("ResourceNotFoundException"), "found nothing there"),
        (refusal("SomethingNew", "Invoke", message="secret"), "Invoke was refused by AWS with SomethingNew."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_is_a_sentence(error: ClientError, said: str) -> None:
    sentence = sentence_about(error)
    assert said in sentence
    assert sentence.endswith(".")
    assert "secret" not in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aws.NoCredentialsError(), "There are no AWS credentials"),
        (aws.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"), "or only parts of them"),
        (aws.CredentialRetrievalError(provider="process", error_msg="secret"), "There are no AWS credentials"),
        (aws.NoRegionError(), "No AWS region is chosen: give --region"),
        (aws.ProfileNotFound(profile="nobody"), "The config profile (nobody) could not be found: name one"),
        (aws.UnauthorizedSSOTokenError(), "Your AWS session is not valid any more: log in again"),
        (aws.SSOTokenLoadError(error_msg="secret"), "Your AWS session is not valid any more"),
        (aws.TokenRetrievalError(provider="sso", error_msg="secret"), "Your AWS session is not valid any more"),
        (aws.EndpointConnectionError(endpoint_url="https://sqs.example"), "https://sqs.example does not answer"),
        (aws.ConnectTimeoutError(endpoint_url="https://sqs.example"), "does not answer (ConnectTimeoutError)"),
        (aws.ReadTimeoutError(endpoint_url="https://sqs.example"), "does not answer (ReadTimeoutError)"),
        (aws.SSLError(endpoint_url="https://sqs.example", error="secret"), "does not answer (SSLError)"),
        (aws.UnknownServiceError(service_name="x", known_service_names="y"), "AWS could not be asked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_answer_is_a_sentence(error: BotoCoreError, said: str) -> None:
    sentence = sentence_about(error)
    assert said in sentence
    assert "secret" not in sentence
