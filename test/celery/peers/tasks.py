"""The Celery app of the peers, with the settings that Celery has by default, and its tasks."""
import json
import sys
import time

from celery import Celery


def app_of(broker, backend, queue, priorities):
    app = Celery("peers", broker=broker, backend=backend)
    app.conf.task_default_queue = queue
    if priorities:
        app.conf.task_queue_max_priority = priorities
    # What tasks print goes to whoever started the worker.
    app.conf.worker_redirect_stdouts = False

    def tell(request, **more):
        print(json.dumps({"ran": request.task, "id": request.id, "retries": request.retries, **more}))
        sys.stdout.flush()

    @app.task(name="py.add", bind=True)
    def add(self, a, b=0):
        tell(self.request)
        return a + b

    @app.task(name="py.fail", bind=True)
    def fail(self, *args):
        raise ValueError(*args)

    @app.task(name="py.retry", bind=True, max_retries=5)
    def retry(self, times):
        tell(self.request)
        if self.request.retries < times:
            raise self.retry(countdown=0.1)
        return self.request.retries

    @app.task(name="py.request", bind=True)
    def request(self, *args, **kwargs):
        r = self.request
        return {
            "args": args,
            "kwargs": kwargs,
            "timelimit": r.timelimit,
            "expires": r.expires,
            "eta": r.eta,
            "priority": r.delivery_info["priority"],
            "root_id": r.root_id,
            "ignore_result": r.ignore_result,
            "trace": r.get("x-trace"),
            "retries": r.retries,
        }

    @app.task(name="mixed.work", bind=True)
    def work(self, n):
        tell(self.request, n=n)
        time.sleep(0.002)
        return n * 2

    return app
