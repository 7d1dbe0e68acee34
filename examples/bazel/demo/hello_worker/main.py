"""Does all tasks, and ends."""

import json

from demo.hello_worker import tasks
from libs.machine import machine

if __name__ == "__main__":
    for task in tasks.load_tasks():
        print(tasks.run(task))
    print(json.dumps(machine.describe("pydantic_core._pydantic_core")))
