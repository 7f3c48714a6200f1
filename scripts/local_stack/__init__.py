"""The whole system on this machine: emulator, backend, storefront, alarms and e-mails.

`make run` runs this package as a program. A test uses it in a `with` block:

    with LocalStack(Settings(...)) as stack:
        stack.outputs["orders_table_name"], stack.client("dynamodb"), stack.storefront_url
"""

try:
    from local_stack.machine import LocalStackError
    from local_stack.settings import Settings
    from local_stack.stack import LocalStack
except KeyboardInterrupt:  # These imports are the first second of `make run`.
    raise SystemExit(130) from None

__all__ = ["LocalStack", "LocalStackError", "Settings"]
