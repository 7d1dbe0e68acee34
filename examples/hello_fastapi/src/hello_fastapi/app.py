"""The endpoints."""

import os
from typing import Annotated

from fastapi import FastAPI, Query

from hello_fastapi import machine
from hello_fastapi.models import Greeting, Health, Machine

app = FastAPI(title="hello-fastapi")


@app.get("/")
def greet(name: Annotated[str, Query(min_length=1, max_length=100)] = "world") -> Greeting:
    """Greet someone."""
    greeting = os.environ.get("HELLO_GREETING", "Hello")
    return Greeting(message=f"{greeting}, {name}!", name=name)


@app.get("/machine")
def show_machine() -> Machine:
    """Tell which machine answers, and with which packages."""
    return machine.describe()


@app.get("/healthz")
def check_health() -> Health:
    """Tell that the process serves."""
    return Health()
