"""The first station: API Gateway and the submission function, until an order is in the queue."""

import math

from planning.backlog import Backlog
from planning.limits import Limit
from planning.run import Run
from planning.token_bucket import TokenBucket


class Intake:
    """Takes what arrives, refuses what is too much, and queues the rest."""

    def __init__(self, run: Run, queue: Backlog) -> None:
        deployment, quotas = run.plan.deployment, run.plan.quotas
        self._run = run
        self._queue = queue
        self._route = TokenBucket(deployment.api_throttling_rate_limit, deployment.api_throttling_burst_limit)
        self._account = TokenBucket(quotas.api_requests_per_second, quotas.api_burst_requests)
        self._ramp = TokenBucket(quotas.lambda_new_environments_per_second, quotas.lambda_new_environments_at_once)
        self._warm_environments = 0
        self._starting_environments = 0
        self._statuses_owed = 0.0

    def act(self) -> None:
        """Take the orders of one step."""
        run, record = self._run, self._run.record
        is_over = run.step >= len(run.arrivals.counts)
        offered = 0 if is_over else int(run.arrivals.counts[run.step])
        admitted, statuses = self._admit(offered)
        accepted = self._submit(admitted, statuses)
        record.throttled += offered - admitted
        record.refused += admitted - accepted
        record.offered.append(offered)
        record.accepted.append(accepted)
        self._queue.add(run.step, accepted)
        durations = run.plan.durations
        run.executing["status"] = statuses / run.seconds * durations.status_seconds
        run.executing["submission"] = (
            self._starting_environments + accepted / run.seconds * durations.submission_seconds
        )

    def _admit(self, offered: int) -> tuple[int, int]:
        """Return how many orders, and status requests along with them, the API lets through."""
        run = self._run
        admitted = self._route.admit(offered, run.seconds)
        if admitted < offered:
            run.hit(Limit.API_ROUTE)
        # GET has a route's throttle of its own, as high as that of POST, but shares the account's.
        self._statuses_owed += admitted * run.plan.load.status_requests_per_order
        statuses = int(self._statuses_owed)
        self._statuses_owed -= statuses
        within_account = self._account.admit(admitted + statuses, run.seconds)
        if within_account < admitted + statuses:
            run.hit(Limit.API_ACCOUNT)
            admitted = admitted * within_account // (admitted + statuses)
            statuses = within_account - admitted
        return admitted, statuses

    def _submit(self, requests: int, statuses: int) -> int:
        """Return how many of the step's requests submission takes; the others Lambda refuses."""
        run, durations = self._run, self._run.plan.durations
        reserved = run.plan.deployment.submission_reserved_concurrency
        allowed = int(run.shared_concurrency(besides="submission")) if reserved is None else reserved
        served = min(requests, self._let_through(requests, statuses, reserved))
        if served < requests:
            run.hit(Limit.LAMBDA_REQUESTS if reserved is None else Limit.SUBMISSION_RESERVED)
        by_warm = int(min(self._warm_environments, allowed) * run.seconds / durations.submission_seconds)
        missing = served - by_warm
        if missing <= 0:
            return served
        # A new environment serves one request when it has started, and others in what is left of the step.
        left = max(0.0, run.seconds - durations.cold_start_seconds - durations.submission_seconds)
        by_new = 1 + left / durations.submission_seconds
        wanted = math.ceil(missing / by_new)
        room = max(0, allowed - self._warm_environments - self._starting_environments)
        new = self._ramp.admit(min(wanted, room), run.seconds)
        if room < wanted:
            run.hit(Limit.LAMBDA_ACCOUNT if reserved is None else Limit.SUBMISSION_RESERVED)
        elif new < wanted:
            run.hit(Limit.LAMBDA_RAMP)
        if new:
            self._starting_environments += new
            run.later(durations.cold_start_seconds, lambda: self._have_started(new))
        return min(served, by_warm + int(new * by_new))

    def _let_through(self, requests: int, statuses: int, reserved: int | None) -> int:
        """Return how many requests Lambda lets through to submission, by their number alone."""
        run, quotas = self._run, self._run.plan.quotas
        each = quotas.lambda_requests_per_second_per_concurrency
        if reserved is not None:
            return int(each * reserved * run.seconds)
        # The functions without a reservation share the account's number, each by what it asks for.
        shared = quotas.lambda_concurrency - (run.plan.deployment.processing_reserved_concurrency or 0)
        most = int(each * max(0, shared) * run.seconds)
        return requests if requests + statuses <= most else requests * most // (requests + statuses)

    def _have_started(self, count: int) -> None:
        self._starting_environments -= count
        self._warm_environments += count
