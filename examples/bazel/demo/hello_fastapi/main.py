"""Serves on port ``PORT`` of the environment or 8000; with ``--once`` it only tells which machine would."""

import json
import os
import sys

import uvicorn
from demo.hello_fastapi import app

if __name__ == "__main__":
    if sys.argv[1:] == ["--once"]:
        print(json.dumps({"greeting": app.greet("you").message, **app.show_machine()}))
    else:
        uvicorn.run(app.app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
