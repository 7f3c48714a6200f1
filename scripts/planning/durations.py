"""How long each step of an order takes in the functions.

Nobody has measured this deployment on AWS yet. The defaults are put together from what was measured
here and what AWS documents, and are meant to be replaced: the Duration metric of each function in
CloudWatch, or its log's platform.report lines, tell the true ones.

Own processor time: `python -m planning measure` on one core of a 2-core cloud machine, Python 3.11,
with canned answers in place of AWS. Lambda gives 1,769 MB one virtual processor and others their share
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), so the measured time is
divided by memory / 1,769 MB. To it comes the service's answer: DynamoDB within single-digit
milliseconds (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Introduction.html), SQS
in the tens of milliseconds (https://aws.amazon.com/sqs/faqs/); SNS states no figure and is taken as SQS.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Durations:
    """Of an invocation, where nothing else is said."""

    submission_seconds: float = 0.025
    status_seconds: float = 0.012
    processing_seconds: float = 0.030  # of a full batch
    notification_seconds: float = 0.040  # of a full batch

    # Between two batches of one poller: receiving, handing over, deleting. Not billed, but nothing else is
    # processed in this place meanwhile.
    mapping_overhead_seconds: float = 0.020

    # A new environment's start, before its first request.
    cold_start_seconds: float = 0.6

    @property
    def processing_cycle_seconds(self) -> float:
        """From the receipt of one batch to the receipt of the next one in the same place."""
        return self.processing_seconds + self.mapping_overhead_seconds
