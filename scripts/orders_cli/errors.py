"""Errors: what is wrong, then what to do."""

import re

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

FAILED = 1
NOT_FOUND = 3


class OperatorError(Exception):
    def __init__(self, sentence: str, exit_status: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_status = exit_status


_LOG_IN = "log in again, e.g. with `aws sso login`, or choose another profile with --profile"

# The first pattern that matches the error code applies.
_REJECTIONS = (
    (
        r"Expired|AuthFailure|IncompleteSignature|InvalidAccessKeyId|InvalidClientTokenId|InvalidSignature"
        r"|MissingAuthenticationToken|SignatureDoesNotMatch|TokenRefreshRequired|UnrecognizedClient",
        f"AWS rejected your credentials ({{code}}): {_LOG_IN}.",
    ),
    (
        r"AccessDenied|UnauthorizedOperation|NotAuthorized|KMS\.\w*Denied|InvalidSecurity",
        "Your AWS identity is not allowed to do this: it lacks {action}. Ask for docs/operator-policy.json "
        "(`orders erase` also needs docs/erasure-policy.json), or use another profile.",
    ),
    (
        r"Throttl|TooManyRequests|RequestLimitExceeded|ProvisionedThroughput|SlowDown|OverLimit",
        "AWS throttles {call} ({code}), even after several retries: wait a moment and run this again.",
    ),
    (
        r"NotFound|NonExistentQueue|QueueDoesNotExist|NoSuch",
        "{call} found nothing ({code}): the system was deleted or is only partly deployed. Check that the line above "
        "names the right one.",
    ),
    ("", "AWS rejected {call} with {code}."),
)

# AWS's message names the missing action: "… is not authorized to perform: sqs:ReceiveMessage on resource …".
_ACTION = re.compile(r"perform(?:ing)?:? ([a-z0-9-]+:[A-Za-z0-9*]+)")


def sentence_about(error: BotoCoreError | ClientError) -> str:
    """Return a sentence about a failed AWS call, without text that could quote the request."""
    if not isinstance(error, ClientError):
        return _about_no_response(error)
    code, call = error_code(error), error.operation_name
    named = _ACTION.search(str(error.response.get("Error", {}).get("Message", "")))
    sentence = next(sentence for pattern, sentence in _REJECTIONS if re.search(pattern, code))
    return sentence.format(code=code, call=call, action=named[1] if named else f"the action of {call}")


def _about_no_response(error: BotoCoreError) -> str:
    match error:
        case aws.ProfileNotFound():
            return f"{error}: choose one of `aws configure list-profiles`, with --profile or AWS_PROFILE."
        case aws.NoRegionError():
            return "No AWS region is set: give --region, or set AWS_REGION, or a region in your profile."
        case aws.NoCredentialsError() | aws.PartialCredentialsError() | aws.CredentialRetrievalError():
            return "AWS credentials are missing or incomplete: log in, e.g. with `aws sso login`, or set AWS_PROFILE."
        case aws.SSOError() | aws.TokenRetrievalError() | aws.NoAuthTokenError() | aws.LoginError():
            return f"Your AWS session is no longer valid: {_LOG_IN}."
        case aws.ConnectionError() | aws.HTTPClientError():
            where = getattr(error, "kwargs", {}).get("endpoint_url", "AWS")
            return (
                f"{where} does not respond ({type(error).__name__}): check the network, the region and "
                "AWS_ENDPOINT_URL. A local stack is started with `make run`."
            )
        case _:
            return f"The call to AWS failed ({type(error).__name__}): {error}"


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
