"""What goes wrong between a function and an AWS API, by seed."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

from faults.wire import Exchange, HttpAnswer
from faults.worker_process import function_at, kill_function_at

# The SDK of the functions waits 4 s for an answer, see lambda/orders/adapters/clients.py.
_SDK_READ_SECONDS = 4

_SQS, _STORE, _TOPIC = "SendMessage", "BatchExecuteStatement", "PublishBatch"
_EFFECTS = frozenset({_SQS, _STORE, _TOPIC})
_SERVICE = {_SQS: "sqs", _STORE: "dynamodb", _TOPIC: "sns"}
_STORE_OPERATIONS = frozenset({_STORE, "BatchGetItem", "GetItem"})

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
_THROTTLES = ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
# The same for one statement: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
_STATEMENT_THROTTLES = ("ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError")

_SNS_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"

# So many requests of its kind pass at most before a fault strikes for the first time.
_LATEST_FIRST = 4


class NotStruckError(Exception):
    """A fault could not do what it is there for."""


@dataclass(frozen=True)
class Strike:
    """A fault that struck: what it needs to do its work."""

    exchange: Exchange
    chance: random.Random
    faults: "WireFaults"


Act = Callable[[Strike], HttpAnswer | None]


@dataclass(frozen=True)
class WireFault:
    """Something that becomes of some requests of `operations`: of this share, and only of batches where it says so."""

    operations: frozenset[str]
    share: float
    act: Act
    batches_only: bool = False


@dataclass
class _Active:
    kind: str
    fault: WireFault
    seed: int
    seen: int = 0
    struck: int = 0


@dataclass
class WireFaults:
    """The interceptor of the proxy: the faults that are active, and how often each has struck."""

    fired: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    """How often the AWS APIs themselves answered with each error code."""
    late_copies: list[Exchange] = field(default_factory=list)
    """Messages that SQS is to deliver once more, long after."""
    held_functions: set[int] = field(default_factory=set)
    """Processes that get no answer any more."""
    _active: list[_Active] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def active(self, seed: int, kinds: Sequence[str]) -> Iterator[None]:
        """Let faults of these kinds strike, as `seed` has it, for the length of a `with` block."""
        added = [_Active(kind, FAULTS[kind], seed) for kind in kinds]
        with self._lock:
            self._active = added + self._active
        try:
            yield
        finally:
            with self._lock:
                self._active = [active for active in self._active if active not in added]
                self.held_functions.clear()

    def note(self, kind: str) -> None:
        """Count a fault that was injected elsewhere."""
        with self._lock:
            self.fired[kind] += 1

    def answer(self, exchange: Exchange) -> HttpAnswer | None:
        """Deal with a request of a function."""
        if self.held_functions and function_at(exchange.client_port) in self.held_functions:
            exchange.wait_until_client_gives_up(_SDK_READ_SECONDS + 1)
            return None
        drawn = self._draw(exchange)
        if drawn is None:
            return exchange.forward()
        active, chance = drawn
        try:
            answer = active.fault.act(Strike(exchange, chance, self))
        except NotStruckError:
            return None
        self.note(active.kind)
        return answer

    def saw(self, exchange: Exchange, answer: HttpAnswer) -> None:
        """Count a refusal of the AWS API itself."""
        if answer.error_code:
            with self._lock:
                self.refusals[answer.error_code] += 1

    def _draw(self, exchange: Exchange) -> tuple[_Active, random.Random] | None:
        """Return the fault that strikes this request, if any does; the n-th of its kind always draws the same lot."""
        with self._lock:
            for active in self._active:
                fault = active.fault
                if exchange.operation not in fault.operations or (fault.batches_only and _size(exchange) < 2):
                    continue
                active.seen += 1
                chance = random.Random(f"{active.seed} {active.kind} {active.seen}")
                if chance.random() < fault.share or (not active.struck and active.seen > _LATEST_FIRST):
                    active.struck += 1
                    return active, chance
        return None


# What can be done to a request.


def _refuse_sending(strike: Strike) -> HttpAnswer:
    status, code = strike.chance.choice(
        [(400, "RequestThrottled"), (500, "InternalError"), (503, "ServiceUnavailable")]
    )
    return _json_error(status, code)


def _throttle(strike: Strike) -> HttpAnswer:
    return _json_error(400, strike.chance.choice(_THROTTLES))


def _throttle_in_part(strike: Strike) -> HttpAnswer:
    return _fail_statements(strike, strike.chance.choice(_STATEMENT_THROTTLES))


def _fail_store(strike: Strike) -> HttpAnswer:
    if strike.exchange.operation == _STORE and strike.chance.random() < 0.5:
        return _fail_statements(strike, "InternalServerError")
    return _json_error(500, "InternalServerError")


def _fail_statements(strike: Strike, code: str) -> HttpAnswer:
    """Let some statements fail with `code` and have the others done."""
    done = _some_places(strike, at_most=_size(strike.exchange) - 1)
    error = {"Error": {"Code": code, "Message": "injected"}}
    if not done:
        count = _size(strike.exchange)
        return HttpAnswer(200, _JSON, json.dumps({"Responses": [error] * count}).encode())
    answer = _forward_part(strike.exchange, done)
    if answer.status != 200:
        return answer
    responses = iter(json.loads(answer.body)["Responses"])
    merged = [next(responses) if place in done else error for place in range(_size(strike.exchange))]
    return HttpAnswer(200, _JSON, json.dumps({"Responses": merged}).encode())


def _fail_topic(strike: Strike) -> HttpAnswer:
    status, code = strike.chance.choice([(500, "InternalError"), (400, "Throttled"), (503, "ServiceUnavailable")])
    return _xml_error(status, code)


def _fail_entries(strike: Strike) -> HttpAnswer:
    """Let SNS publish some entries of a batch and say that it did not publish the others."""
    ids = [entry["Id"] for entry in _entries(strike.exchange)]
    done = _some_places(strike, at_most=len(ids) - 1)
    root = ElementTree.Element("PublishBatchResponse", xmlns=_SNS_NAMESPACE)
    result = ElementTree.SubElement(root, "PublishBatchResult")
    succeeded, failed = ElementTree.SubElement(result, "Successful"), ElementTree.SubElement(result, "Failed")
    if done:
        answer = _forward_part(strike.exchange, done)
        if answer.status != 200:
            return answer
        published = ElementTree.fromstring(answer.body).find(".//{*}Successful")
        succeeded.extend([] if published is None else _without_namespace(published))
    for place, entry_id in enumerate(ids):
        if place not in done:
            member = ElementTree.SubElement(failed, "member")
            for name, text in {"Id": entry_id, "Code": "InternalError", "SenderFault": "false"}.items():
                ElementTree.SubElement(member, name).text = text
    ElementTree.SubElement(ElementTree.SubElement(root, "ResponseMetadata"), "RequestId").text = "injected"
    return HttpAnswer(200, {"Content-Type": "text/xml"}, ElementTree.tostring(root))


def _never_answer(strike: Strike) -> None:
    strike.exchange.wait_until_client_gives_up(_SDK_READ_SECONDS + 1)


def _lose_answer(strike: Strike) -> None:
    strike.exchange.forward()
    if strike.chance.random() < 0.1:  # lost without a trace, not by a broken connection
        _never_answer(strike)


def _do_a_part_and_lose_the_answer(strike: Strike) -> None:
    _forward_part(strike.exchange, _first_half(strike.exchange))


def _kill_before(strike: Strike) -> None:
    _kill(strike)


def _kill_between(strike: Strike) -> None:
    _forward_part(strike.exchange, _first_half(strike.exchange))
    _kill(strike)


def _kill_after(strike: Strike) -> None:
    strike.exchange.forward()
    _kill(strike)


def _kill(strike: Strike) -> None:
    if not kill_function_at(strike.exchange.client_port):
        raise NotStruckError


def _hold_until_timeout(strike: Strike) -> None:
    """Give the function no answer any more, not at its second try either, so that Lambda ends it."""
    if strike.chance.random() < 0.5:
        strike.exchange.forward()
    process_id = function_at(strike.exchange.client_port)
    if process_id is None:
        raise NotStruckError
    strike.faults.held_functions.add(process_id)
    _never_answer(strike)


def _delay(strike: Strike) -> HttpAnswer:
    strike.exchange.delay(strike.chance.uniform(0.05, 0.5))
    answer = strike.exchange.forward()
    strike.exchange.delay(strike.chance.uniform(0.05, 0.5))
    return answer


def _overtake(strike: Strike) -> HttpAnswer:
    """Let others overtake this one: it arrives late, and in time for its sender."""
    strike.exchange.delay(strike.chance.uniform(0.2, _SDK_READ_SECONDS / 2))
    return strike.exchange.forward()


def _send_twice(strike: Strike) -> HttpAnswer:
    answer = strike.exchange.forward()
    if strike.chance.random() < 0.5:
        strike.exchange.forward()
    else:
        strike.faults.late_copies.append(strike.exchange)
    return answer


def _say_table_is_missing(strike: Strike) -> HttpAnswer:
    return _json_error(400, "ResourceNotFoundException")


def _work_longer_than_the_message_is_hidden(strike: Strike) -> HttpAnswer:
    strike.exchange.delay(strike.chance.uniform(1.2, 2.5))
    return strike.exchange.forward()


TABLE_MISSING = "table_missing"
TOPIC_DOWN = "topic_down"
DEAD_LETTERS_MADE = "dead_letters_made"
SLOW_STORE = "redelivered_early"

FAULTS: dict[str, WireFault] = {
    "send_refused": WireFault(frozenset({_SQS}), 0.15, _refuse_sending),
    "send_timed_out": WireFault(frozenset({_SQS}), 0.01, _never_answer),
    "send_answer_lost": WireFault(frozenset({_SQS}), 0.1, _lose_answer),
    "store_throttled": WireFault(_STORE_OPERATIONS, 0.25, _throttle),
    "store_throttled_in_part": WireFault(frozenset({_STORE}), 0.25, _throttle_in_part),
    "store_failed": WireFault(_STORE_OPERATIONS, 0.25, _fail_store),
    "store_timed_out": WireFault(_STORE_OPERATIONS, 0.03, _never_answer),
    "store_answer_lost": WireFault(frozenset({_STORE}), 0.15, _lose_answer),
    "store_done_in_part": WireFault(frozenset({_STORE}), 0.25, _do_a_part_and_lose_the_answer, batches_only=True),
    "topic_failed": WireFault(frozenset({_TOPIC}), 0.2, _fail_topic),
    "topic_failed_in_part": WireFault(frozenset({_TOPIC}), 0.2, _fail_entries),
    "topic_answer_lost": WireFault(frozenset({_TOPIC}), 0.1, _lose_answer),
    "killed_before_effect": WireFault(_EFFECTS, 0.02, _kill_before),
    "killed_between_effects": WireFault(frozenset({_STORE, _TOPIC}), 0.1, _kill_between, batches_only=True),
    "killed_after_effect": WireFault(_EFFECTS, 0.02, _kill_after),
    "function_timed_out": WireFault(frozenset({_STORE}), 0.04, _hold_until_timeout),
    "slow_network": WireFault(_STORE_OPERATIONS | _EFFECTS, 0.3, _delay),
    "disorder": WireFault(frozenset({_SQS}), 0.15, _overtake),
    "duplicate_delivery": WireFault(frozenset({_SQS}), 0.15, _send_twice),
    # Parts of a disruption, active as long as that is.
    TABLE_MISSING: WireFault(_STORE_OPERATIONS, 1, _say_table_is_missing),
    TOPIC_DOWN: WireFault(frozenset({_TOPIC}), 1, _fail_topic),
    DEAD_LETTERS_MADE: WireFault(_STORE_OPERATIONS, 1, _say_table_is_missing),
    SLOW_STORE: WireFault(frozenset({_STORE}), 1, _work_longer_than_the_message_is_hidden),
}


# Requests and answers as AWS writes them.

_JSON = {"Content-Type": "application/x-amz-json-1.0"}


def _json_error(status: int, code: str) -> HttpAnswer:
    return HttpAnswer(status, _JSON, json.dumps({"__type": f"com.amazonaws#{code}", "message": "injected"}).encode())


def _xml_error(status: int, code: str) -> HttpAnswer:
    fault = "Sender" if status < 500 else "Receiver"
    text = f"<Error><Type>{fault}</Type><Code>{code}</Code><Message>injected</Message></Error>"
    body = f'<ErrorResponse xmlns="{_SNS_NAMESPACE}">{text}<RequestId>injected</RequestId></ErrorResponse>'
    return HttpAnswer(status, {"Content-Type": "text/xml"}, body.encode())


def _size(exchange: Exchange) -> int:
    """Return how many effects a request is to have."""
    if exchange.operation == _STORE:
        return len(json.loads(exchange.body)["Statements"])
    return len(_entries(exchange)) if exchange.operation == _TOPIC else 1


def _some_places(strike: Strike, at_most: int) -> frozenset[int]:
    """Choose up to so many of a batch's places."""
    count = strike.chance.randint(0, at_most)
    return frozenset(strike.chance.sample(range(_size(strike.exchange)), count))


