"""The whole system on this machine: emulator, backend, storefront, alarms and e-mails.

`make run` is this package as a program (`__main__.py`); a test holds the same thing in a `with`:

    with LocalStack(Settings(...)) as stack:
        stack.outputs["orders_table_name"], stack.client("dynamodb"), stack.storefront_url
"""

from local_stack.errors import LocalStackError
from local_stack.settings import Settings
from local_stack.stack import LocalStack

__all__ = ["LocalStack", "LocalStackError", "Settings"]
