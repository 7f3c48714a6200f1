"""The deployed pipeline as a discrete-event model: API, submission, queue, processing, table, stream, notification.

Each station is a process of simpy that acts once a step, and whatever comes back later (a failed order after the
visibility timeout, an environment after its cold start, a warmer table after half an hour) is an event of its own.
Within a step orders are numbers and not objects: 10,000 a second for an hour are 36 million, of which nobody asks
for a single one, and no limit modelled here reacts within a step. A step is 0.1 s for runs of some minutes and grows
with the run (`arrivals.py`). A test compares the model with a simulation of each single batch where that is feasible.

Not modelled: Lambda's backing off when invocations fail, retries by clients that were refused, errors of the
functions, latency of the network, and environments that Lambda takes away when idle.
"""

from planning.announcing import Announcing
from planning.arrivals import Arrivals
from planning.backlog import Backlog
from planning.intake import Intake
from planning.on_demand_table import OnDemandTable
from planning.plan import Plan
from planning.run import MOST_STEPS_TO_DRAIN, Process, Record, Run
from planning.storing import Storing


def simulate(arrivals: Arrivals, plan: Plan, *, seed: int = 1, queued: int = 0) -> Record:
    """Run the model until everything is settled and return what happened; the same arguments give the same.

    `queued` orders are in the queue already when it begins.
    """
    run = Run(arrivals, plan, seed)
    queue, stream = Backlog(), Backlog()
    queue.add(0, queued)
    table = OnDemandTable(plan.deployment.table_warm_write_units, plan.quotas)
    storing = Storing(run, queue, table, stream)
    # Within a step they act in this order, so that an order can pass all of them.
    run.each_step(Intake(run, queue).act)
    run.each_step(storing.act)
    run.each_step(Announcing(run, table, stream).act)
    run.env.run(until=run.env.process(_watched(run, queue, storing, stream)))
    return run.record


def _watched(run: Run, queue: Backlog, storing: Storing, stream: Backlog) -> Process:
    """Record each step's end, and end when everything is settled or will not be in useful time."""
    record = run.record
    arriving = len(run.arrivals.counts)
    while True:
        record.waiting.append(queue.count + storing.hidden)
        record.oldest_seconds.append(run.seconds_since(queue.oldest()))
        record.places.append(storing.places)
        record.announcements_waiting.append(stream.count)
        is_empty = not (queue.count or storing.hidden or stream.count)
        if run.step >= arriving - 1 and is_empty:
            record.drained = True
            return
        if run.step >= arriving + MOST_STEPS_TO_DRAIN:
            return
        yield run.env.timeout(1)
