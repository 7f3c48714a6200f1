"""Run the AWS CLI with AWS_ENDPOINT_URL, which releases before 2.13 do not read. Needs the interpreter of the AWS CLI."""

import os
import sys
from typing import Any

from awscli import clidriver


def main(arguments: list[str]) -> int:
    driver = clidriver.create_clidriver()
    create_client = driver.session.create_client

    def create_local_client(*names: Any, **options: Any) -> Any:
        options["endpoint_url"] = options.get("endpoint_url") or os.environ.get("AWS_ENDPOINT_URL")
        return create_client(*names, **options)

    driver.session.create_client = create_local_client
    return int(driver.main(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
