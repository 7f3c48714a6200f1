"""What the checks for a real account conclude from what AWS may answer."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from click.testing import CliRunner

import verify_aws
from aws_checks import watching
from aws_checks.catalogue import CHECKS
from aws_checks.check import Check, Effect, Outcome, Verdict, failed, proven
from aws_checks.deployment import Answer, Deployment
from repository.cloudformation import Template

PROVEN, FAILED, NOT_TRIED = Verdict.PROVEN, Verdict.FAILED, Verdict.NOT_TRIED
BY_NAME = {check.name: check for check in CHECKS}
PREFIX = "order-processing-dev"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

OUTPUTS = {
    "api_endpoint": "https://a1b2c3.execute-api.eu-west-1.amazonaws.com",
    "orders_table_name": f"{PREFIX}-orders",
    "orders_queue_url": f"https://sqs.eu-west-1.amazonaws.com/111122223333/{PREFIX}-orders",
    "orders_dlq_url": f"https://sqs.eu-west-1.amazonaws.com/111122223333/{PREFIX}-orders-dlq",
    "notifications_dlq_url": f"https://sqs.eu-west-1.amazonaws.com/111122223333/{PREFIX}-notifications-dlq",
    "alerts_topic_arn": f"arn:aws:sns:eu-west-1:111122223333:{PREFIX}-alerts",
    "order_completed_topic_arn": f"arn:aws:sns:eu-west-1:111122223333:{PREFIX}-order-completed",
    "dashboard_name": PREFIX,
}

Answers = Mapping[str, Any]
"""What each operation answers, an exception where it is refused, a function where it depends on the arguments."""


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Operation")


class FakeClient:
    """A client of one service that answers from a table, and pages of one."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            answer = self._answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer(**arguments) if callable(answer) else answer

        return call

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **arguments: [getattr(self, operation)(**arguments)])


@dataclass(frozen=True)
class FakeDeployment(Deployment):
    """A deployment whose API answers from a table."""

    http: Callable[..., Answer] = field(default=lambda *_: Answer(500, {}, b""))

    def request(self, *arguments: Any, **named: Any) -> Answer:
        return self.http(*arguments, **named)


def deployment(answers: Answers | None = None, **more: Any) -> FakeDeployment:
    return FakeDeployment(OUTPUTS, lambda service, **_: FakeClient(answers or {}), **more)


def run(name: str, answers: Answers | None = None, **more: Any) -> Outcome:
    return BY_NAME[name].run(deployment(answers, **more), lambda text: None)


def http(*answers: tuple[int, bytes]) -> Callable[..., Answer]:
    left = iter(answers)
    return lambda *_, **__: Answer(*_answer(next(left)))


def _answer(answer: tuple[int, bytes]) -> tuple[int, dict[str, str], bytes]:
    return answer[0], {}, answer[1]


def mail(arn: str) -> Answers:
    subscription = {"Protocol": "email", "Endpoint": "you@example.com", "SubscriptionArn": arn}
    return {"list_subscriptions_by_topic": {"Subscriptions": [subscription]}}


def alarms(*states: str) -> Answers:
    return {
        "describe_alarms": {"MetricAlarms": [{"AlarmName": f"{PREFIX}-{s}", "StateValue": s} for s in states]},
    }


def history(*summaries: str, alarm: str = f"{PREFIX}-orders-dlq") -> Answers:
    items = [{"AlarmName": alarm, "HistorySummary": summary} for summary in summaries]
    return {"describe_alarm_history": {"AlarmHistoryItems": items}}


def logged(*lines: str) -> Answers:
    return {"filter_log_events": {"events": [{"message": line} for line in lines]}}


def filters(*patterns: str) -> Answers:
    """Patterns of one field, evaluated as CloudWatch does."""

    def test(filterPattern: str, logEventMessages: list[str]) -> Any:  # noqa: N803, the names are boto3's
        [event] = re.findall(r'"(\w+)"', filterPattern)
        return {"matches": [{"eventNumber": n} for n, line in enumerate(logEventMessages, 1) if f'"{event}"' in line]}

    return {
        "describe_metric_filters": {"metricFilters": [{"filterPattern": f'{{ $.message = "{p}" }}'} for p in patterns]},
        "test_metric_filter": test,
    }


ALL_EVENTS = [event for events in watching.EVENTS.values() for event in events]


