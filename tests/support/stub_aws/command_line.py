"""`aws` as far as the network: takes the AWS CLI's arguments and makes no call.

It ends with status 0 if the command, its options and the parameters of its first call are such as the AWS CLI and the
service's model know, and otherwise as `aws` does.
"""

from typing import NoReturn

from awscli.argparser import CLIArgParser
from awscli.clidriver import create_clidriver


class AboutToCall(BaseException):
    """The command would now make its first call; no `except Exception` on the way may take it for a failure."""


def _stop(**_: object) -> NoReturn:
    raise AboutToCall


def main(arguments: list[str]) -> int:
    """Run the AWS CLI with `arguments` up to its first call; return the exit status."""
    # The AWS CLI would take the beginning of an option for the option.
    CLIArgParser._get_option_tuples = lambda parser, text: []
    driver = create_clidriver()
    driver.session.register("before-call", _stop)
    try:
        status: int = driver.main(arguments)
    except AboutToCall:
        return 0
    return status or 1
