"""A deployed backend, described by the AWS APIs. Equal deployments have equal descriptions.

Generated names and IDs are replaced by the resource they belong to.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

Description = dict[str, Any]
"""Each resource's settings, by a name such as "queue orders-dlq"."""

# Attributes that are not settings: times, contents and states.
_NOT_A_SETTING = """
    AlarmConfigurationUpdatedTimestamp ApiEndpoint ApproximateNumberOfMessages ApproximateNumberOfMessagesDelayed
    ApproximateNumberOfMessagesNotVisible CreateDate CreatedDate CreatedTimestamp CreationDateTime IndexSizeBytes
    ItemCount LastModified LastModifiedTimestamp LastProcessingResult LastUpdatedDate LatestStreamLabel RevisionId
    RoleId StateReason StateReasonData StateTransitionedTimestamp StateUpdatedTimestamp StateValue TableId
    TableSizeBytes creationTime storedBytes
"""


def describe(client: Callable[[str], Any], prefix: str) -> Description:
    """Return the settings of all resources whose names begin with `prefix`. `client` makes boto3 clients."""
    return _Reader(client, prefix).describe()


class _Reader:
    def __init__(self, client: Callable[[str], Any], prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._environment = prefix.rpartition("-")[2]
        self._ids: dict[str, str] = {}

    def describe(self) -> Description:
        # Roles and the API come first, because other resources contain their IDs.
        with_ids = (self._roles, self._api, self._table, self._queues, self._topics)
        others = (self._functions, self._mappings, self._log_groups, self._alarms, self._dashboards)
        raw: Description = {}
        for part in (*with_ids, *others):
            raw.update(part())
        return {self._without_ids(name): self._cleaned(settings) for name, settings in sorted(raw.items())}

    def _short(self, name: str) -> str:
        return name.replace(self._prefix, "").lstrip("-")

    def _found(self, service: str, operation: str, key: str, identifier: str = "") -> Iterator[tuple[str, Any]]:
        """Yield the short name and the description of each listed resource whose name begins with the prefix.

        The name is a part of the listed string, or of the attribute `identifier`.
        """
        client = self._client(service)
        pages = client.get_paginator(operation).paginate() if client.can_paginate(operation) else [None]
        for page in pages:
            for each in (page or getattr(client, operation)()).get(key, []):
                parts = re.split("[/:]", each[identifier] if identifier else each)
                yield from ((self._short(part), each) for part in parts if part.startswith(self._prefix))

    def _table(self) -> Description:
        dynamodb = self._client("dynamodb")
        described = {}
        for short, name in self._found("dynamodb", "list_tables", "TableNames"):
            table = dynamodb.describe_table(TableName=name)["Table"]
            self._ids[table["LatestStreamArn"].rpartition("/")[2]] = "<stream>"
            backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
            recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
            described[f"table {short}"] = {
                **table,
                "GlobalSecondaryIndexes": {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", [])},
                "PointInTimeRecovery": {"PointInTimeRecoveryEnabled": recovery == "ENABLED"},
                "TimeToLive": dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                "Tags": dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
            }
        return described

    def _queues(self) -> Description:
        sqs = self._client("sqs")
        return {
            f"queue {short}": {
                **_documents(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]),
                "Tags": sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
            }
            for short, url in self._found("sqs", "list_queues", "QueueUrls")
        }

    def _topics(self) -> Description:
        sns = self._client("sns")
        described: Description = {}
        for short, topic in self._found("sns", "list_topics", "Topics", "TopicArn"):
            arn = topic["TopicArn"]
            described[f"topic {short}"] = {
                **_documents(sns.get_topic_attributes(TopicArn=arn)["Attributes"]),
                "Tags": sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
            }
            for subscription in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                self._ids[subscription["SubscriptionArn"].rpartition(":")[2]] = "<subscription>"
                described[f"subscription {short} {subscription['Protocol']} {subscription['Endpoint']}"] = {
                    **subscription,
                    **sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"],
                }
        return described

    def _functions(self) -> Description:
        functions = self._client("lambda")
        described: Description = {}
        for short, listed in self._found("lambda", "list_functions", "Functions", "FunctionName"):
            name = listed["FunctionName"]
            function = functions.get_function(FunctionName=name)
            versions = functions.list_versions_by_function(FunctionName=name)["Versions"]
            described[f"function {short}"] = {
                **function["Configuration"],
                "ReservedConcurrency": function.get("Concurrency"),
                "Tags": function.get("Tags", {}),
                # The template sets a description only for CloudFormation's version.
                "Versions": {v["Version"]: {k: v[k] for k in v.keys() - {"Description"}} for v in versions},
            }
            for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
                policy: list[Any] = []
                with suppress(functions.exceptions.ResourceNotFoundException):
                    document = functions.get_policy(FunctionName=name, Qualifier=alias["Name"])["Policy"]
                    # CloudFormation generates the Sid.
                    policy = [{**statement, "Sid": "<sid>"} for statement in json.loads(document)["Statement"]]
                described[f"alias {short} {alias['Name']}"] = {**alias, "Policy": policy}
        return described

    def _mappings(self) -> Description:
        functions = self._client("lambda")
        described = {}
        found = self._found("lambda", "list_event_source_mappings", "EventSourceMappings", "FunctionArn")
        for short, mapping in found:
            self._ids[mapping["UUID"]] = "<mapping>"
            tags = functions.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
            described[f"mapping {short}"] = {**mapping, "Tags": tags}
        return described

    def _log_groups(self) -> Description:
        logs = self._client("logs")
        described: Description = {}
        for _, group in self._found("logs", "describe_log_groups", "logGroups", "logGroupName"):
            name, arn = group["logGroupName"], group["arn"].removesuffix(":*")
            described[f"log {name}"] = {**group, "Tags": logs.list_tags_for_resource(resourceArn=arn)["tags"]}
            for metric_filter in logs.describe_metric_filters(logGroupName=name)["metricFilters"]:
                [metric] = metric_filter["metricTransformations"]
                del metric_filter["filterName"]  # generated by CloudFormation
                described[f"metric {metric['metricName']} of {metric_filter['filterPattern']}"] = metric_filter
        return described

    def _api(self) -> Description:
        apis = self._client("apigatewayv2")
        described: Description = {}
        for short, api in self._found("apigatewayv2", "get_apis", "Items", "Name"):
            api_id = api["ApiId"]
            self._ids[api_id] = "<api>"
            described[f"api {short}"] = api
            for integration in apis.get_integrations(ApiId=api_id)["Items"]:
                function = self._short(integration["IntegrationUri"].split(":function:")[1].split(":")[0])
                self._ids[integration["IntegrationId"]] = f"<integration {function}>"
                described[f"integration {function}"] = integration
            described.update(self._domains(apis, api_id))
            for authorizer in apis.get_authorizers(ApiId=api_id)["Items"]:
                self._ids[authorizer["AuthorizerId"]] = "<authorizer>"
                described[f"authorizer {self._short(authorizer['Name'])}"] = authorizer
            for route in apis.get_routes(ApiId=api_id)["Items"]:
                self._ids[route["RouteId"]] = "<route>"
                described[f"route {route['RouteKey']}"] = route
            for stage in apis.get_stages(ApiId=api_id)["Items"]:
                if stage.get("DeploymentId"):
                    self._ids[stage["DeploymentId"]] = "<deployment>"
                described[f"stage {stage['StageName']}"] = _documents(stage)
        return described

    def _domains(self, apis: Any, api_id: str) -> Description:
        route53 = self._client("route53")
        described: Description = {}
        for domain in apis.get_domain_names()["Items"]:
            name = domain["DomainName"]
            mappings = [each for each in apis.get_api_mappings(DomainName=name)["Items"] if each["ApiId"] == api_id]
            if not mappings:
                continue
            self._ids[name] = "<domain>"
            self._ids[domain["DomainNameConfigurations"][0]["ApiGatewayDomainName"]] = "<target>"
            self._ids |= {mapping["ApiMappingId"]: "<mapping of the domain>" for mapping in mappings}
            described["domain"] = {**domain, "Mappings": mappings}
            for zone in route53.list_hosted_zones()["HostedZones"]:
                records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
                described |= {f"record {each['Type']}": each for each in records if each["Name"] == f"{name}."}
        return described

    def _alarms(self) -> Description:
        cloudwatch = self._client("cloudwatch")
        return {
            f"alarm {short}": {
                **alarm,
                "Metrics": {query["Id"]: query for query in alarm.get("Metrics", [])},  # Terraform sorts them
                "Tags": cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"],
            }
            for short, alarm in self._found("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName")
        }

    def _dashboards(self) -> Description:
        get = self._client("cloudwatch").get_dashboard
        return {
            f"dashboard {short}": json.loads(get(DashboardName=each["DashboardName"])["DashboardBody"])
            for short, each in self._found("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName")
        }

    def _roles(self) -> Description:
        iam = self._client("iam")
        described = {}
        for short, function in self._found("lambda", "list_functions", "Functions", "FunctionName"):
            # CloudFormation generates the name.
            name = function["Role"].rpartition("/")[2]
            self._ids[name] = f"<role {short}>"
            policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
            described[f"role {short}"] = {
                **iam.get_role(RoleName=name)["Role"],
                "Policies": {
                    each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in policies
                },
                "AttachedPolicies": iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
                "Tags": iam.list_role_tags(RoleName=name)["Tags"],
            }
        return described

    def _without_ids(self, text: str) -> str:
        for identifier, label in self._ids.items():
            text = text.replace(identifier, label)
        return text.replace(self._prefix, "<prefix>").replace(f"/{self._environment}", "/<environment>")

    def _cleaned(self, value: Any, name: str = "") -> Any:
        """Return `value` without generated names, IDs and times, and with unordered lists sorted."""
        match value:
            case _ if name in ("Tags", "TagSet"):
                return self._tags(value)
            case Mapping():
                cleaned = {
                    self._without_ids(key): self._cleaned(each, key)
                    for key, each in value.items()
                    if key not in _NOT_A_SETTING.split() and key != "ResponseMetadata"
                }
                # Treat an empty value as not set.
                return {key: each for key, each in cleaned.items() if each not in (None, "", [], {})}
            case list():
                items = [self._cleaned(each) for each in value]
                # The order of graphs and widgets matters.
                return items if name in ("metrics", "widgets") else sorted(items, key=_sortable)
            case str() if value == self._environment:
                return "<environment>"
            case str():
                return self._without_ids(value)
            case _:
                return value

    def _tags(self, tags: Any) -> dict[str, str]:
        if isinstance(tags, list):
            tags = {tag["Key"]: tag["Value"] for tag in tags}
        return {key: self._cleaned(value) for key, value in tags.items() if not key.startswith("aws:cloudformation:")}


def _documents(value: Any) -> Any:
    """Return the value with each string that contains a JSON document parsed."""
    match value:
        case {**attributes}:
            return {name: _documents(each) for name, each in attributes.items()}
        case str() if value.startswith("{"):
            return json.loads(value)
        case _:
            return value


def _sortable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
