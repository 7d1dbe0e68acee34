"""The tasks, and what is done with them."""

import json
from pathlib import Path

from pydantic import BaseModel


class Task(BaseModel):
    """Numbers to be added."""

    name: str
    numbers: list[int]


def load_tasks() -> list[Task]:
    """Read the tasks from the file beside this one."""
    text = Path(__file__).with_name("tasks.json").read_text(encoding="utf-8")
    return [Task.model_validate(item) for item in json.loads(text)]


def run(task: Task) -> str:
    """Do a task."""
    return f"{task.name}: {sum(task.numbers)}"


def handle(event: dict[str, object], context: object) -> str:  # noqa: ARG001
    """Do the task that an event holds."""
    return run(Task.model_validate(event))
