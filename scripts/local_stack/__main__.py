"""`make run`: the whole system on this machine until Ctrl-C."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from local_stack import LocalStack, LocalStackError, Settings
from local_stack.environment import DUMMY_KEY
from local_stack.report import Terminal

_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """Somebody asked the program to stop."""


def main() -> int:
    """Run the local stack until it is stopped or cannot go on; return the exit status."""
    report = Terminal(sys.stdout)
    try:
        for number in _STOPPING_SIGNALS:
            signal.signal(number, _stop)
        with LocalStack(Settings.from_environment(os.environ), report) as stack:
            report.line(_welcome(stack))
            stack.watch()
    except StopRequested:
        return 0
    except LocalStackError as error:
        print(f"\nmake run: {error}", file=sys.stderr)
        return 1
    return 0


def _stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    # Once: whoever presses Ctrl-C again must not keep the emulator from writing down the orders.
    for number in _STOPPING_SIGNALS:
        signal.signal(number, lambda *_: None)
    raise StopRequested


def _welcome(stack: LocalStack) -> str:
    order = '{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
    return f"""
Ready.

  Storefront  {stack.storefront_url}
  Orders API  {stack.outputs["api_endpoint"]}/orders
  AWS         {stack.endpoint_url} (region {stack.settings.region}, access key and secret: {DUMMY_KEY})
  E-mails     {os.path.relpath(stack.mailbox)}, and below

Place an order in the storefront, or with

  curl -i '{stack.api_url}/orders' \\
    -H 'Content-Type: application/json' \\
    -d '{order}'

Ctrl-C stops everything; orders are kept for the next `make run`.
"""


if __name__ == "__main__":
    sys.exit(main())
