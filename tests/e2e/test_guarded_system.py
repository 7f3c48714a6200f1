"""The backend with every optional protection: tokens, a customer-managed key, a permissions boundary, throttles.

Deployed by CloudFormation with IAM enforced; test_parity.py compares it with Terraform's. The emulator validates
tokens of its own Cognito and evaluates key policies, but encrypts nothing. The last test makes the deployment unusable.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from e2e.attempts import FUNCTIONS, attempts_on_key, clients_of_role
from infrastructure.test_key_policy import key_policy
from support.deployment.api import JSON_TYPE, DeployedApi, Response
from support.deployment.cloudformation import Stack
from support.deployment.emulator import Emulator, running_emulator
from support.deployment.sign_in import SignIn
from support.sample_orders import SAMPLE_BODY
from support.waiting import wait_for

PREFIX = "order-processing-dev"
REGION = "eu-west-1"
ACCOUNT = "000000000000"

USES_OF_THE_KEY = {
    "submission": {"kms:GenerateDataKey", "kms:Decrypt"},
    "processing": {"kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt", "kms:DescribeKey"},
    "status": {"kms:Decrypt"},
    "notification": {"kms:GenerateDataKey", "kms:Decrypt"},
}


@dataclass(frozen=True)
class Guarded:
    emulator: Emulator
    outputs: Mapping[str, str]
    sign_in: SignIn
    shop: str
    till: str
    key_arn: str
    boundary_arn: str

    @property
    def api(self) -> DeployedApi:
        return DeployedApi(self.outputs["ApiEndpoint"])

    def order(self, token: str | None, customer_id: str | None = None) -> Response:
        """Place an order with a token and a key, by default for the signed-in customer."""
        body = SAMPLE_BODY.replace(b"001", (customer_id or self.sign_in.customer_id).encode())
        return self.api.post(body, {**JSON_TYPE, **_bearer(token), "Idempotency-Key": "key"})

    def status(self, order_id: str, token: str | None) -> Response:
        return self.api.send("GET", f"/orders/{order_id}", headers=_bearer(token))

    def is_processed(self, order_id: str, token: str) -> bool:
        return bool(self.status(order_id, token).json()["status"] == "PROCESSED")

    def role(self, function: str) -> str:
        configuration = self.emulator.client("lambda").get_function_configuration(FunctionName=f"{PREFIX}-{function}")
        return str(configuration["Role"])


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with running_emulator(tmp_path_factory.mktemp("emulator"), REGION) as emulator:
        sign_in = SignIn(emulator.client("cognito-idp"), "customers")
        shop, till = sign_in.application("shop"), sign_in.application("till")
        key = emulator.client("kms").create_key(Policy=key_policy(ACCOUNT, REGION))["KeyMetadata"]["Arn"]
        services = ["sqs:*", "dynamodb:*", "sns:*", "logs:*", "kms:*", "xray:*"]
        boundary = emulator.client("iam").create_policy(PolicyName="Boundary", PolicyDocument=_allowing(services))
        stack = Stack("orders", emulator)
        stack.deploy(
            NotificationEmail="you@example.com",
            ProcessingTimeoutSeconds="2",
            JwtIssuer=sign_in.issuer,
            JwtAudience=f"{shop},{till}",
            KmsKeyArn=key,
            PermissionsBoundaryArn=boundary["Policy"]["Arn"],
            SubmissionThrottlingRateLimit="20",
            StatusThrottlingBurstLimit="50",
        )
        guarded = Guarded(emulator, stack.outputs(), sign_in, shop, till, key, boundary["Policy"]["Arn"])
        for function in FUNCTIONS:
            # The emulator ignores the template's boundary; test_cloudformation_template.py checks it.
            emulator.client("iam").put_role_permissions_boundary(
                RoleName=guarded.role(function).rpartition("/")[2], PermissionsBoundary=guarded.boundary_arn
            )
        yield guarded


def _allowing(actions: list[str]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}})


@pytest.mark.parametrize(("application", "kind"), [("shop", "IdToken"), ("shop", "AccessToken"), ("till", "IdToken")])
def test_customer_of_each_application_can_place_and_read_an_order(
    guarded: Guarded, application: str, kind: str
) -> None:
    token = guarded.sign_in.token(getattr(guarded, application), kind)

    accepted = guarded.order(token)

    assert accepted.status == 202
    order_id = accepted.json()["order_id"]
    wait_for("the order", partial(guarded.is_processed, order_id, token))


def test_customer_can_order_and_read_only_their_own_orders(guarded: Guarded) -> None:
    other_id = guarded.sign_in.add_customer("other")
    own, other = (guarded.sign_in.token(guarded.shop, customer=name) for name in ("customer", "other"))

    mismatch = guarded.order(own, other_id)
    assert (mismatch.status, mismatch.json()["code"]) == (403, "CUSTOMER_MISMATCH")
    assert other_id not in mismatch.body.decode()

    # The same key from two customers makes two orders.
    own_order = guarded.order(own).json()["order_id"]
    other_order = guarded.order(other, other_id).json()["order_id"]
    for token, order_id, other_token in ((own, own_order, other), (other, other_order, own)):
        wait_for("the order", partial(guarded.is_processed, order_id, token))
        hidden, unknown = guarded.status(order_id, other_token), guarded.status("unknown", other_token)
        assert hidden.status == unknown.status == 404
        assert {**hidden.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}


def _invalid_tokens(guarded: Guarded) -> dict[str, str | None]:
    valid = guarded.sign_in.token(guarded.shop)
    head, claims, signature = valid.split(".")
    others = SignIn(guarded.emulator.client("cognito-idp"), "others")
    return {
        "none": None,
        "not a token": "banana",
        "of another application": guarded.sign_in.token(guarded.sign_in.application("elsewhere")),
        "of another issuer": others.token(others.application("shop")),
        "with other claims": f"{head}.{claims[:-4]}AAAA.{signature}",
        "without its signature": f"{head}.{claims}.",
    }


def test_request_gets_401_when_the_token_is_invalid(guarded: Guarded) -> None:
    order_id = guarded.order(guarded.sign_in.token(guarded.shop)).json()["order_id"]
    for name, token in _invalid_tokens(guarded).items():
        for response in (guarded.order(token), guarded.status(order_id, token)):
            assert (response.status, response.json()) == (401, {"message": "Unauthorized"}), name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_role_may_use_the_key_only_as_its_function_needs(guarded: Guarded, function: str) -> None:
    client = clients_of_role(guarded.emulator.connection, guarded.role(function))
    used = {attempt.action for attempt in attempts_on_key(guarded.key_arn) if attempt.is_permitted_to(client)}
    assert used == USES_OF_THE_KEY[function]


def test_role_is_limited_by_its_permissions_boundary(guarded: Guarded) -> None:
    guarded.emulator.client("iam").create_policy_version(
        PolicyArn=guarded.boundary_arn, PolicyDocument=_allowing(["logs:*"]), SetAsDefault=True
    )

    response = guarded.order(guarded.sign_in.token(guarded.shop))

    assert (response.status, response.json()["code"]) == (503, "QUEUE_UNAVAILABLE")
