"""Hostile web pages and other users of the machine have no access to the running local stack."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.exceptions import ClientError
from playwright.sync_api import Browser, BrowserContext

from local_stack import LocalStack
from local_stack.aws import ANONYMOUS, Credentials
from support.deployment.api import DeployedApi
from support.sample_orders import SAMPLE_BODY

# A signature that an attacker can guess.
GUESSED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test/20250425/us-east-1/lambda/aws4_request"
    f"&X-Amz-Date=20250425T100000Z&X-Amz-SignedHeaders=host&X-Amz-Signature={64 * '0'}"
)

OPERATIONS = {"iam": "list_roles", "sqs": "list_queues", "s3": "list_buckets"}

Request = tuple[str, str, str | None]
"""Method, URL and body."""


def requests(stack: LocalStack) -> Iterator[Request]:
    aws, api = stack.endpoint_url, stack.api_url
    yield "POST", f"{aws}/", urlencode({"Action": "CreateRole", "RoleName": "hostile"})
    yield "POST", f"{aws}/2015-03-31/functions?{GUESSED}", json.dumps({"FunctionName": "hostile"})
    yield "POST", f"{aws}/_ministack/reset", None
    yield "POST", f"{api}/orders", SAMPLE_BODY.decode()
    yield "GET", f"{api}/orders/00000000-0000-8000-8000-000000000000", None


SEND = """async ({method, url, body, mode, headers}) => {
  try {
    const response = await fetch(url, {method, body: body ?? undefined, mode, headers});
    return response.type === "opaque" ? "unreadable" : String(response.status);
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


class HostilePage:
    """An empty page of another origin, and the statuses of all responses to its requests."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.statuses: list[int] = []
        self._page = context.new_page()
        self._page.goto(f"{origin}/hostile")
        self._page.on("response", lambda response: self.statuses.append(response.status))

    def send(self, method: str, url: str, body: str | None) -> set[str]:
        """Send a request in every way available to a page; return the parts of the responses that it can read."""
        request = {"method": method, "url": url, "body": body}
        text = {"Content-Type": "text/plain"} if body else {}
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        signed = {"Content-Type": "application/json", "Authorization": "AWS4-HMAC-SHA256 Credential=test/1/2/3/4"}
        variants = [("no-cors", text), ("no-cors", form), ("cors", text), ("cors", signed)]
        read = {str(self._page.evaluate(SEND, {**request, "mode": mode, "headers": each})) for mode, each in variants}
        self._page.evaluate(SUBMIT_FORM, request)
        return read


@pytest.fixture(scope="module")
def hostile_context(chromium: Browser, chromium_options: dict[str, Any]) -> Iterator[BrowserContext]:
    # Disable Chromium's protection of loopback, because not every browser has it.
    features = "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,HttpsUpgrades"
    options = {**chromium_options, "args": [*chromium_options["args"], features]}
    with chromium.browser_type.launch(**options) as browser:
        context = browser.new_context()
        context.route("**/hostile", lambda route: route.fulfill(content_type="text/html", body="<title>Win</title>"))
        yield context


def test_page_of_another_origin_has_no_access(hostile_context: BrowserContext, local_stack: LocalStack) -> None:
    for origin in ("http://hostile.example", "http://localhost:1"):
        page = HostilePage(hostile_context, origin)
        for request in requests(local_stack):
            assert page.send(*request) == {"unreadable"}, request
        assert len(page.statuses) > 10
        assert set(page.statuses) == {403}


def test_page_has_no_access_after_dns_rebinding(hostile_context: BrowserContext, local_stack: LocalStack) -> None:
    port = local_stack.settings.aws_port
    page = HostilePage(hostile_context, f"http://hostile.example:{port}")
    for method, url, body in requests(local_stack):
        same_origin = urlsplit(url)._replace(netloc=f"hostile.example:{port}").geturl()
        assert page.send(method, same_origin, body) == {"403"}, url
    assert set(page.statuses) == {403}


@pytest.mark.parametrize("service", OPERATIONS)
def test_only_the_access_key_of_this_checkout_is_accepted(local_stack: LocalStack, service: str) -> None:
    own = local_stack.connection.credentials
    # While a function runs, it has credentials, which ministack derives from these two ARNs.
    DeployedApi(local_stack.api_url).send("GET", "/orders/unknown")
    name = f"{local_stack.settings.project}-{local_stack.settings.environment}-status"
    function = local_stack.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")
    digest = hashlib.sha256(f"{function['FunctionArn']}:{function['Role']}".encode()).hexdigest()
    secret, token = (hashlib.sha256(f"{name}:{digest}".encode()).hexdigest() for name in ("secret", "token"))
    unknown = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "403"}
    mismatch = {"SignatureDoesNotMatch", "InvalidSignatureException", "403"}
    rejected = [
        (Credentials("test", "test"), unknown),
        (replace(own, access_key="AKIAIOSFODNN7EXAMPLE"), unknown),
        (Credentials(f"ASIA{digest[:16].upper()}", secret, token), unknown),
        (replace(own, secret_key="test"), mismatch),
        (Credentials("000000000000", "test"), mismatch),
        (ANONYMOUS, {"MissingAuthenticationToken", "MissingAuthenticationTokenException", "AccessDenied", *unknown}),
    ]
    for credentials, codes in rejected:
        client = replace(local_stack.connection, credentials=credentials).client(service)
        with pytest.raises(ClientError) as error:
            getattr(client, OPERATIONS[service])()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
        assert error.value.response["Error"]["Code"] in codes, credentials.access_key
    getattr(local_stack.client(service), OPERATIONS[service])()
