"""CloudWatch alarms and metrics, where ministack 1.5.33 differs.

- ministack drops an alarm's Metrics, or rejects them from CloudFormation. It evaluates an alarm whenever a metric is
  put, without dimensions and missing-data rules. The local stack evaluates alarms as CloudWatch does.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
- Each combination of dimensions is a metric. In ministack, a query without dimensions returns the sum over all of them.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
"""

from collections.abc import Mapping
from typing import Any

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

# An alarm on an expression has none of these fields.
_OF_ONE_METRIC = ("Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Period", "Unit")


def patch() -> None:
    """Keep an alarm's Metrics, stop ministack's evaluation, and compare dimensions in every query."""
    put_alarm = cloudwatch._put_metric_alarm
    alarm_record = provisioners._cw_metric_alarm_record

    def put(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        response = put_alarm(params, data, is_cbor, is_json)
        if is_cbor or is_json:
            name, metrics = data.get("AlarmName", ""), data.get("Metrics")
        else:
            name, metrics = cloudwatch._p(params, "AlarmName"), _queries(params)
        if metrics and name in cloudwatch._alarms:
            _replace_metric(cloudwatch._alarms[name], metrics)
        return response

    def record(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        metrics = properties.get("Metrics")
        if not metrics:
            return dict(alarm_record(name, properties))
        alarm = alarm_record(name, {**properties, "Metrics": None, "MetricName": "-", "Namespace": "-"})
        _replace_metric(alarm, metrics)
        return dict(alarm)

    cloudwatch._put_metric_alarm = put
    cloudwatch._evaluate_alarm = lambda alarm: None
    cloudwatch._dims_from_list = lambda dimensions: _Dimensions({each["Name"]: each["Value"] for each in dimensions})
    provisioners._cw_metric_alarm_record = record


class _Dimensions(dict[str, str]):
    """Dimensions of a query. They are truthy even if empty, because ministack ignores falsy dimensions."""

    def __bool__(self) -> bool:
        return True


def _replace_metric(alarm: dict[str, Any], metrics: list[dict[str, Any]]) -> None:
    for name in _OF_ONE_METRIC:
        alarm.pop(name, None)
    alarm["Metrics"] = [{"ReturnData": True, **query} for query in metrics]


def _queries(params: Any) -> list[dict[str, Any]]:
    """Return the Metrics of a request in the query protocol, which the Terraform provider uses."""

    def value(name: str) -> str:
        return str(cloudwatch._p(params, f"Metrics.member.{len(queries) + 1}.{name}") or "")

    queries: list[dict[str, Any]] = []
    while identifier := value("Id"):
        query: dict[str, Any] = {"Id": identifier, "ReturnData": value("ReturnData") != "false"}
        query |= {name: text for name in ("Expression", "Label") if (text := value(name))}
        if stat := value("MetricStat.Stat"):
            metric = {name: value(f"MetricStat.Metric.{name}") for name in ("Namespace", "MetricName")}
            query["MetricStat"] = {"Metric": metric, "Stat": stat, "Period": int(value("MetricStat.Period"))}
        queries.append(query)
    return queries