def backups(status: str, **more: Any) -> Answers:
    described = {"PointInTimeRecoveryStatus": status, **more}
    return {
        "describe_continuous_backups": {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": described}}
    }


def mappings(*, state: str = "Enabled", result: str = "OK", bisect: bool = True, count: int = 2) -> Answers:
    def mapping(function: str, source: str) -> dict[str, Any]:
        return {
            "FunctionArn": f"arn:aws:lambda:eu-west-1:111122223333:function:{PREFIX}-{function}:live",
            "EventSourceArn": source,
            "State": state,
            "LastProcessingResult": result,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": bisect,
            "MaximumRetryAttempts": 10,
        }

    both = [mapping("processing", "arn:…:orders"), mapping("notification", "arn:…:table/orders/stream/1")]
    return {"list_event_source_mappings": {"EventSourceMappings": both[:count]}}


def keys(queue: str | None = KEY, log: str | None = KEY, table: str | None = KEY, state: str = "Enabled") -> Answers:
    return {
        "get_queue_attributes": {"Attributes": {"KmsMasterKeyId": queue} if queue else {}},
        "get_topic_attributes": {"Attributes": {"KmsMasterKeyId": queue} if queue else {}},
        "describe_log_groups": lambda logGroupNamePrefix: {  # noqa: N803
            "logGroups": [{"logGroupName": logGroupNamePrefix, **({"kmsKeyId": log} if log else {})}]
        },
        "get_function_configuration": {"KMSKeyArn": queue} if queue else {},
        "describe_table": {"Table": {"SSEDescription": {"KMSMasterKeyArn": table}}},
        "describe_key": {"KeyMetadata": {"KeyState": state}},
    }


def stage(burst: int | None, route: int | None = None) -> Answers:
    return {
        "get_stages": {
            "Items": [
                {
                    "DefaultRouteSettings": {"ThrottlingBurstLimit": burst} if burst else {},
                    "RouteSettings": {"GET /orders/{order_id}": {"ThrottlingBurstLimit": route}} if route else {},
                }
            ]
        }
    }


def group(*health: str, instances: int = 2, online: int = 2) -> Answers:
    ids = [f"i-{number}" for number in range(instances)]
    return {
        "describe_auto_scaling_groups": {
            "AutoScalingGroups": [
                {"TargetGroupARNs": ["arn"], "MinSize": 2, "Instances": [{"InstanceId": each} for each in ids]}
            ]
        },
        "describe_target_health": {"TargetHealthDescriptions": [{"TargetHealth": {"State": h}} for h in health]},
        "describe_instance_information": {
            "InstanceInformationList": [{"InstanceId": each, "PingStatus": "Online"} for each in ids[:online]]
        },
    }


POINTS = [{"Maximum": 1.0}]
GROUP = {"autoscaling_group": "storefront"}
NOT_FOUND = (404, b'{"message":"Not Found"}')
AUTHORIZER = {"get_authorizers": {"Items": [{"AuthorizerType": "JWT"}]}}
ACCEPTED = (202, b'{"order_id": "1", "status": "ACCEPTED"}')

CASES: list[tuple[str, Verdict, Answers, dict[str, Any]]] = [
    ("alerts-confirmed", PROVEN, mail("arn:aws:sns:…"), {}),
    ("alerts-confirmed", FAILED, mail("PendingConfirmation"), {}),
    ("alerts-confirmed", FAILED, {"list_subscriptions_by_topic": {"Subscriptions": []}}, {}),
    ("alerts-confirmed", NOT_TRIED, mail("arn:aws:sns:…"), {"endpoint_url": "http://localhost:4566"}),
    ("alarms-calm", PROVEN, alarms("OK", "ALARM"), {}),
    ("alarms-calm", FAILED, alarms("OK", "INSUFFICIENT_DATA"), {}),
    ("alarms-calm", FAILED, alarms(), {}),
    ("alarms-reach-topic", PROVEN, history("Successfully executed action arn:…"), {}),
    ("alarms-reach-topic", FAILED, history("Successfully executed action", "Failed to execute action arn:…"), {}),
    ("alarms-reach-topic", NOT_TRIED, history(), {}),
    ("alarms-reach-topic", NOT_TRIED, history("Failed to execute action", alarm="another"), {}),
    ("waiting-measured", PROVEN, {"get_metric_statistics": {"Datapoints": POINTS}}, {}),
    ("waiting-measured", NOT_TRIED, {"get_metric_statistics": {"Datapoints": []}}, {}),
    ("events-counted", PROVEN, filters(*ALL_EVENTS), {}),
    ("events-counted", FAILED, filters(*ALL_EVENTS[1:]), {}),
    ("events-counted", NOT_TRIED, {**filters("x"), "test_metric_filter": refusal("InvalidOperation")}, {}),
    ("logs-json", PROVEN, logged('{"message": "order_stored"}'), {}),
    ("logs-json", FAILED, logged('{"message": "order_stored"}', "START RequestId: 1"), {}),
    ("logs-json", NOT_TRIED, logged(), {}),
    ("traces", PROVEN, {"get_trace_summaries": {"TraceSummaries": [{}]}}, {}),
    ("traces", NOT_TRIED, {"get_trace_summaries": {"TraceSummaries": []}}, {}),
    ("gateway-answers", PROVEN, {}, {"http": http(NOT_FOUND, (413, b'{"message":"Request Entity Too Large"}'))}),
    ("gateway-answers", FAILED, {}, {"http": http(NOT_FOUND, (413, b'{"code":"PAYLOAD_TOO_LARGE"}'))}),
    ("gateway-answers", FAILED, {}, {"http": http((200, b"{}"))}),
    ("access-log", PROVEN, logged('{"request_id": "1"}'), {}),
    ("access-log", FAILED, logged('{"request": "1"}'), {}),
    ("access-log", FAILED, logged("GET /orders"), {}),
    ("access-log", NOT_TRIED, logged(), {}),
    ("token", PROVEN, AUTHORIZER, {"http": http((401, b""), (401, b""))}),
    ("token", FAILED, AUTHORIZER, {"http": http((401, b""), (404, b""))}),
    ("token", NOT_TRIED, {"get_authorizers": {"Items": []}}, {}),
    ("throttle", PROVEN, stage(1000, 2), {"http": http(*[(404, b"")] * 5, *[(429, b"")] * 15)}),
    ("throttle", FAILED, stage(2), {"http": lambda *_: Answer(404, {}, b"")}),
    ("throttle", FAILED, stage(None), {}),
    ("throttle", NOT_TRIED, stage(1000), {}),
    ("order", PROVEN, {}, {"http": http(ACCEPTED, (200, b'{"status": "PROCESSED"}'))}),
    ("order", FAILED, {}, {"http": http((503, b'{"code": "QUEUE_UNAVAILABLE"}'))}),
    ("order", NOT_TRIED, {}, {"http": http((401, b""))}),
    ("doubled-key", PROVEN, {}, {"http": http((400, b""), (400, b""))}),
    ("doubled-key", PROVEN, {}, {"http": http(ACCEPTED, ACCEPTED)}),
    ("doubled-key", FAILED, {}, {"http": http(ACCEPTED, (202, b'{"order_id": "2"}'))}),
    ("doubled-key", FAILED, {}, {"http": http(ACCEPTED, (503, b""))}),
    ("doubled-key", NOT_TRIED, {}, {"http": http((401, b""), (401, b""))}),
    ("restore", PROVEN, backups("ENABLED", EarliestRestorableDateTime=datetime.now(UTC)), {}),
    ("restore", FAILED, backups("DISABLED"), {}),
    ("restore", NOT_TRIED, backups("ENABLED"), {}),
    ("batches", PROVEN, mappings(), {}),
    ("batches", FAILED, mappings(state="Disabled"), {}),
    ("batches", FAILED, mappings(result="PROBLEM: Function call failed"), {}),
    ("batches", FAILED, mappings(bisect=False), {}),
    ("batches", FAILED, mappings(count=1), {}),
    ("plain-http", PROVEN, {"get_queue_attributes": refusal("AccessDenied")}, {}),
    ("plain-http", FAILED, {"get_queue_attributes": {"Attributes": {}}}, {}),
    ("plain-http", NOT_TRIED, {"get_queue_attributes": refusal("InvalidClientTokenId")}, {}),
    ("plain-http", NOT_TRIED, {}, {"endpoint_url": "http://localhost:4566"}),
    ("key", PROVEN, keys(), {}),
    ("key", FAILED, keys(log=None), {}),
    ("key", FAILED, keys(table="arn:aws:kms:eu-west-1:111122223333:key/aws-dynamodb"), {}),
    ("key", FAILED, keys(state="PendingDeletion"), {}),
    ("key", NOT_TRIED, keys(queue=None, log=None), {}),
    ("web-servers", PROVEN, group("healthy", "healthy"), GROUP),
    ("web-servers", FAILED, group("healthy", "unhealthy"), GROUP),
    ("web-servers", FAILED, group("healthy"), GROUP),
    ("web-servers", FAILED, {"describe_auto_scaling_groups": {"AutoScalingGroups": []}}, GROUP),
    ("web-servers", NOT_TRIED, {}, {}),
    ("sessions", PROVEN, group(), GROUP),
    ("sessions", FAILED, group(online=1), GROUP),
    ("sessions", FAILED, group(instances=0), GROUP),
    ("sessions", NOT_TRIED, {}, {}),
]


@pytest.mark.parametrize(
    ("name", "verdict", "answers", "more"), CASES, ids=[f"{case[0]} {case[1].value}" for case in CASES]
)
def test_a_check_concludes_what_is_true(name: str, verdict: Verdict, answers: Answers, more: dict[str, Any]) -> None:
    outcome = run(name, answers, **more)
    assert outcome.verdict is verdict, outcome.reason
    assert outcome.reason


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check.name != "plain-http"], ids=lambda check: check.name
)
def test_what_may_not_be_looked_at_could_not_be_tried(check: Check) -> None:
    class Forbidden(FakeClient):
        def __getattr__(self, operation: str) -> Callable[..., Any]:
            raise refusal("AccessDeniedException")

    def no_answer(*_: Any) -> Answer:
        raise ConnectionRefusedError

    forbidden = FakeDeployment(OUTPUTS, lambda service, **_: Forbidden({}), None, "storefront", no_answer)
    assert check.run(forbidden, lambda text: None).verdict is NOT_TRIED


