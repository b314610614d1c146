"""A process that takes redis-py's Lock, and is told line by line what to do. Arguments: port, name of the lock.

`acquire SECONDS` waits so long, `release`, and `count NAME SECONDS` increments a number under the lock for so long, reading
it and writing it in two steps. Prints what came of it.
"""
import sys
import time

import redis
from redis.exceptions import LockError

port, name = int(sys.argv[1]), sys.argv[2]
client = redis.Redis(port=port, decode_responses=True)
lock = client.lock(name, timeout=10, sleep=0.01)


def count(counter, seconds):
    done, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with lock:
            value = int(client.get(counter) or 0)
            time.sleep(0.001)
            client.set(counter, value + 1)
        done += 1
        # Nobody stands in line for this key, so whoever comes back at once has it again.
        time.sleep(0.01)
    return done


print("ready")
for line in sys.stdin:
    command, *args = line.split()
    try:
        if command == "acquire":
            print("held" if lock.acquire(blocking_timeout=float(args[0])) else "busy")
        elif command == "release":
            lock.release()
            print("released")
        elif command == "count":
            print(count(args[0], float(args[1])))
    except LockError as error:
        print(type(error).__name__)
