"""The CloudFormation template, with its intrinsic functions resolved without a deployment."""

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from support.repository.files import REPOSITORY
from write_configuration import parameter_of

TEMPLATE = REPOSITORY / "cloudformation" / "order-processing.yaml"

ACCOUNT = "000000000000"
REGION = "eu-west-1"

_PSEUDO_PARAMETERS = {"AWS::AccountId": ACCOUNT, "AWS::Partition": "aws", "AWS::Region": REGION}
_NOTHING = object()
"""The value that replaces AWS::NoValue."""

# The property that names a resource, where `!Ref` gives that name.
_NAMED_BY = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
}

Document = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """Reads the short forms of intrinsic functions, such as `!Sub`, as the long ones, such as `Fn::Sub`."""

    def function(self, name: str, node: yaml.Node) -> dict[str, Any]:
        if isinstance(node, yaml.MappingNode):
            argument: Any = self.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            argument = self.construct_sequence(node, deep=True)
        else:
            argument = node.value.split(".", 1) if name == "GetAtt" else node.value
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}


_Loader.add_multi_constructor("!", _Loader.function)


class Template:
    """The unresolved template."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @classmethod
    def read(cls, path: Path = TEMPLATE) -> "Template":
        return cls(yaml.load(path.read_text(encoding="utf-8"), _Loader))

    def changed(self, path: str, value: Any) -> "Template":
        """Return a copy with another value at `path`, such as OrdersQueue/Properties/VisibilityTimeout."""
        document = copy.deepcopy(self.document)
        *parents, last = path.split("/")
        place: Any = document["Resources"]
        for step in parents:
            place = place[int(step) if isinstance(place, list) else step]
        if isinstance(place, list):
            place[int(last)] = value
        elif value is None:
            place.pop(last)
        else:
            place[last] = value
        return Template(document)

    def resources(self, **parameters: str) -> dict[str, Document]:
        """Return the resources of a deployment with these parameters, resolved."""
        return _Resolution(self.document, parameters).resources()

    def rejections(self, **parameters: str) -> list[str]:
        """Return the advice for each invalid parameter and each failed rule. A missing one is invalid."""
        return list(_Resolution(self.document, parameters).rejections())


class _Resolution:
    def __init__(self, document: Document, parameters: Mapping[str, str]) -> None:
        self._document = document
        defined = document["Parameters"]
        unknown = parameters.keys() - defined.keys()
        assert not unknown, f"the template has no such parameters: {unknown}"
        self._parameters = {
            name: str(parameters.get(name, definition.get("Default", name))) for name, definition in defined.items()
        }

    def resources(self) -> dict[str, Document]:
        return {
            name: {
                **{key: self._value(each) for key, each in resource.items() if key != "Properties"},
                "Properties": self._value(resource["Properties"]),
            }
            for name, resource in self._document["Resources"].items()
            if self._condition(resource.get("Condition"))
        }

    def rejections(self) -> Iterator[str]:
        for name, definition in self._document["Parameters"].items():
            is_list = definition["Type"] == "CommaDelimitedList"
            values = self._parameters[name].split(",") if is_list else [self._parameters[name]]
            if not all(_is_valid(each, definition) for each in values):
                yield definition["ConstraintDescription"]
        for rule in self._document["Rules"].values():
            if self._value(rule.get("RuleCondition", True)):
                yield from (each["AssertDescription"] for each in rule["Assertions"] if not self._value(each["Assert"]))

    def _condition(self, name: str | None) -> bool:
        return name is None or bool(self._value(self._document["Conditions"][name]))

    def _value(self, value: Any) -> Any:
        match value:
            case {**call} if len(call) == 1 and _is_function(*call.items()):
                [(function, argument)] = call.items()
                return self._call(str(function), argument)
            case {**mapping}:
                resolved = {key: self._value(each) for key, each in mapping.items()}
                return {key: each for key, each in resolved.items() if each is not _NOTHING}
            case list():
                return [each for each in map(self._value, value) if each is not _NOTHING]
            case _:
                return value

    def _call(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "Ref", "AWS::NoValue":
                return _NOTHING
            case "Ref", name:
                return self._reference(name)
            case "Condition", name:
                return self._condition(name)
            case "Fn::GetAtt", name:
                return self._attribute(*(name.split(".") if isinstance(name, str) else name))
            case "Fn::If", [condition, this, that]:
                return self._value(this if self._condition(condition) else that)
            case "Fn::Equals", [this, that]:
                return str(self._value(this)) == str(self._value(that))
            case "Fn::Not", [this]:
                return not self._value(this)
            case "Fn::And", conditions:
                return all(map(self._value, conditions))
            case "Fn::Or", conditions:
                return any(map(self._value, conditions))
            case "Fn::FindInMap", [name, first, second]:
                return self._found_in_map(name, self._value(first), self._value(second))
            case "Fn::Select", [index, items]:
                return self._value(items)[int(index)]
            case "Fn::Join", [separator, parts]:
                return str(separator).join(map(str, self._value(parts)))
            case "Fn::Split", [separator, text]:
                return self._value(text).split(separator)
            case "Fn::Sub", [text, values]:
                return self._substituted(text, {name: self._value(each) for name, each in values.items()})
            case "Fn::Sub", text:
                return self._substituted(text, {})
            case _:
                raise NotImplementedError(f"{function} {argument}")

    def _found_in_map(self, name: str, first: str, second: str) -> Any:
        entries = self._document["Mappings"][name][str(first)]
        # The included file is known only to the package command.
        return "<included>" if "Fn::Transform" in entries else entries[second]

    def _substituted(self, text: str, values: Mapping[str, Any]) -> str:
        def resolved(match: re.Match[str]) -> str:
            name = match[1]
            if name in values:
                return str(values[name])
            return str(self._attribute(*name.split(".")) if "." in name else self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", resolved, text)

    def _reference(self, name: str) -> Any:
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name in self._parameters:
            value = self._parameters[name]
            is_list = self._document["Parameters"][name]["Type"] == "CommaDelimitedList"
            return [each.strip() for each in value.split(",")] if is_list else value
        resource = self._document["Resources"][name]
        kind, properties = resource["Type"], resource["Properties"]
        if kind in _NAMED_BY:
            return self._value(properties[_NAMED_BY[kind]])
        match kind:
            case "AWS::SNS::Topic":
                return arn("sns", self._value(properties["TopicName"]))
            case "AWS::SQS::Queue":
                return queue_url(self._value(properties["QueueName"]))
            case "AWS::Lambda::Alias":
                function = self._value(properties["FunctionName"])
                return arn("lambda", f"function:{function}:{properties['Name']}")
            case _:
                return f"<{name}>"

    def _attribute(self, name: str, attribute: str) -> Any:
        resource = self._document["Resources"][name]
        properties = resource["Properties"]
        match resource["Type"], attribute:
            case "AWS::SQS::Queue", "QueueName":
                return self._value(properties["QueueName"])
            case "AWS::SQS::Queue", "Arn":
                return arn("sqs", self._value(properties["QueueName"]))
            case "AWS::DynamoDB::Table", "Arn":
                return arn("dynamodb", f"table/{self._reference(name)}")
            case "AWS::DynamoDB::Table", "StreamArn":
                return arn("dynamodb", f"table/{self._reference(name)}/stream/<label>")
            case "AWS::CloudWatch::Alarm", "Arn":
                return arn("cloudwatch", f"alarm:{self._reference(name)}")
            case _:
                return f"<{name}.{attribute}>"


def _is_valid(value: str, definition: Document) -> bool:
    is_allowed = value in map(str, definition.get("AllowedValues", [value]))
    if not is_allowed or not re.fullmatch(definition.get("AllowedPattern", "(?s).*"), value):
        return False
    if definition["Type"] != "Number":
        return int(definition.get("MinLength", 0)) <= len(value) <= int(definition.get("MaxLength", 4096))
    return float(definition.get("MinValue", "-inf")) <= float(value) <= float(definition.get("MaxValue", "inf"))


def _is_function(call: tuple[Any, Any]) -> bool:
    name, argument = call
    # A policy's Condition is a mapping.
    return name == "Ref" or name.startswith("Fn::") or (name == "Condition" and isinstance(argument, str))


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
