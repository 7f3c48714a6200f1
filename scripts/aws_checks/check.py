"""A check: what it claims, what it does to the system, and what comes of it."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from aws_checks.deployment import Deployment


class Verdict(enum.Enum):
    """What came of a check."""

    PROVEN = "proven"
    FAILED = "failed"
    NOT_TRIED = "could not be tried"


class Effect(enum.Enum):
    """What a check does beyond reading; whoever runs it has to agree to all but READS."""

    READS = "reads settings, metrics and logs, and sends requests that store nothing"
    ORDERS = "places orders of the customer verify-aws, which stay in the table and are announced by e-mail"
    ALARMS = "makes an alarm ring, which sends an e-mail to whoever is on call"
    LOAD = "sends a burst of requests, which other customers may feel"


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the reason for it."""

    verdict: Verdict
    reason: str


Progress = Callable[[str], None]
"""Takes the news of a check that takes long."""


@dataclass(frozen=True)
class Check:
    """One claim about a deployed system, and how to look whether it is true."""

    name: str
    claim: str
    look: Callable[[Deployment, Progress], Outcome]
    effect: Effect = Effect.READS

    def run(self, deployment: Deployment, progress: Progress) -> Outcome:
        """Look; what AWS refuses or does not answer could not be tried."""
        try:
            return self.look(deployment, progress)
        except ClientError as error:
            return not_tried(f"{error.operation_name} was refused with {error.response['Error']['Code']}")
        except (BotoCoreError, OSError) as error:
            return not_tried(f"there was no answer ({type(error).__name__})")


def proven(reason: str) -> Outcome:
    """Return that the claim is true of this system."""
    return Outcome(Verdict.PROVEN, reason)


def failed(reason: str) -> Outcome:
    """Return that the claim is not true of this system."""
    return Outcome(Verdict.FAILED, reason)


def not_tried(reason: str) -> Outcome:
    """Return that nothing can be said, and why."""
    return Outcome(Verdict.NOT_TRIED, reason)
