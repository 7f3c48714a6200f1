"""A hostile web page and another user of the machine cannot use the running local stack."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from playwright.sync_api import Browser, Page

from local_stack import LocalStack
from local_stack.aws import NOBODY, Credentials

HOSTILE = "hostile"

# Query parameters that an attacker can guess.
GUESSED = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "test/20250425/us-east-1/iam/aws4_request",
    "X-Amz-Date": "20250425T100000Z",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "0" * 64,
}


@dataclass(frozen=True)
class Attempt:
    """A request of the hostile page."""

    method: str
    url: str
    body: str | None = None

    def at(self, host: str) -> "Attempt":
        """Return the same request to another host name of the machine."""
        parts = urlsplit(self.url)
        return replace(self, url=parts._replace(netloc=f"{host}:{parts.port}").geturl())


def attempts(stack: LocalStack) -> Iterator[Attempt]:
    aws, api = stack.endpoint_url, stack.api_url
    trust = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}
    role = {"Action": "CreateRole", "RoleName": HOSTILE, "AssumeRolePolicyDocument": json.dumps(trust)}
    message = {"Action": "SendMessage", "QueueUrl": stack.outputs["orders_queue_url"], "MessageBody": HOSTILE}
    function = {"FunctionName": HOSTILE, "Runtime": "python3.13", "Handler": "a.b", "Role": "arn:aws:iam::0:role/x"}
    order = {"customer_id": HOSTILE, "product_id": "Banana", "quantity": 1, "order_date": "2025-04-25"}
    existing = f"{stack.settings.project}-{stack.settings.environment}-processing"
    yield Attempt("POST", f"{aws}/", urlencode(role))
    yield Attempt("POST", f"{aws}/?{urlencode(GUESSED)}", urlencode(role))
    yield Attempt("POST", f"{aws}/", urlencode(message))
    yield Attempt("POST", f"{aws}/2015-03-31/functions", json.dumps(function))
    yield Attempt("POST", f"{aws}/2015-03-31/functions/{existing}/invocations?{urlencode(GUESSED)}", "{}")
    yield Attempt("POST", f"{aws}/_ministack/reset")
    yield Attempt("GET", f"{aws}/_ministack/sqs/messages")
    yield Attempt("POST", f"{api}/orders", json.dumps(order))
    yield Attempt("GET", f"{api}/orders/00000000-0000-8000-8000-000000000000")


SEND = """async ({method, url, body, mode, headers}) => {
  try {
    const answer = await fetch(url, {method, body: body ?? undefined, mode, headers});
    return answer.type === "opaque" ? "unreadable" : `${answer.status} ${await answer.text()}`;
  } catch { return "unreadable"; }
}"""

SUBMIT_FORM = """({method, url, body}) => new Promise((resolve) => {
  const frame = Object.assign(document.createElement("iframe"), {name: "target", onload: resolve});
  const form = Object.assign(document.createElement("form"), {method, action: url, target: "target", enctype: "text/plain"});
  const input = Object.assign(document.createElement("input"), {name: body ?? "", value: ""});
  form.append(input);
  document.body.append(frame, form);
  form.submit();
})"""


@dataclass
class HostilePage:
    """A page of another origin, and the status codes of the responses to its requests."""

    page: Page
    statuses: list[int]

    def answers(self, attempt: Attempt) -> list[str]:
        """Send a request in every way that a page can; return the responses that it can read."""
        sent = {"method": attempt.method, "url": attempt.url, "body": attempt.body}
        text = {"Content-Type": "text/plain"} if attempt.body else {}
        form = {"Content-Type": "application/x-www-form-urlencoded"} if attempt.body else {}
        signed = {"Content-Type": "application/json", "Authorization": "AWS4-HMAC-SHA256 Credential=test/1/2/3/4"}
        ways = [("no-cors", text), ("no-cors", form), ("cors", text), ("cors", signed)]
        answers = [str(self.page.evaluate(SEND, {**sent, "mode": mode, "headers": each})) for mode, each in ways]
        self.page.evaluate(SUBMIT_FORM, sent)
        return answers


@pytest.fixture(scope="module")
def hostile_page(chromium: Browser, chromium_options: dict[str, Any]) -> Iterator[Callable[[str], HostilePage]]:
    """Return a function that opens an empty page of an origin. Only its document is mocked."""
    # Disable Chromium's protection of loopback, because not every browser has it.
    features = "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,HttpsUpgrades"
    browser = chromium.browser_type.launch(
        executable_path=chromium_options["executable_path"], args=[*chromium_options["args"], features]
    )
    context = browser.new_context()
    context.route("**/hostile", lambda route: route.fulfill(content_type="text/html", body="<title>Win</title><body>"))

    def opened(origin: str) -> HostilePage:
        page = context.new_page()
        page.goto(f"{origin}/hostile")
        hostile = HostilePage(page, [])
        page.on("response", lambda answer: hostile.statuses.append(answer.status))
        return hostile

    yield opened
    browser.close()


def effects(stack: LocalStack) -> dict[str, Any]:
    """Return the resources that a successful attempt would create."""
    messages = stack.client("sqs").receive_message(
        QueueUrl=stack.outputs["orders_dlq_url"], VisibilityTimeout=0, WaitTimeSeconds=0, MaxNumberOfMessages=10
    )
    orders = stack.client("dynamodb").scan(TableName=stack.outputs["orders_table_name"])["Items"]
    return {
        "roles": [role["RoleName"] for role in stack.client("iam").list_roles()["Roles"]],
        "functions": [function["FunctionName"] for function in stack.client("lambda").list_functions()["Functions"]],
        "orders": [order["order_id"] for order in orders if order["customer_id"]["S"] == HOSTILE],
        "messages": [each["Body"] for each in messages.get("Messages", []) if HOSTILE in each["Body"]],
    }


def test_page_of_another_origin_has_no_access(
    hostile_page: Callable[[str], HostilePage], local_stack: LocalStack
) -> None:
    before = effects(local_stack)
    for origin in ("http://hostile.example", "http://localhost:1"):
        hostile = hostile_page(origin)
        for attempt in attempts(local_stack):
            assert set(hostile.answers(attempt)) == {"unreadable"}, attempt
        assert len(hostile.statuses) > 20
        assert set(hostile.statuses) == {403}
    assert effects(local_stack) == before


def test_page_has_no_access_after_dns_rebinding(
    hostile_page: Callable[[str], HostilePage], local_stack: LocalStack
) -> None:
    before = effects(local_stack)
    hostile = hostile_page(f"http://hostile.example:{local_stack.settings.aws_port}")
    for attempt in attempts(local_stack):
        # The page may read this response, because it has the same origin.
        answers = hostile.answers(attempt.at("hostile.example"))
        assert {answer.partition(" ")[0] for answer in answers} == {"403"}, attempt
    assert set(hostile.statuses) == {403}
    assert effects(local_stack) == before


def test_hostile_pages_get_only_public_files_from_the_storefront(
    hostile_page: Callable[[str], HostilePage], local_stack: LocalStack
) -> None:
    port = local_stack.settings.storefront_port
    elsewhere, rebound = hostile_page("http://hostile.example"), hostile_page(f"http://hostile.example:{port}")
    secret = local_stack.connection.credentials
    for method, path in (("GET", "/"), ("GET", "/config.js"), ("GET", "/.local/stack.json"), ("POST", "/")):
        attempt = Attempt(method, f"http://127.0.0.1:{port}{path}")
        assert set(elsewhere.answers(attempt)) == {"unreadable"}, attempt
        answers = rebound.answers(attempt.at("hostile.example"))
        assert not any(secret.access_key in answer or secret.secret_key in answer for answer in answers)
        assert method == "GET" or all(answer[0] in "45" for answer in answers), attempt


# Another user of the machine


@pytest.mark.parametrize(("service", "operation"), [("iam", "list_roles"), ("s3", "list_buckets")])
def test_only_the_access_key_of_this_checkout_is_accepted(
    local_stack: LocalStack, service: str, operation: str
) -> None:
    own = local_stack.connection.credentials
    unknown = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
    refused: list[tuple[Credentials, set[str]]] = [
        (Credentials("test", "test"), unknown),
        (replace(own, access_key="AKIAIOSFODNN7EXAMPLE"), unknown),
        (replace(own, secret_key="test"), {"SignatureDoesNotMatch", "InvalidSignatureException"}),
        (Credentials("000000000000", "test"), {"SignatureDoesNotMatch", "InvalidSignatureException"}),
        (NOBODY, {"MissingAuthenticationToken", "MissingAuthenticationTokenException", "AccessDenied", *unknown}),
    ]
    for credentials, codes in refused:
        client = replace(local_stack.connection, credentials=credentials).client(service)
        with pytest.raises(ClientError) as error:
            getattr(client, operation)()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
        assert error.value.response["Error"]["Code"] in codes | {"403"}, credentials.access_key
    getattr(local_stack.client(service), operation)()


def test_function_credentials_cannot_be_derived_from_arns(local_stack: LocalStack) -> None:
    name = f"{local_stack.settings.project}-{local_stack.settings.environment}-processing"
    configuration = local_stack.client("lambda").get_function_configuration(FunctionName=name)
    digest = hashlib.sha256(f"{configuration['FunctionArn']}:{configuration['Role']}".encode()).hexdigest()
    derived = Credentials(
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        replace(local_stack.connection, credentials=derived).client("sqs").receive_message(
            QueueUrl=local_stack.outputs["orders_queue_url"]
        )
