"""Small locks written by hand; ``h(n)`` is a well-formed hash."""

from __future__ import annotations


def h(number: int) -> str:
    return f"{number:064x}"


U = "https://index.example/files"

UV = f"""
version = 1
revision = 3
requires-python = ">=3.11"
conflicts = [[{{ package = "my-app", extra = "old" }}, {{ package = "my-app", extra = "new" }}]]

[[package]]
name = "my-app"
version = "0.1"
source = {{ editable = "." }}
dependencies = [
  {{ name = "server", extra = ["fast"] }},
  {{ name = "num", version = "1.0", marker = "python_full_version < '3.12'" }},
  {{ name = "num", version = "2.0", marker = "python_full_version >= '3.12'" }},
  {{ name = "winonly", marker = "sys_platform == 'win32'" }},
  {{ name = "shared", version = "1.0", marker = "extra == 'extra-6-my-app-old'" }},
  {{ name = "shared", version = "2.0", marker = "extra != 'extra-6-my-app-old'" }},
]

[package.optional-dependencies]
old = [{{ name = "shared", version = "1.0" }}]
new = [{{ name = "shared", version = "2.0" }}]
all = [{{ name = "my-app", extra = ["extra-one"] }}]
extra-one = [{{ name = "one" }}]

[package.dev-dependencies]
dev = [{{ name = "devtool" }}]

[[package]]
name = "server"
version = "3.1"
source = {{ registry = "https://index.example/simple" }}
dependencies = [{{ name = "base" }}]
wheels = [{{ url = "{U}/server-3.1-py3-none-any.whl", hash = "sha256:{h(1)}", size = 10 }}]

[package.optional-dependencies]
fast = [{{ name = "speedups", marker = "platform_machine == 'aarch64'" }}]

[[package]]
name = "base"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
dependencies = [{{ name = "server" }}]
wheels = [{{ url = "{U}/base-1.0-py3-none-any.whl", hash = "sha256:{h(2)}" }}]

[[package]]
name = "speedups"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "{U}/speedups-1.0.tar.gz", hash = "sha256:{h(30)}" }}
wheels = [
  {{ url = "{U}/speedups-1.0-cp311-cp311-manylinux_2_17_aarch64.whl", hash = "sha256:{h(3)}" }},
  {{ url = "{U}/speedups-1.0-cp311-abi3-manylinux_2_17_aarch64.whl", hash = "sha256:{h(4)}" }},
  {{ url = "{U}/speedups-1.0-2-cp311-cp311-manylinux_2_17_aarch64.whl", hash = "sha256:{h(5)}" }},
  {{ url = "{U}/speedups-1.0-10-cp311-cp311-manylinux_2_17_aarch64.whl", hash = "sha256:{h(6)}" }},
  {{ url = "{U}/speedups-1.0-cp311-cp311-manylinux_2_34_aarch64.whl", hash = "sha256:{h(7)}" }},
  {{ url = "{U}/speedups-1.0-cp311-cp311-musllinux_1_2_aarch64.whl", hash = "sha256:{h(8)}" }},
  {{ url = "{U}/speedups-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:{h(9)}" }},
  {{ url = "{U}/speedups-1.0-cp311-cp311-macosx_11_0_arm64.whl", hash = "sha256:{h(10)}" }},
  {{ url = "{U}/speedups-1.0-cp312-cp312-manylinux_2_17_aarch64.whl", hash = "sha256:{h(11)}" }},
  {{ url = "{U}/speedups-1.0-cp311-cp311d-manylinux_2_17_aarch64.whl", hash = "sha256:{h(12)}" }},
]

[[package]]
name = "num"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "{U}/num-1.0-py3-none-any.whl", hash = "sha256:{h(13)}" }}]

[[package]]
name = "num"
version = "2.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "{U}/num-2.0-py3-none-any.whl", hash = "sha256:{h(14)}" }}]

[[package]]
name = "shared"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "{U}/shared-1.0-py3-none-any.whl", hash = "sha256:{h(15)}" }}]

[[package]]
name = "shared"
version = "2.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "{U}/shared-2.0-py3-none-any.whl", hash = "sha256:{h(16)}" }}]

[[package]]
name = "winonly"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
wheels = [{{ url = "{U}/winonly-1.0-py3-none-win_amd64.whl", hash = "sha256:{h(17)}" }}]

[[package]]
name = "one"
version = "1.0"
source = {{ path = "wheels/one-1.0-py3-none-any.whl" }}
wheels = [{{ filename = "one-1.0-py3-none-any.whl", hash = "sha256:{h(18)}" }}]

[[package]]
name = "devtool"
version = "1.0"
source = {{ git = "https://git.example/devtool?rev=main#{"ab" * 20}" }}
"""

PYLOCK = f"""
lock-version = "1.0"
created-by = "hand"
requires-python = ">=3.11"
extras = ["pics"]
dependency-groups = ["dev", "docs"]
default-groups = ["dev"]

[[packages]]
name = "base"
version = "1.0"
wheels = [{{ url = "{U}/base-1.0-py3-none-any.whl", size = 5, hashes = {{ sha256 = "{h(1)}" }} }}]

[[packages]]
name = "pics"
version = "1.0"
marker = "'pics' in extras"
wheels = [{{ url = "{U}/pics-1.0-py3-none-any.whl", hashes = {{ sha256 = "{h(2)}" }} }}]

[[packages]]
name = "devtool"
version = "1.0"
marker = "'dev' in dependency_groups"
archive = {{ url = "{U}/devtool-1.0-py3-none-any.whl", hashes = {{ sha256 = "{h(3)}" }} }}

[[packages]]
name = "tree"
marker = "sys_platform == 'win32'"
directory = {{ path = "lib/tree" }}

[[packages]]
name = "my-app"
directory = {{ path = ".", editable = true }}
"""

REQUIREMENTS = f"""# made by hand
--index-url https://user:secret@index.example/simple
base==1.0 \\
    --hash=sha256:{h(1)} \\
    --hash=sha256:{h(2)}
    # via my-app
winonly==2.0 ; sys_platform == 'win32' --hash=sha256:{h(3)}
Server[fast]==3.1 --hash sha256:{h(4)}  # a comment
direct @ {U}/direct-1.0-py3-none-any.whl --hash=sha256:{h(5)}
./wheels/local-1.0-py3-none-any.whl --hash=sha256:{h(6)}
-e .
"""
