"""The outputs of a CloudFormation stack, by the names that Terraform gives them."""

import re
from collections.abc import Iterable, Mapping


def snake_case_outputs(outputs: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return a stack's outputs, as CloudFormation describes them, by the names of terraform-backend/outputs.tf."""
    return {
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output["OutputKey"]).lower(): output["OutputValue"] for output in outputs
    }