def test_an_unreachable_service_could_not_be_tried() -> None:
    outcome = run("restore", {"describe_continuous_backups": EndpointConnectionError(endpoint_url="https://…")})
    assert outcome == Outcome(NOT_TRIED, "there was no answer (EndpointConnectionError)")


class Drill:
    """Dead-letter queue and alarms, in which a message rings the alarms named."""

    def __init__(self, rings: set[str], before: str = "OK", waiting: int = 0) -> None:
        self.body: str | None = None
        self.deleted = False
        self._rings, self._before, self._waiting = rings, before, waiting

    def answers(self) -> Answers:
        return {
            "get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": str(self._waiting)}},
            "send_message": self._send,
            "receive_message": lambda **_: {"Messages": [{"Body": self.body, "ReceiptHandle": "r"}]},
            "delete_message": self._delete,
            "describe_alarms": self._alarms,
        }

    def _send(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        assert QueueUrl == OUTPUTS["orders_dlq_url"]
        self.body = MessageBody

    def _delete(self, **_: Any) -> None:
        self.deleted = True

    def _alarms(self, AlarmNames: list[str]) -> Any:  # noqa: N803
        def state(name: str) -> str:
            return "ALARM" if self.body and name in self._rings else self._before

        return {"MetricAlarms": [{"AlarmName": name, "StateValue": state(name)} for name in AlarmNames]}


@pytest.fixture
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 100_000, 60))
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: next(now), sleep=lambda seconds: None))


