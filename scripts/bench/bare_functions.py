"""The bare functions, deployed beside the system's own on its queue, its table and its API."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from bench.interpreters import BARE
from local_stack import LocalStack

BARE_PATH = "/bare"

_PUTS = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"},
}


class BareFunctions:
    """What the system is compared with; same queue, table, API and emulator, only the function differs."""

    def __init__(self, stack: LocalStack, zip_path: Path) -> None:
        self._stack = stack
        self._zip_path = zip_path
        self._prefix = f"{stack.settings.project}-{stack.settings.environment}"
        self._lambda = stack.client("lambda")
        self._queue_arn = stack.client("sqs").get_queue_attributes(
            QueueUrl=stack.outputs["orders_queue_url"], AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]

    def deploy_submission(self) -> None:
        """Let POST /bare of the deployed API call the bare submission."""
        arn = self._make_function("submission")
        api = self._stack.client("apigatewayv2")
        api_id = self._stack.api_url.rsplit("/", 2)[1]
        integration = api.create_integration(
            ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
        )
        api.create_route(
            ApiId=api_id, RouteKey=f"POST {BARE_PATH}", Target=f"integrations/{integration['IntegrationId']}"
        )
        name, qualifier = arn.rsplit(":", 2)[1:]
        self._lambda.add_permission(
            FunctionName=name,
            Qualifier=qualifier,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )

    def deploy_processing(self, batch_size: int) -> str:
        """Make a bare processing function with a mapping of its own, switched off; return the mapping's id."""
        arn = self._make_function("processing", str(batch_size))
        # The system's own role cannot put: it only inserts.
        role = self._own("processing")["Role"].rpartition("/")[2]
        self._stack.client("iam").put_role_policy(RoleName=role, PolicyName="bench", PolicyDocument=json.dumps(_PUTS))
        own = self.own_mapping()
        mapping = self._lambda.create_event_source_mapping(
            EventSourceArn=self._queue_arn,
            FunctionName=arn,
            Enabled=False,
            BatchSize=batch_size,
            FunctionResponseTypes=own["FunctionResponseTypes"],
            ScalingConfig=own["ScalingConfig"],
        )
        return str(mapping["UUID"])

    def own_mapping(self) -> Any:
        """Return the mapping from the orders queue to the system's own processing function."""
        mappings = self._lambda.list_event_source_mappings(EventSourceArn=self._queue_arn)["EventSourceMappings"]
        [own] = [mapping for mapping in mappings if "bare" not in mapping["FunctionArn"]]
        return own

    def own_stream_mapping_id(self) -> str:
        """Return the id of the mapping from the table's stream to the notification function."""
        mappings = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        [own] = [mapping["UUID"] for mapping in mappings if ":dynamodb:" in mapping["EventSourceArn"]]
        return str(own)

    def switch(self, mapping_id: str, on: bool) -> None:
        """Switch an event source mapping on or off."""
        self._lambda.update_event_source_mapping(UUID=mapping_id, Enabled=on)

    def _own(self, function: str) -> Any:
        """Return the configuration of one of the system's own functions."""
        return self._lambda.get_function_configuration(FunctionName=f"{self._prefix}-{function}")

    def _make_function(self, like: str, suffix: str = "") -> str:
        """Make the bare version of a function of the system; return the ARN of its alias.

        All but the handler is as the system's own has it, zip and role too: the emulator's work for an
        invocation grows with the size of the one and the statements of the other.
        """
        module = f"bare_{like}"
        own = self._own(like)
        code = io.BytesIO(self._zip_path.read_bytes())
        with zipfile.ZipFile(code, "a") as archive:
            archive.write(BARE / f"{module}.py", f"{module}.py")
        name = f"{self._prefix}-bare-{like}{suffix}"
        version = self._lambda.create_function(
            FunctionName=name,
            Role=own["Role"],
            Handler=f"{module}.handler",
            Code={"ZipFile": code.getvalue()},
            Publish=True,
            Runtime=own["Runtime"],
            Architectures=own["Architectures"],
            MemorySize=own["MemorySize"],
            Timeout=own["Timeout"],
            Environment={"Variables": own["Environment"]["Variables"]},
            LoggingConfig={**own["LoggingConfig"], "LogGroup": f"/aws/lambda/{name}"},
            TracingConfig={"Mode": own["TracingConfig"]["Mode"]},
        )["Version"]
        alias = self._lambda.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
        return str(alias["AliasArn"])
