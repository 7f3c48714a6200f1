"""All checks, in the order of docs/unproven.md."""

from typing import Final

from aws_checks import entry_point, storefront, stores, watching
from aws_checks.check import Check, Effect

CHECKS: Final = (
    Check("alerts-confirmed", "a person gets the alerts", watching.alerts_are_confirmed),
    Check("alarms-calm", "no alarm lacks data when nothing happens", watching.alarms_are_calm_without_traffic),
    Check("alarms-reach-topic", "every alarm that goes off notifies", watching.alarms_reach_their_topic),
    Check(
        "alarm-own-queue",
        "a dead letter rings the alarm of its own queue and no other",
        watching.alarm_rings_for_its_own_queue,
        Effect.ALARMS,
    ),
    Check("waiting-measured", "late orders and announcements are measured", watching.waiting_is_measured),
    Check("events-counted", "each event of an order is counted", watching.metric_filters_count_each_event),
    Check("logs-json", "the functions log JSON", watching.logs_are_events),
    Check("traces", "requests are traced", watching.traces_arrive),
    Check(
        "gateway-answers", "API Gateway answers by itself what no function sees", entry_point.gateway_answers_by_itself
    ),
    Check("access-log", "every request is logged with its id", entry_point.requests_are_logged),
    Check("token", "nobody without a token reaches a function", entry_point.token_is_asked_for),
    Check("throttle", "a flood is refused with 429", entry_point.throttle_refuses, Effect.LOAD),
    Check("order", "an order is accepted and processed", entry_point.order_is_processed, Effect.ORDERS),
    Check(
        "doubled-key",
        "two idempotency keys in one request never make two orders",
        entry_point.doubled_key_makes_one_order,
        Effect.ORDERS,
    ),
    Check("restore", "the table can be brought back to any moment", stores.table_can_be_restored),
    Check("batches", "queue and stream are read, and failures have an end", stores.batches_are_read),
    Check("plain-http", "the queues refuse plain HTTP", stores.plain_http_is_refused),
    Check("key", "a key of the shop's own is on every store", stores.key_encrypts_every_store),
    Check("web-servers", "the web servers are healthy", storefront.web_servers_are_healthy),
    Check("sessions", "a shell can be opened on each web server", storefront.sessions_can_be_opened),
)
"""Names are told in docs/unproven.md and on the command line."""