OWN, OTHER = f"{PREFIX}-orders-dlq", f"{PREFIX}-notifications-dlq"


@pytest.mark.parametrize(
    ("rings", "verdict"), [({OWN}, PROVEN), ({OWN, OTHER}, FAILED), (set(), FAILED), ({OTHER}, FAILED)]
)
def test_the_drill_rings_one_alarm_and_leaves_nothing_behind(
    no_time_passes: None, rings: set[str], verdict: Verdict
) -> None:
    drill = Drill(rings)
    assert run("alarm-own-queue", drill.answers()).verdict is verdict
    assert drill.deleted, "the message is taken out again"


@pytest.mark.parametrize("drill", [Drill({OWN}, waiting=1), Drill({OWN}, before="ALARM")])
def test_no_drill_is_held_where_something_is_wrong_already(no_time_passes: None, drill: Drill) -> None:
    assert run("alarm-own-queue", drill.answers()).verdict is NOT_TRIED
    assert drill.body is None, "nothing was sent"


def test_the_events_are_those_that_the_deployed_filters_count() -> None:
    counted: dict[str, set[str]] = {}
    for resource in Template.read().resources(NotificationEmail="you@example.com").values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            function = resource["Properties"]["LogGroupName"].rpartition("-")[2]
            [event] = re.findall(r'[$][.]message = "(\w+)"', resource["Properties"]["FilterPattern"])
            counted.setdefault(function, set()).add(event)
    assert {function: set(events) for function, events in watching.EVENTS.items()} == counted


# The document


