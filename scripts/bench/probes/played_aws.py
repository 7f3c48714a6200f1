"""AWS for real clients, played before the network: every request is written down and answered at once."""

import io
import json
from collections.abc import Mapping
from typing import Any

import botocore.handlers
from botocore.awsrequest import AWSResponse

Answers = Mapping[str, Any]
"""By operation, what AWS answers: JSON, or the text of XML."""


class _Body(io.BytesIO):
    """The body of an answer as urllib3 would hand it over."""

    def stream(self, *_: Any, **__: Any) -> Any:
        """Yield all of it."""
        yield self.read()


def play_aws(answers: Answers) -> list[str]:
    """Answer every client that is made from now on; return the list that each operation is added to."""
    sent: list[str] = []

    def answer(request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        sent.append(operation)
        content = answers[operation]
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        return AWSResponse(request.url, 200, {}, _Body(body))

    botocore.handlers.BUILTIN_HANDLERS.append(("before-send", answer))
    return sent
