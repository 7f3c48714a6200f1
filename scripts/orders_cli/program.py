"""The command line of `orders`: its commands, its exit status, and no traceback for what is nobody's bug."""

import os
import sys
from typing import NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError

from orders_cli.commands.dlq import dlq
from orders_cli.commands.list import list_orders
from orders_cli.commands.notify import notify
from orders_cli.commands.restore import restore
from orders_cli.commands.show import show
from orders_cli.commands.submit import submit
from orders_cli.commands.trace import trace
from orders_cli.commands.watch import watch
from orders_cli.console import say
from orders_cli.errors import FAILED, INTERRUPTED, OperatorError, sentence_about


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def orders() -> None:
    """See, understand and repair a running order processing system.

    \b
    WHICH SYSTEM
    Every command says on standard error which system it talks to. It is the one that is named by
    --local, --terraform DIRECTORY or --stack NAME; without these the first that is there of
      1. the local stack of `make run`, unless --region or --profile say AWS,
      2. what Terraform has applied in terraform-backend/,
      3. the CloudFormation stack order-processing-dev, -staging or -prod, if there is one only.
    Credentials are found as by every AWS tool; --profile and --region choose. The local stack needs
    none and never sees yours. What changes something in an environment prod asks, or needs --yes.

    \b
    OUTPUT
    Data goes to standard output, everything else to standard error. On a terminal there are tables
    and bars; into a pipe plain lines, or JSON with --json. An order's content is shown by `show`,
    `list` and `dlq show` only.

    \b
    EXIT STATUS
      0    done
      1    not done, or only in part; the reason is on standard error
      2    the command line is wrong
      3    there is no such order, message or event
      130  interrupted by Ctrl-C; what was done is whole, run it again for the rest
    """


for command in (submit, show, list_orders, watch, trace, dlq, notify, restore):
    orders.add_command(command)


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; return the exit status."""
    try:
        result = orders.main(args=arguments, prog_name="orders", standalone_mode=False)
        sys.stdout.flush()
    except (click.ClickException, click.Abort, OperatorError, ClientError, BotoCoreError) as error:
        return _told(error)
    except OSError as error:
        # Of what is still to be written nothing can be: Python would try again at its end, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _told(OperatorError(f"The output cannot be written ({error.strerror})."))
    return result if isinstance(result, int) else 0


def _told(error: BaseException) -> int:
    """Tell the person what went wrong; return the exit status."""
    match error:
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort():
            say("stopped")
            return INTERRUPTED
        case OperatorError():
            say(str(error))
            return error.exit_status
        case ClientError() | BotoCoreError():
            say(sentence_about(error))
    return FAILED
