"""Errors: what is wrong, then what to do."""

import re
from typing import Any

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

FAILED = 1
NOT_FOUND = 3
INTERRUPTED = 130


class OperatorError(Exception):
    def __init__(self, sentence: str, exit_status: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_status = exit_status


_EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_CALLER_CODES = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED = re.compile(r"AccessDenied|UnauthorizedOperation|NotAuthorized|KMS\.\w*Denied|InvalidSecurity")
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|ProvisionedThroughput|SlowDown|OverLimit")
_MISSING = re.compile(r"NotFound|NonExistentQueue|QueueDoesNotExist|NoSuch")

# AWS's message names the missing action: "… is not authorized to perform: sqs:ReceiveMessage on resource …".
_ACTION = re.compile(r"perform(?:ing)?:? ([a-z0-9-]+:[A-Za-z0-9*]+)")

_LOG_IN = "log in again, e.g. with `aws sso login`, or choose another profile with --profile"


def sentence_about(error: BotoCoreError | ClientError) -> str:
    """Return a failed call of AWS as a sentence for the operator, without text that could quote what was sent."""
    return _about_refusal(error) if isinstance(error, ClientError) else _about_no_answer(error)


def _about_refusal(error: ClientError) -> str:
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    call = error.operation_name
    if code in _EXPIRED_CODES:
        return f"Your AWS credentials have expired: {_LOG_IN}."
    if code in _UNKNOWN_CALLER_CODES:
        return f"AWS rejected your credentials ({code}): {_LOG_IN}."
    if _DENIED.search(code):
        action = _ACTION.search(message)
        missing = action[1] if action else f"the action of {call}"
        return (
            f"Your AWS identity is not allowed to do this: it lacks {missing}. Ask for docs/operator-policy.json, "
            "or use another profile."
        )
    if _THROTTLED.search(code):
        return f"AWS throttles {call} ({code}), even after several retries: wait a moment and run this again."
    if _MISSING.search(code):
        return (
            f"{call} found nothing ({code}): the system was deleted or is only partly deployed. Check that the line "
            "above names the right one."
        )
    return f"AWS refused {call} with {code}."


def _about_no_answer(error: BotoCoreError) -> str:
    if isinstance(error, aws.ProfileNotFound):
        return f"{error}: choose one of `aws configure list-profiles`, with --profile or AWS_PROFILE."
    if isinstance(error, aws.NoRegionError):
        return "No AWS region is set: give --region, or set AWS_REGION, or a region in your profile."
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError | aws.CredentialRetrievalError):
        return (
            "AWS credentials are missing or incomplete: log in, e.g. with `aws sso login`, set AWS_PROFILE, or start "
            "the local stack with `make run`."
        )
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.NoAuthTokenError | aws.LoginError):
        return f"Your AWS session is no longer valid: {_LOG_IN}."
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError):
        where = getattr(error, "kwargs", {}).get("endpoint_url", "AWS")
        return f"{where} does not answer ({type(error).__name__}): check the network, the region and AWS_ENDPOINT_URL."
    return f"The call to AWS failed ({type(error).__name__}): {error}"


def error_code(error: ClientError) -> str:
    details: dict[str, Any] = error.response.get("Error", {})
    return str(details.get("Code", "unknown"))