def _first_half(exchange: Exchange) -> frozenset[int]:
    return frozenset(range(_size(exchange) // 2))


def _forward_part(exchange: Exchange, places: frozenset[int]) -> HttpAnswer:
    """Have only the effects at these places of a batch."""
    if exchange.operation == _STORE:
        request = json.loads(exchange.body)
        request["Statements"] = [request["Statements"][place] for place in sorted(places)]
        body = json.dumps(request).encode()
    else:
        entries = _entries(exchange)
        others = [(name, value) for name, value in _form(exchange) if not name.startswith(_ENTRY)]
        members = [
            (f"{_ENTRY}{number}.{name}", value)
            for number, place in enumerate(sorted(places), 1)
            for name, value in entries[place].items()
        ]
        body = urlencode(others + members).encode()
    return exchange.forward_instead(body, _SERVICE[exchange.operation])


_ENTRY = "PublishBatchRequestEntries.member."


def _form(exchange: Exchange) -> list[tuple[str, str]]:
    return parse_qsl(exchange.body.decode(), keep_blank_values=True)


def _entries(exchange: Exchange) -> list[dict[str, str]]:
    """Return the entries of a PublishBatch request, each with its fields by name."""
    entries: dict[int, dict[str, str]] = {}
    for name, value in _form(exchange):
        if name.startswith(_ENTRY):
            number, _, field_name = name.removeprefix(_ENTRY).partition(".")
            entries.setdefault(int(number), {})[field_name] = value
    return [entries[number] for number in sorted(entries)]


def _without_namespace(parent: ElementTree.Element) -> list[ElementTree.Element]:
    """Return an element's children without their namespace, which their new parent has."""
    for element in parent.iter():
        element.tag = element.tag.rpartition("}")[2]
    return list(parent)
