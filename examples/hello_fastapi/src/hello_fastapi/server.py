"""The console script ``hello-fastapi``."""

import os

import uvicorn

from hello_fastapi.app import app


def run() -> None:
    """Serve on all interfaces, on port ``PORT`` of the environment or 8000."""
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
