"""The AWS CLI up to its first call: exits with 0 if command, options and parameters are valid, else as `aws` does."""

from typing import NoReturn

from awscli.argparser import CLIArgParser
from awscli.clidriver import create_clidriver


class AboutToCall(BaseException):
    """The first call. A BaseException, so that the CLI does not handle it as a failure."""


def _stop(**_: object) -> NoReturn:
    raise AboutToCall


def main(arguments: list[str]) -> int:
    # The AWS CLI accepts abbreviated options.
    CLIArgParser._get_option_tuples = lambda parser, text: []
    driver = create_clidriver()
    driver.session.register("before-call", _stop)
    try:
        status: int = driver.main(arguments)
    except AboutToCall:
        return 0
    return status or 1
