"""`orders pause` and `orders resume`: stop processing for a while, then continue."""

import time
from typing import Any

import click

from orders_cli.console import print_json, say
from orders_cli.errors import OperatorError
from orders_cli.options import Mode, Target, changes_system
from orders_cli.system import System

_WAIT_SECONDS = 300
_POLL_SECONDS = 1.0
_STABLE = frozenset({"Enabled", "Disabled"})


@click.command(short_help="Stop processing; orders wait in the queue.")
@changes_system
def pause(mode: Mode, target: Target) -> int:
    """Stop processing: disable the event source mapping and wait until it is disabled.

    The API still accepts orders. They are PENDING and wait in the queue for at most four days. Waiting does not count
    as one of their five receives. Alarms on waiting orders and on the disabled mapping fire after some minutes, and
    stay until `orders resume`. `terraform apply` also enables the mapping again.
    """
    system = target.find()
    mode.confirm_in_production(system, "Stop processing orders")
    _set(system, "Disabled", mode)
    say("orders are still accepted; they wait in the queue for at most 4 days, until `orders resume`")
    say(f"alarms on waiting orders, such as {system.name}-orders-waiting, will fire in about five minutes")
    return 0


@click.command(short_help="Resume processing after `pause`.")
@changes_system
def resume(mode: Mode, target: Target) -> int:
    """Resume processing: enable the event source mapping and wait until it is enabled.

    The waiting orders are then processed. `orders status` shows how many are left.
    """
    system = target.find()
    mode.confirm_in_production(system, "Resume processing orders")
    _set(system, "Enabled", mode)
    say(f"{system.queue('orders_queue').depth().total:,} waiting orders are being processed; see `orders status`")
    return 0


def _set(system: System, wanted: str, mode: Mode) -> None:
    functions = system.client("lambda")
    uuid = str(_mapping(system, "processing")["UUID"])
    before = _wait(functions, uuid, _STABLE)
    if mode.dry_run:
        say(f"processing is {before.lower()} and would be {wanted.lower()}; nothing was done")
        return
    if before != wanted:
        functions.update_event_source_mapping(UUID=uuid, Enabled=wanted == "Enabled")
        say(f"processing was {before.lower()}; waiting until it is {wanted.lower()}")
        _wait(functions, uuid, frozenset({wanted}))
    say(f"processing is {'already ' if before == wanted else ''}{wanted.lower()}")
    if mode.as_json:
        print_json({"processing": wanted, "changed": before != wanted})


def _wait(functions: Any, uuid: str, states: frozenset[str]) -> str:
    deadline = time.monotonic() + _WAIT_SECONDS
    while (state := str(functions.get_event_source_mapping(UUID=uuid)["State"])) not in states:
        if time.monotonic() > deadline:
            raise OperatorError(f"The event source mapping is still {state}: see `orders status` in a few minutes.")
        time.sleep(_POLL_SECONDS)
    return state


def mapping_state(system: System, function: str) -> str:
    return str(_mapping(system, function)["State"])


def _mapping(system: System, function: str) -> dict[str, Any]:
    name = f"{system.function_name(function)}:live"
    mappings: list[dict[str, Any]] = system.client("lambda").list_event_source_mappings(FunctionName=name)[
        "EventSourceMappings"
    ]
    if len(mappings) != 1:
        raise OperatorError(
            f"The function {name} has {len(mappings)} event source mappings instead of one. Deploy the system again."
        )
    return mappings[0]
