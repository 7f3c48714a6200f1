"""Render messages of the two topics as e-mails.

SNS hands a queue the text that is meant for machines, so what a person receives is made from that again.
"""

import json
from typing import Any

from orders.domain.announcement import announce
from orders.domain.order import ProcessedOrder


def alarm_text(message: str) -> str:
    """Return the text about an alarm, as CloudWatch writes it; a message of another kind as it is."""
    alarm = _object(message)
    if alarm is None or "AlarmName" not in alarm:
        return message
    return (
        f"The alarm {alarm['AlarmName']} has changed from {alarm['OldStateValue']} "
        f"to {alarm['NewStateValue']}.\n"
        f"\n{alarm.get('AlarmDescription') or 'It has no description.'}\n"
        f"\nReason:  {alarm['NewStateReason']}"
        f"\nTime:    {alarm['StateChangeTime']}"
        f"\nRegion:  {alarm['Region']}\n"
    )


def completed_order_text(message: str) -> str:
    """Return the announcement of a completed order, the very words of the notification function."""
    document = _object(message)
    if document is None:
        return message
    try:
        return announce(ProcessedOrder.from_document(document)).text
    except (KeyError, TypeError, ValueError):
        return message


def _object(message: str) -> dict[str, Any] | None:
    try:
        document = json.loads(message)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