def test_the_document_tells_of_every_check_in_their_order() -> None:
    text = (Path(verify_aws.__file__).parents[1] / "docs" / "unproven.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert {len(row) for row in rows} == {4}
    told = [row[3].strip("`") for row in rows if re.fullmatch(r"`[a-z-]+`", row[3])]
    assert told == [check.name for check in CHECKS]


def test_what_does_more_than_read_is_known_by_name() -> None:
    assert {check.name for check in CHECKS if check.effect is not Effect.READS} == {
        "alarm-own-queue",
        "throttle",
        "order",
        "doubled-key",
    }


# The program


@dataclass
class Program:
    """The program with checks of this test; `ran` tells which were run."""

    ran: list[str]
    invoke: Callable[..., Any]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    ran: list[str] = []
    environment = {"name": "dev"}

    def check(name: str, outcome: Outcome, effect: Effect = Effect.READS) -> Check:
        def look(*_: Any) -> Outcome:
            ran.append(name)
            return outcome

        return Check(name, f"claim of {name}", look, effect)

    def deployed(*_: Any, **__: Any) -> Deployment:
        answers = {"get_caller_identity": {"Account": "111122223333"}}
        outputs = {**OUTPUTS, "dashboard_name": f"order-processing-{environment['name']}"}
        return Deployment(outputs, lambda service, **_: FakeClient(answers))

    checks = (
        check("reads", proven("seen")),
        check("rings", proven("rung"), Effect.ALARMS),
        check("bad", failed("broken")),
    )
    monkeypatch.setattr(verify_aws, "CHECKS", checks)
    monkeypatch.setattr(verify_aws, "_deployment", deployed)

    def invoke(*arguments: str, stage: str = "dev") -> Any:
        environment["name"] = stage
        return CliRunner().invoke(verify_aws.main, ["--stack", "orders", "--region", "eu-west-1", *arguments])

    return Program(ran, invoke)


def test_by_default_nothing_but_reading_is_done_and_each_check_has_its_line(program: Program) -> None:
    result = program.invoke()
    assert program.ran == ["reads", "bad"]
    first, *lines, last = result.stdout.splitlines()
    assert first == "order-processing-dev in account 111122223333, eu-west-1"
    assert [line.split("  ")[0].strip() for line in lines] == ["proven", "could not be tried", "failed"]
    assert "agree with --agree alarms" in lines[1]
    assert last == "1 proven, 1 failed, 1 could not be tried"
    assert result.exit_code == 1


def test_what_was_agreed_to_is_done(program: Program) -> None:
    program.invoke("--agree", "alarms")
    assert program.ran == ["reads", "rings", "bad"]


@pytest.mark.parametrize(("typed", "ran"), [("y\n", ["reads", "rings", "bad"]), ("n\n", ["reads", "bad"])])
def test_at_a_terminal_it_asks_first(
    program: Program, monkeypatch: pytest.MonkeyPatch, typed: str, ran: list[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        asked.append(text)
        return typed == "y\n"

    monkeypatch.setattr(verify_aws, "sys", SimpleNamespace(stdin=Terminal(), stderr=io.StringIO(), exit=_exit))
    monkeypatch.setattr(click, "confirm", confirm)
    program.invoke()
    assert program.ran == ran
    [question] = asked
    assert "sends an e-mail to whoever is on call" in question


def _exit(status: int) -> None:
    raise SystemExit(status)


def test_production_is_left_alone_unless_it_is_meant(program: Program) -> None:
    result = program.invoke(stage="prod")
    assert (result.exit_code, program.ran) == (2, [])
    assert "This is production" in result.stderr
    program.invoke("--production", stage="prod")
    assert program.ran == ["reads", "bad"]


def test_the_program_runs_as_a_person_types_it() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, verify_aws.__file__, "--help"]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "--stack NAME" in told.stdout


def test_one_deployment_has_to_be_named(program: Program) -> None:
    result = program.invoke("--outputs", __file__)
    assert result.exit_code == 2
    assert "Name one deployment" in result.stderr


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo '{}'", "Terraform has applied nothing in"),
        ("echo 'Error: Backend initialization required' >&2; exit 1", "(Error: Backend initialization required)"),
    ],
)
def test_a_folder_in_which_nothing_was_applied_says_what_to_do(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terraform = tmp_path / "terraform"
    terraform.write_text(f"#!/bin/sh\n{script}\n")
    terraform.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(verify_aws.main, ["--terraform", str(tmp_path)])
    assert result.exit_code == 2
    assert said in result.stderr
    assert "apply there first" in result.stderr
