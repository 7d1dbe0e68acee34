"""The requirement sets: what real projects ask for, chosen for what they demand of selection."""

from __future__ import annotations

__all__ = ["SETS"]

#: By name: requirements as a project declares them.
SETS: dict[str, tuple[str, ...]] = {
    # Dependencies for one operating system and architecture only, many of them, and wheels for few targets.
    "torch": ("torch", "torchvision"),
    "tensorflow": ("tensorflow",),
    # Versions that fork by Python, wheels for almost everything, free-threaded ones among them.
    "science": ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib"),
    # abi3, of two Python versions side by side, beside version-specific and PyPy wheels.
    "crypto": ("cryptography", "cffi", "pynacl", "bcrypt"),
    "grpc": ("grpcio", "grpcio-tools", "protobuf"),
    # An extra that is another distribution, with markers on implementation and version.
    "postgres": ("psycopg[binary]", "psycopg2-binary", "asyncpg"),
    "parsers": ("orjson", "pydantic", "ujson", "msgspec", "simplejson; implementation_name == 'pypy'"),
    "documents": ("lxml", "pyarrow", "pillow"),
    # abi3 with Python 3.6 and 3.7 in the tag, several manylinux names on one wheel.
    "vision": ("opencv-python-headless",),
    # py3-none wheels for one platform each.
    "browsers": ("playwright", "ruff", "uv"),
    # Markers on every key that tells operating systems apart.
    "windows": (
        "pywin32; sys_platform == 'win32'",
        "colorama; platform_system == 'Windows'",
        "tzdata; os_name == 'nt'",
        "pyobjc-core; sys_platform == 'darwin'",
        "jeepney; sys_platform == 'linux' and platform_machine != 's390x'",
        "iniconfig; platform_machine == 'arm64'",
        "sniffio; platform_machine == 'aarch64' or platform_machine == 'ARM64'",
        "six; platform_machine == 'AMD64' or platform_machine == 'x86'",
        "attrs; platform_machine == 'x86_64' or platform_python_implementation == 'PyPy'",
        "idna; platform_machine == 'riscv64' or platform_machine == 'ppc64le'",
        "click",
        "tqdm",
        "watchdog",
    ),
    "servers": ("uvicorn[standard]", "gunicorn", "aiohttp", "gevent"),
    # What a Python version makes superfluous.
    "backports": (
        "importlib-metadata; python_version < '3.12'",
        "importlib-resources; python_full_version < '3.12.0'",
        "tomli; python_version < '3.11'",
        "exceptiongroup; python_version < '3.11'",
        "typing-extensions; python_version < '3.13'",
        "backports-tarfile; python_version < '3.12'",
        "zipp; 'linux' in sys_platform",
        "pytest",
        "keyring",
    ),
    "telemetry": (
        "opentelemetry-distro",
        "opentelemetry-exporter-otlp",
        "opentelemetry-instrumentation-fastapi",
        "opentelemetry-instrumentation-requests",
    ),
    "cloud": ("boto3", "s3fs", "google-cloud-storage", "azure-storage-blob"),
    "notebooks": ("jupyter", "ipykernel"),
    # One of them, docopt, has never had a wheel.
    "databases": ("sqlalchemy", "greenlet", "pymongo", "duckdb", "redis[hiredis]", "mysqlclient", "docopt"),
}
