"""A worker of Celery on the queue.

    python3 examples/celery/worker.py amqp://localhost celery
"""
import sys

from celery import Celery

app = Celery("example", broker=sys.argv[1], backend="rpc://")
app.conf.task_default_queue = sys.argv[2]


@app.task(name="reports.total")
def total(prices):
    if not prices:
        raise ValueError("nothing to count")
    return sum(prices)


app.worker_main(["worker", "--pool", "solo", "--loglevel", "WARNING"])
