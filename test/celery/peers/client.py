"""A Celery client that is told line by line, in JSON, what to do. Arguments: broker, backend, queue, highest priority or 0.

`{"send": NAME, "args", "kwargs", "options"}` prints the id; `{"get": ID, "timeout"}` prints what came of it, or what was
raised; `{"state": ID}` prints the state that is known.
"""
import json
import sys

from celery.result import ResultSet

from tasks import app_of

broker, backend, queue, priorities = sys.argv[1:5]
app = app_of(broker, backend, queue, int(priorities))
results = {}


def send(name, args=(), kwargs=None, options=None):
    result = app.send_task(name, args, kwargs or {}, **(options or {}))
    results[result.id] = result
    return result.id


def get(id, timeout=15):
    try:
        return {"value": results[id].get(timeout=timeout)}
    except Exception as error:
        return raised(error)


def get_many(ids, timeout):
    """All at once: over rpc, one after the other takes Celery half a second each, where they do not come in order."""
    values = ResultSet([results[id] for id in ids]).get(timeout=timeout, propagate=False)
    return [raised(value) if isinstance(value, Exception) else {"value": value} for value in values]


def raised(error):
    kind = type(error)
    return {"raised": f"{kind.__module__}.{kind.__name__}", "args": [str(arg) for arg in error.args]}


print("ready")
for line in sys.stdin:
    told = json.loads(line)
    if "send" in told:
        answer = send(told.pop("send"), **told)
    elif "sendMany" in told:
        answer = [send(told["sendMany"], args) for args in told["calls"]]
    elif "getMany" in told:
        answer = get_many(told["getMany"], told["timeout"])
    elif "state" in told:
        answer = results[told["state"]].state
    else:
        answer = get(told.pop("get"), **told)
    print(json.dumps(answer))
