"""Admit one access key as root and verify its signature, where ministack 1.5.33 admits many keys without verification.

ministack treats every request with the key `test`, with a key of twelve digits or with an unknown Authorization header
as a request of root, and does not verify the signature. It derives the credentials of a function's role from two ARNs,
so anyone can compute them. AWS verifies every signature:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html

Here root's requests are verified like those of IAM users. A key id of twelve digits, signed with root's secret, is the
root user of the account with that id. Tests of cross-account access need it.
"""

import re
from dataclasses import replace
from typing import Any

import ministack.app
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import lambda_svc

_enforce = iam_evaluator.enforce
_execution_credentials = lambda_runtime.execution_credentials
_execute_api_authorization_type = ministack.app._execute_api_authorization_type
_resolve_credential = iam_evaluator.resolve_credential


def patch(access_key_id: str, secret_access_key: str) -> None:
    """Make these the only credentials of root."""

    def is_root(key_id: str) -> bool:
        return key_id == access_key_id or re.fullmatch("[0-9]{12}", key_id) is not None

    def resolve_credential(key_id: str, *more: Any, **named: Any) -> Any:
        credential = _resolve_credential(key_id, *more, **named)
        if is_root(key_id) and isinstance(credential, iam_evaluator.ResolvedCredential):
            return replace(credential, secret_access_key=secret_access_key)
        return credential

    def execution_credentials(config: dict[str, Any]) -> Any:
        # ministack hashes the role's ARN and reads the role's name from its end.
        return _execution_credentials({**config, "Role": f"{secret_access_key}/{config.get('Role', '')}"})

    iam_evaluator.is_root_access_key = is_root
    # Decides whether ministack verifies a signature.
    iam_evaluator._is_root_key = lambda key_id: False
    iam_evaluator.resolve_credential = resolve_credential
    iam_evaluator.enforce = _enforce_signed
    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = execution_credentials
    # Without a route, API Gateway responds with 404 to anyone.
    ministack.app._execute_api_authorization_type = lambda *request: _execute_api_authorization_type(*request) or "NONE"


def _enforce_signed(access_key_id: str, iam_action: str, service: str, *more: Any, **named: Any) -> Any:
    if iam_evaluator._anonymous.get() and iam_evaluator._served_unsigned(service, iam_action):
        return None
    return _enforce(access_key_id, iam_action, service, *more, **named)
