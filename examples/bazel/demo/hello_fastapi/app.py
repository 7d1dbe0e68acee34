"""The endpoints."""

import os
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query
from libs.machine import machine
from pydantic import BaseModel, Field

app = FastAPI(title="hello-fastapi")


class Greeting(BaseModel):
    """The answer of ``GET /``."""

    message: str = Field(min_length=1)
    name: str = Field(min_length=1, max_length=100)


@app.get("/")
def greet(name: Annotated[str, Query(min_length=1, max_length=100)] = "world") -> Greeting:
    """Greet someone."""
    greeting = os.environ.get("HELLO_GREETING", "Hello")
    return Greeting(message=f"{greeting}, {name}!", name=name)


@app.get("/machine")
def show_machine() -> dict[str, object]:
    """Tell which machine answers, and that compiled code of it works."""
    return {**machine.describe("pydantic_core._pydantic_core"), "norm": float(np.linalg.norm(np.array([3.0, 4.0])))}


@app.get("/health")
def check_health() -> dict[str, str]:
    """Tell that the process serves."""
    return {"status": "ok"}
