"""Loading a finished image into the container engine that runs on this machine: docker, podman or containerd."""

from crossdock.engines.finding import ENGINES, find_engine
from crossdock.engines.model import Engine, Loaded

__all__ = ["ENGINES", "Engine", "Loaded", "find_engine"]
