"""Pairs of an acquire and a release, in as many threads as there are keys. Told what and how many, prints pairs a second."""

import sys
import threading
import time

from kazoo.client import KazooClient

client = KazooClient(hosts=sys.argv[1])
client.start()
print("ready")


def made(kind, path):
    return client.Lock(path) if kind == "lock" else client.Semaphore(path, max_leases=10)


def turn(lock, times):
    for _ in range(times):
        lock.acquire()
        lock.release()


for line in sys.stdin:
    kind, name, keys, each = line.split()
    locks = [made(kind, f"/kazoo/{name}-{i}") for i in range(int(keys))]
    for lock in locks:
        turn(lock, 1)
    threads = [threading.Thread(target=turn, args=(lock, int(each))) for lock in locks]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(locks) * int(each) / (time.monotonic() - start))
