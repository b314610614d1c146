"""Calls a task of Lockkeeper from Celery.

    python3 examples/celery/call.py amqp://localhost celery
"""
import sys

from celery import Celery

app = Celery("example", broker=sys.argv[1], backend="rpc://")
app.conf.task_default_queue = sys.argv[2]

print(app.send_task("mail.send", ["ann@example.org"], {"subject": "Hello"}).get(timeout=30))
try:
    app.send_task("mail.send", ["ann", "Hello"], countdown=0.1).get(timeout=30)
except ValueError as error:
    print(f"Node has thrown ValueError: {error}")
