"""Locks and semaphores of kazoo, told what to do line by line. Arguments: hosts."""

import sys
import time

from kazoo.client import KazooClient

client = KazooClient(hosts=sys.argv[1], timeout=10)
client.start()
held = {}


def made(kind, path, leases="1"):
    """The object of this path: kazoo looks at a semaphore's number only when an object is used for the first time."""
    if path not in held:
        held[path] = client.Lock(path, "kazoo") if kind == "lock" else client.Semaphore(path, "kazoo", int(leases))
    return held[path]


def acquire(kind, path, leases="1"):
    return "held" if made(kind, path, leases).acquire(timeout=20) else "refused"


def attempt(kind, path, leases="1"):
    return "held" if made(kind, path, leases).acquire(blocking=False) else "refused"


def release(path):
    made("lock", path).release()
    return "released"


def refuses(path, leases):
    """What kazoo says to another number."""
    try:
        client.Semaphore(path, "kazoo", int(leases)).acquire(blocking=False)
        return "took it"
    except ValueError as error:
        return str(error)


def contenders(path):
    return " ".join(name.split("\n")[0] for name in client.Lock(path).contenders())


def holders(path, leases):
    return str(len(client.Semaphore(path, "kazoo", int(leases)).lease_holders()))


def count(path, counter, seconds):
    """Adds to a number in steps that are not one, under the lock, for so long. Says how often."""
    times = 0
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with client.Lock(path, "kazoo"):
            value = int(client.get(counter)[0])
            time.sleep(0.001)
            client.set(counter, str(value + 1).encode())
        times += 1
    return str(times)


def crowd(path, leases, room, seconds):
    """Goes in and out under the semaphore, for so long. Says how often, and how many it ever met inside."""
    times, most = 0, 0
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with client.Semaphore(path, "kazoo", int(leases)):
            inside = client.create(room + "/inside-", ephemeral=True, sequence=True)
            most = max(most, len(client.get_children(room)))
            time.sleep(0.002)
            client.delete(inside)
        times += 1
    return f"{times} {most}"


commands = {each.__name__: each for each in (acquire, attempt, release, refuses, contenders, holders, count, crowd)}
print("ready")
for line in sys.stdin:
    name, *arguments = line.split()
    print(commands[name](*arguments))
