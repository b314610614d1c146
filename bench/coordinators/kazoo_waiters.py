"""
A thread for each who waits. Told its number, it acquires; told it again, it releases; it repeats the number when it has.
Told `requests`, the program prints how many there were since it was last told.
"""

import queue
import sys
import threading

from kazoo.client import KazooClient

hosts, path, capacity = sys.argv[1], sys.argv[2], int(sys.argv[3])
requests = 0
saying = threading.Lock()


class CountedClient(KazooClient):
    def _call(self, request, async_object):
        global requests
        requests += 1
        return super()._call(request, async_object)


client = CountedClient(hosts=hosts)
client.start()


def say(what):
    with saying:
        print(what, flush=True)


def wait(number, told):
    lock = client.Lock(path) if capacity == 1 else client.Semaphore(path, max_leases=capacity)
    while True:
        for act in (lock.acquire, lock.release):
            told.get()
            act()
            say(number)


waiting = {}
for line in sys.stdin:
    number = line.strip()
    if number == "requests":
        say(f"requests {requests}")
        requests = 0
        continue
    if number not in waiting:
        waiting[number] = queue.Queue()
        threading.Thread(target=wait, args=(number, waiting[number]), daemon=True).start()
    waiting[number].put(None)
