"""The process whose memory is measured: makes and scans layers of wheels, all at once, and prints its peak in bytes."""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.peak import peak_bytes
from crossdock.layers.cached import wheel_recipe
from crossdock.oci.model import LAYER_GZIP
from crossdock.store.blobs import Store
from crossdock.verify.scan import scan_layer_file
from crossdock.wheels.scheme import posix_venv


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        with ThreadPoolExecutor(max_workers=max(len(sys.argv) - 1, 1)) as pool:
            list(pool.map(lambda argument: _make_and_scan(Path(argument), store), sys.argv[1:]))
    print(peak_bytes())


def _make_and_scan(path: Path, store: Store) -> None:
    wheel = (path.name, store.add_file(path))
    made = wheel_recipe(store, [wheel], posix_venv("app/.venv", "3.11")).make(store)
    scan_layer_file(store.path(made.digest), LAYER_GZIP)


if __name__ == "__main__":
    main()
