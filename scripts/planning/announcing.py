"""The third station: the table's stream and the notification function, until an order is announced."""

from planning.backlog import Backlog
from planning.limits import Limit
from planning.on_demand_table import OnDemandTable
from planning.run import NOTABLE_WAIT_SECONDS, Run
from planning.token_bucket import TokenBucket


class Announcing:
    """Announces what is stored, one batch at a time for each shard of the stream."""

    def __init__(self, run: Run, table: OnDemandTable, stream: Backlog) -> None:
        quotas = run.plan.quotas
        self._run = run
        self._table = table
        self._stream = stream
        self._batches_owed = 0.0
        self._topic = TokenBucket(quotas.topic_messages_per_second, quotas.topic_messages_per_second)
        self._email = TokenBucket(quotas.topic_emails_per_second, quotas.topic_emails_per_second)

    def act(self) -> None:
        """Announce the orders of one step."""
        run, deployment = self._run, self._run.plan.deployment
        age = run.steps(deployment.notification_maximum_age_seconds)
        run.record.announcements_given_up += self._stream.drop_older_than(run.step - age)
        size = deployment.notification_batch_size
        seconds = run.plan.durations.notification_seconds
        at_once = self._table.partitions * deployment.notification_parallelization_factor
        at_once = min(at_once, int(run.shared_concurrency(besides="notification")))
        self._batches_owed += at_once * run.seconds / seconds
        batches = min(int(self._batches_owed), -(-self._stream.count // size))
        self._batches_owed = min(self._batches_owed - batches, at_once)
        run.executing["notification"] = batches * seconds / run.seconds

        wanted = min(batches * size, self._stream.count)
        announced = self._topic.admit(wanted, run.seconds)
        if announced < wanted:
            run.hit(Limit.TOPIC_RATE)
        self._stream.take(announced)
        run.record.announced += announced
        if run.seconds_since(self._stream.oldest()) >= NOTABLE_WAIT_SECONDS:
            run.hit(Limit.STREAM_SHARDS)
        if deployment.completion_is_mailed and self._email.admit(announced, run.seconds) < announced:
            run.hit(Limit.TOPIC_EMAIL)
