"""What the endpoints answer with, checked by pydantic."""

from pydantic import BaseModel, Field


class Greeting(BaseModel):
    """The answer of ``GET /``."""

    message: str = Field(min_length=1)
    name: str = Field(min_length=1, max_length=100)


class Health(BaseModel):
    """The answer of ``GET /healthz``."""

    status: str = "ok"


class Compiled(BaseModel):
    """A distribution that holds extension modules or shared libraries."""

    version: str
    files: list[str]


class Machine(BaseModel):
    """The answer of ``GET /machine``."""

    machine: str = Field(description="Processor architecture as the kernel names it, such as x86_64 or aarch64")
    python: str
    executable: str
    libc: str
    uid: int | None = Field(description="Numeric user id of the process; absent where the system has none")
    norm: float = Field(description="Length of the vector (3, 4) as numpy's compiled code computes it")
    compiled: dict[str, Compiled] = Field(description="Distributions that hold compiled files, by name")
    distributions: dict[str, str] = Field(description="Versions of all installed distributions, by name")
