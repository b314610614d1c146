"""The classic pattern in Celery: a task tries for a semaphore of kazoo, and is retried a second later when it is refused."""

import os
import sys
import time

from celery import Celery
from celery.signals import worker_process_init
from kazoo.client import KazooClient
from redis import Redis

app = Celery("classic", broker=os.environ["BENCH_BROKER"])
app.conf.task_ignore_result = True
app.conf.task_default_queue = os.environ["BENCH_NAME"]
name = os.environ["BENCH_NAME"]
capacity = int(os.environ["BENCH_CAPACITY"])
seconds = float(os.environ["BENCH_MS"]) / 1000
redis = Redis.from_url(os.environ["BENCH_TALLIES"])
zookeeper = None


@worker_process_init.connect
def connect(**_):
    global zookeeper
    zookeeper = KazooClient(hosts=os.environ["BENCH_ZOOKEEPER"])
    zookeeper.start()
    redis.incr(name + ":workers")


# By a name of its own: the program that publishes has another one for this module than the workers.
@app.task(bind=True, name="work", max_retries=None)
def work(self, index):
    redis.incr(name + ":deliveries")
    semaphore = zookeeper.Semaphore("/classic/" + name, max_leases=capacity)
    if not semaphore.acquire(blocking=False):
        raise self.retry(countdown=1)
    start = time.time()
    time.sleep(seconds)
    end = time.time()
    semaphore.release()
    redis.rpush(name + ":ran", f"{index} {start * 1000} {end * 1000}")


if __name__ == "__main__":
    for i in range(int(sys.argv[1])):
        work.delay(i)
