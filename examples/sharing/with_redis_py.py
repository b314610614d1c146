"""Shares a lock with Lockkeeper. Arguments: the port of Redis. Needs redis-py."""

import sys

import redis

client = redis.Redis(port=int(sys.argv[1]))

# The resource `nightly-report` in the layout `string`. With a timeout: without one, a process that dies keeps it for ever.
with client.lock("nightly-report", timeout=15):
    print("Python holds nightly-report")
