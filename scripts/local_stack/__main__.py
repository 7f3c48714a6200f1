"""`make run`: the whole system on this machine until Ctrl-C."""

import errno
import os
import signal
import sys
from typing import NoReturn

from local_stack import LocalStack, LocalStackError, Settings
from local_stack.report import Report

# No permission, a read-only file system, a full one.
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}

_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(BaseException):
    """A signal requested the program to stop."""


def main() -> int:
    """Run the local stack until it is stopped or fails; return the exit status."""
    report = Report(sys.stdout)
    try:
        for number in _STOPPING_SIGNALS:
            # Keep ignoring signals that nohup or a shell's `&` ignores.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _stop)
        with LocalStack(Settings.from_environment(os.environ), report) as stack:
            if os.geteuid() == 0:
                report.line("Warning: all code that is deployed to the emulator runs as root. Use another account.")
            report.line(_welcome(stack))
            stack.watch()
    except StopRequested:
        return 0
    except LocalStackError as error:
        print(f"\nmake run: {error}", file=sys.stderr)
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        what = os.path.relpath(error.filename) if error.filename else "the disk"
        advice = "check the permissions and the free space of the project's folder, and try again."
        print(f"\nmake run: {what} cannot be written ({error.strerror}): {advice}", file=sys.stderr)
    return 1


def _stop(*_: object) -> NoReturn:
    # A second Ctrl-C must not prevent the emulator from saving the orders.
    for number in _STOPPING_SIGNALS:
        signal.signal(number, lambda *_: None)
    raise StopRequested


def _welcome(stack: LocalStack) -> str:
    order = '{"customer_id": "001", "product_id": "Banana", "quantity": "1", "order_date": "2025-04-25"}'
    return f"""
Ready.

  Storefront  {stack.storefront_url}
  Orders API  {stack.api_url}/orders
  AWS         {stack.endpoint_url} (region {stack.settings.region}, access key in .local/stack.json)
  E-mails     {os.path.relpath(stack.mailbox)}, and below

Place an order in the storefront, or with

  curl -i '{stack.api_url}/orders' \\
    -H 'Content-Type: application/json' \\
    -d '{order}'

Ctrl-C stops everything; orders are kept for the next `make run`.
"""


if __name__ == "__main__":
    sys.exit(main())
