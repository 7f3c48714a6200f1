"""The CloudFormation template, with its intrinsic functions resolved by the emulator's engine without a deployment."""

from collections.abc import Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

import yaml
from ministack.core.responses import set_request_region
from ministack.services.cloudformation import engine

from support.repository.files import REPOSITORY
from write_configuration import parameter_of

TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

ACCOUNT = "000000000000"
REGION = "eu-west-1"

Document = dict[str, Any]

# By type, the property that names a resource, and `!Ref` where it is not the name.
_NAMED_BY = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}


class _Loader(yaml.CSafeLoader):
    """The engine's loader with the C parser, which is ten times as fast."""

    yaml_constructors = engine.CfnLoader.yaml_constructors
    yaml_multi_constructors = engine.CfnLoader.yaml_multi_constructors
    yaml_implicit_resolvers = engine.CfnLoader.yaml_implicit_resolvers


class Template:
    """The unresolved template."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @classmethod
    def read(cls, path: Path = TEMPLATE) -> "Template":
        return cls(yaml.load(path.read_text(), _Loader))

    def resources(self, **parameters: str) -> dict[str, Document]:
        """Return the resources of a deployment with these parameters, resolved."""
        # The engine's region is a context variable: in a copy, other tests do not see it.
        return copy_context().run(self._resources, parameters)

    def _resources(self, parameters: Mapping[str, str]) -> dict[str, Document]:
        set_request_region(REGION)
        values = self._values(parameters)
        conditions = engine._evaluate_conditions(self.document, values)
        declared, mappings = self.document["Resources"], self.document["Mappings"]
        # The included file is known only to the package command.
        mappings = {**mappings, "Package": {**mappings["Package"], "Record": {"zip": "<included>"}}}
        exist = {name: each for name, each in declared.items() if conditions.get(each.get("Condition"), True)}

        def resolved(value: Any, created: Mapping[str, Any]) -> Any:
            return engine._resolve_refs(value, created, values, conditions, mappings, "stack", "")

        created: Document = {}
        for _ in range(2):  # some names refer to a resource, such as that of an alias to its function
            created = {
                name: _created(
                    name, each["Type"], resolved(each["Properties"].get(_NAMED_BY.get(each["Type"])), created)
                )
                for name, each in declared.items()
            }
        return {name: {key: resolved(part, created) for key, part in each.items()} for name, each in exist.items()}

    def rejections(self, **parameters: str) -> list[str]:
        """Return the advice for each invalid parameter and each failed rule. A missing one is invalid."""
        defined, rejections = self.document["Parameters"], []
        for name, definition in defined.items():
            try:
                self._values({name: parameters[name]} if name in parameters else {}, name)
            except ValueError:
                rejections.append(definition["ConstraintDescription"])
        values = {
            name: {"Value": parameters.get(name, str(each.get("Default", name))), "Type": each["Type"]}
            for name, each in defined.items()
        }
        for name, rule in self.document["Rules"].items():
            try:
                engine._evaluate_rules({"Parameters": defined, "Rules": {name: rule}}, values, {})
            except ValueError as error:
                rejections.append(str(error))
        return rejections

    def _values(self, parameters: Mapping[str, str], only: str = "") -> Document:
        """Return the engine's form of parameters; raises ValueError."""
        defined = self.document["Parameters"]
        unknown = parameters.keys() - defined.keys()
        assert not unknown, f"the template has no such parameters: {unknown}"
        checked = {"Parameters": {only: defined[only]} if only else defined}
        values: Document = engine._resolve_parameters(
            checked, [{"Key": name, "Value": value} for name, value in parameters.items()]
        )
        return values


class _Attributes(dict[str, str]):
    """A resource's attributes; unknown ones have labels."""

    def __init__(self, name: str, known: Mapping[str, str]) -> None:
        super().__init__(known)
        self._name = name

    def __contains__(self, attribute: object) -> bool:
        return True

    def __missing__(self, attribute: str) -> str:
        return f"<{self._name}.{attribute}>"


def _created(name: str, kind: str, physical_name: str | None) -> Document:
    """Return the engine's record of a created resource."""
    reference, attributes = physical_name or f"<{name}>", {}
    match kind:
        case "AWS::SNS::Topic":
            attributes = {"TopicName": reference}
            reference = arn("sns", reference)
        case "AWS::SQS::Queue":
            attributes = {"QueueName": reference, "Arn": arn("sqs", reference)}
            reference = queue_url(reference)
        case "AWS::Lambda::Alias":
            reference = arn("lambda", f"function:{reference}:live")
        case "AWS::DynamoDB::Table":
            table = arn("dynamodb", f"table/{reference}")
            attributes = {"Arn": table, "StreamArn": f"{table}/stream/<label>"}
        case "AWS::CloudWatch::Alarm":
            attributes = {"Arn": arn("cloudwatch", f"alarm:{reference}")}
    return {"PhysicalResourceId": reference, "Attributes": _Attributes(name, attributes)}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def queue_url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def parameters_of(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the template's parameters for values of Terraform variables."""
    parameters = {parameter_of(name): parameter_value(value) for name, value in variables.items()}
    if "ProcessingConcurrencyReserved" in parameters:
        parameters["ProcessingConcurrencyReserved"] = "true"  # a true or false parameter in CloudFormation
    return parameters


def parameter_value(value: Any) -> str:
    """Return a Terraform value in CloudFormation's format."""
    if isinstance(value, list):
        return ",".join(map(parameter_value, value))
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
