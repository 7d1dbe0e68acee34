"""``python -m crossdock``."""

from crossdock.cli.main import run

if __name__ == "__main__":
    run()
