"""A Celery worker. Arguments: broker, backend, queue, highest priority or 0. Prints `ready`, and a line for each run."""
import sys

from celery.signals import worker_ready

from tasks import app_of

broker, backend, queue, priorities = sys.argv[1:5]
app = app_of(broker, backend, queue, int(priorities))


@worker_ready.connect
def ready(**_):
    print("ready")


app.worker_main(["worker", "--pool", "solo", "--loglevel", "WARNING", "--queues", queue, "--hostname", "peer-%n"])
