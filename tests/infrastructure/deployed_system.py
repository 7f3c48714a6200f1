"""A deployed backend, described by the AWS APIs. Equal deployments have equal descriptions.

Generated names and IDs are replaced by the resource they belong to.
"""

import json
from collections.abc import Callable, Iterable, Mapping
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

    def _has_prefix(self, name: str) -> bool:
        return name.startswith(self._prefix)

    def _short(self, name: str) -> str:
        return name.replace(self._prefix, "").lstrip("-")

    def _table(self) -> Description:
        dynamodb = self._client("dynamodb")
        described = {}
        for name in filter(self._has_prefix, dynamodb.list_tables()["TableNames"]):
            table = dynamodb.describe_table(TableName=name)["Table"]
            stream = table["LatestStreamArn"]
            self._ids[stream.rpartition("/")[2]] = "<stream>"
            backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
            described[f"table {self._short(name)}"] = {
                **table,
                "GlobalSecondaryIndexes": {
                    index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", [])
                },
                "PointInTimeRecovery": {
                    "PointInTimeRecoveryEnabled": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
                    == "ENABLED"
                },
                "TimeToLive": dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                "Tags": dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
            }
        return described

    def _queues(self) -> Description:
        sqs = self._client("sqs")
        return {
            f"queue {self._short(url.rpartition('/')[2])}": {
                **_documents(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]),
                "Tags": sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
            }
            for url in sqs.list_queues(QueueNamePrefix=self._prefix).get("QueueUrls", [])
        }

    def _topics(self) -> Description:
        sns = self._client("sns")
        described: Description = {}
        for topic in sns.list_topics()["Topics"]:
            arn = topic["TopicArn"]
            name = arn.rpartition(":")[2]
            if not self._has_prefix(name):
                continue
            described[f"topic {self._short(name)}"] = {
                **_documents(sns.get_topic_attributes(TopicArn=arn)["Attributes"]),
                "Tags": sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
            }
            for subscription in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                self._ids[subscription["SubscriptionArn"].rpartition(":")[2]] = "<subscription>"
                key = f"subscription {self._short(name)} {subscription['Protocol']} {subscription['Endpoint']}"
                described[key] = {
                    **subscription,
                    **sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"],
                }
        return described

    def _functions(self) -> Description:
        functions = self._client("lambda")
        described: Description = {}
        for listed in functions.list_functions()["Functions"]:
            name = listed["FunctionName"]
            if not self._has_prefix(name):
                continue
            function = functions.get_function(FunctionName=name)
            described[f"function {self._short(name)}"] = {
                **function["Configuration"],
                "ReservedConcurrency": function.get("Concurrency"),
                "Tags": function.get("Tags", {}),
                "Versions": {
                    # The template sets a description only for CloudFormation's version.
                    version["Version"]: {setting: version[setting] for setting in version.keys() - {"Description"}}
                    for version in functions.list_versions_by_function(FunctionName=name)["Versions"]
                },
            }
            for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
                described[f"alias {self._short(name)} {alias['Name']}"] = {
                    **alias,
                    "Policy": self._function_policy(functions, name, alias["Name"]),
                }
        return described

    @staticmethod
    def _function_policy(functions: Any, name: str, qualifier: str) -> list[Any]:
        try:
            policy = functions.get_policy(FunctionName=name, Qualifier=qualifier)["Policy"]
        except functions.exceptions.ResourceNotFoundException:
            return []
        # CloudFormation generates the Sid.
        return [{**statement, "Sid": "<sid>"} for statement in json.loads(policy)["Statement"]]

    def _mappings(self) -> Description:
        functions = self._client("lambda")
        described = {}
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            function = mapping["FunctionArn"].split(":")[6]
            if not self._has_prefix(function):
                continue
            self._ids[mapping["UUID"]] = "<mapping>"
            described[f"mapping {self._short(function)}"] = {
                **mapping,
                "Tags": functions.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"],
            }
        return described

    def _log_groups(self) -> Description:
        logs = self._client("logs")
        described: Description = {}
        for group in _pages(logs, "describe_log_groups", "logGroups"):
            name = group["logGroupName"]
            if not self._has_prefix(name.rpartition("/")[2]):
                continue
            arn = group["arn"].removesuffix(":*")
            described[f"log {name}"] = {**group, "Tags": logs.list_tags_for_resource(resourceArn=arn)["tags"]}
            for metric_filter in logs.describe_metric_filters(logGroupName=name)["metricFilters"]:
                [metric] = metric_filter["metricTransformations"]
                del metric_filter["filterName"]  # generated by CloudFormation
                described[f"metric {metric['metricName']} of {metric_filter['filterPattern']}"] = metric_filter
        return described

    def _api(self) -> Description:
        apis = self._client("apigatewayv2")
        described: Description = {}
        for api in apis.get_apis()["Items"]:
            if not self._has_prefix(api["Name"]):
                continue
            api_id = api["ApiId"]
            self._ids[api_id] = "<api>"
            described[f"api {self._short(api['Name'])}"] = api
            for integration in apis.get_integrations(ApiId=api_id)["Items"]:
                function = integration["IntegrationUri"].split(":function:")[1].split(":")[0]
                self._ids[integration["IntegrationId"]] = f"<integration {self._short(function)}>"
                described[f"integration {self._short(function)}"] = integration
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
            for mapping in mappings:
                self._ids[mapping["ApiMappingId"]] = "<mapping of the domain>"
            described["domain"] = {**domain, "Mappings": mappings}
            for zone in route53.list_hosted_zones()["HostedZones"]:
                records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
                described |= {f"record {each['Type']}": each for each in records if each["Name"] == f"{name}."}
        return described

    def _alarms(self) -> Description:
        cloudwatch = self._client("cloudwatch")
        return {
            f"alarm {self._short(alarm['AlarmName'])}": {
                **alarm,
                # Terraform sorts them.
                **({"Metrics": {query["Id"]: query for query in alarm["Metrics"]}} if "Metrics" in alarm else {}),
                "Tags": cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"],
            }
            for alarm in _pages(cloudwatch, "describe_alarms", "MetricAlarms")
            if self._has_prefix(alarm["AlarmName"])
        }

    def _dashboards(self) -> Description:
        cloudwatch = self._client("cloudwatch")
        return {
            f"dashboard {self._short(name)}": json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
            for name in (entry["DashboardName"] for entry in cloudwatch.list_dashboards()["DashboardEntries"])
            if name == self._prefix
        }

    def _roles(self) -> Description:
        iam = self._client("iam")
        functions = self._client("lambda").list_functions()["Functions"]
        described = {}
        for function in functions:
            if not self._has_prefix(function["FunctionName"]):
                continue
            name = function["Role"].rpartition("/")[2]
            # CloudFormation generates the name.
            label = self._short(function["FunctionName"])
            self._ids[name] = f"<role {label}>"
            described[f"role {label}"] = {
                **iam.get_role(RoleName=name)["Role"],
                "Policies": {
                    policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
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


def _documents(attributes: Mapping[str, Any]) -> Description:
    """Return the attributes; parse those that contain a JSON document."""
    return {
        name: (
            _documents(value)
            if isinstance(value, Mapping)
            else json.loads(value)
            if isinstance(value, str) and value.startswith("{")
            else value
        )
        for name, value in attributes.items()
    }


def _sortable(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _pages(client: Any, operation: str, key: str) -> Iterable[Any]:
    for page in client.get_paginator(operation).paginate():
        yield from page[key]
