"""How long each step of an order takes in the functions.

Nobody has measured this deployment on AWS yet. The defaults are put together from what was measured
here and what AWS documents, and are meant to be replaced: the Duration metric of each function in
CloudWatch, or its log's platform.report lines, tell the true ones.

Own processor time, measured by `python -m planning measure` on a busy 2-core cloud machine with Python
3.11 and canned answers in place of AWS: submission 0.7 ms, status 0.7 ms, processing 1.3 ms and notification
1.9 ms, the last two for a batch of ten. Lambda gives 1,769 MB one virtual processor and other sizes their share
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html): divided by memory / 1,769 MB, these are
1, 1, 5 and 7 ms. To it come the services' answers: DynamoDB in single-digit milliseconds
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Introduction.html), SQS in the tens of milliseconds
(https://aws.amazon.com/sqs/faqs/); SNS states no figure and is taken as SQS. A cold start is what importing boto3
takes on a machine like that, and some hundred milliseconds that AWS needs to start an environment.
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

    # Of a batch's time, the part that does not grow with the orders in it: the round trip is one, and a batch of
    # one order was measured at about half the processor time of one of ten.
    batch_base_part: float = 0.5

    def of_batch(self, seconds: float, fill: float, size: int) -> float:
        """Return what a batch of `fill` orders takes, where a full one of `size` takes `seconds`."""
        return seconds * (self.batch_base_part + (1 - self.batch_base_part) * min(1.0, fill / size))

    @property
    def processing_cycle_seconds(self) -> float:
        """From the receipt of one batch to the receipt of the next one in the same place."""
        return self.processing_seconds + self.mapping_overhead_seconds
