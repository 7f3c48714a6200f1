"""A CloudFormation stack of the backend in an emulator. test_readme.py runs the commands of the AWS CLI."""

import local_stack.cloudformation
from support.deployment.emulator import Emulator
from support.deployment.package import lambda_zip


class Stack(local_stack.cloudformation.Stack):
    """A stack whose `template` and `zip_path` a test may change."""

    def __init__(self, name: str, emulator: Emulator) -> None:
        super().__init__(name, emulator.connection)
        self.zip_path = lambda_zip("local")

    def deploy(self, **parameters: str) -> None:
        """Create or update the stack; parameters that are not given keep their values."""
        previous = {each["ParameterKey"]: each["ParameterValue"] for each in self.description().get("Parameters", [])}
        self.deploy_package(self.zip_path, previous | parameters)

    def delete(self) -> None:
        self.cloudformation.delete_stack(StackName=self.name)
        assert self.finished().get("StackStatus") in (None, "DELETE_COMPLETE")

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.description()["Outputs"]}
