"""Shares a lock and a semaphore with Lockkeeper. Arguments: the hosts of ZooKeeper. Needs kazoo."""

import sys

from kazoo.client import KazooClient

client = KazooClient(hosts=sys.argv[1])
client.start()

# The resource `nightly-report`, which nobody gives a capacity, is a lock.
with client.Lock("/lk/nightly-report", "python"):
    print("Python holds nightly-report")

# The resource `storage` has a capacity of 3 everywhere, so it is a semaphore of 3.
with client.Semaphore("/lk/storage", "python", max_leases=3):
    print("Python holds a share of storage")

client.stop()
