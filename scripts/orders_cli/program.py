"""The command line of `orders`: its commands, exit status, errors and signals."""

import os
import signal
import sys
import time
import tomllib
from types import FrameType
from typing import NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError

from local_stack.settings import REPOSITORY
from orders_cli.commands.dlq import dlq
from orders_cli.commands.orders import list_orders, notify, show, trace
from orders_cli.commands.submit import submit
from orders_cli.commands.system import pause, resume, status, watch
from orders_cli.commands.table import erase, restore
from orders_cli.console import discard_output, report
from orders_cli.errors import FAILED, OperatorError, sentence_about

# Further signals are ignored for this long after the first, to let the clean-up finish.
_CLEAN_UP_SECONDS = 10


_VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_VERSION, message="orders %(version)s")
def orders() -> None:
    """Inspect and repair a running order processing system.

    \b
    WHICH SYSTEM
    Every command prints the system that it uses on standard error. Select it with --local,
    --terraform DIRECTORY or --stack NAME (of a CloudFormation stack). The default is the local
    stack of `make run`. If that does not run, or --region or --profile is given, the default is
    the system that Terraform applied in terraform-backend/.
    Region and credentials come from --region and --profile, or AWS_REGION, AWS_DEFAULT_REGION,
    AWS_PROFILE and the AWS configuration. The local stack has its own credentials and ignores
    yours. A change in environment prod needs confirmation, or --yes.

    \b
    OUTPUT
    Data goes to standard output, everything else to standard error. A terminal gets tables that
    fit its width, a pipe gets plain lines, and --json prints JSON. Only `show`, `list` and
    `dlq show` print an order's content.

    \b
    EXIT STATUS
      0        done
      1        not done, or only in part; the reason is on standard error
      2        the command line is invalid
      3        no such order, message or event
      128 + n  ended by signal n (130 Ctrl-C, 143 SIGTERM, 129 SIGHUP, 141 closed output). Each
               item is done completely or not at all; run the command again for the rest.

    \b
    COMPLETION
      bash:  eval "$(_ORDERS_COMPLETE=bash_source orders)"
      zsh:   eval "$(_ORDERS_COMPLETE=zsh_source orders)"
      fish:  _ORDERS_COMPLETE=fish_source orders | source
    """


for command in (status, submit, show, list_orders, watch, trace, dlq, pause, resume, notify, restore, erase):
    orders.add_command(command)


def main() -> NoReturn:
    # Python sets a closed stream to None.
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Keep ignoring signals that nohup or a shell's `&` ignores.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _Stop.on_signal)
    sys.exit(run(sys.argv[1:]))


class _Stop:
    """The signal that ends this process: it interrupts the command once, as Ctrl-C does."""

    number = signal.SIGINT
    time: float | None = None

    @classmethod
    def on_signal(cls, number: int, _: FrameType | None) -> None:
        if cls.time is not None and time.monotonic() < cls.time + _CLEAN_UP_SECONDS:
            return
        cls.number, cls.time = signal.Signals(number), time.monotonic()
        raise KeyboardInterrupt


def run(arguments: list[str]) -> int:  # noqa: PLR0911 one status per kind of error
    try:
        result = orders.main(args=arguments, prog_name="orders", standalone_mode=False)
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        report("stopped")
        return 128 + _Stop.number
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OperatorError as error:
        report(str(error))
        return error.exit_status
    except (ClientError, BotoCoreError) as error:
        report(sentence_about(error))
        return FAILED
    except OSError as error:
        if _Stop.time is not None:
            # The terminal is gone, and with it the progress bar.
            return 128 + _Stop.number
        discard_output()
        report(f"The output cannot be written ({error.strerror}).")
        return FAILED
    return result if isinstance(result, int) else 0
