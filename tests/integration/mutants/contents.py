"""Mutants that are started by the wrong thing, or hold what has no place in them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

from tests.integration.mutants.artifacts import REBUILT
from tests.support.binarypatches import Elf
from tests.support.mutants import Table
from tests.support.treefiles import TreeFile

from crossdock.verify.exceptions import Allowance

if TYPE_CHECKING:
    from tests.integration.mutants.artifacts import CleanArtifacts
    from tests.support.mutants import Built, Bundle, Image
    from tests.support.treefiles import TreeFiles

__all__ = ["ROWS"]

_TABLE = Table()
_row = _TABLE.row
ROWS = _TABLE.rows

_SITE = "lib/python3.11/site-packages"
_CORE = f"{_SITE}/pydantic_core/_pydantic_core.*.so"
_LABEL = "pydantic-core *"
_VENV = "app/.venv"
_OWN = "hello_fastapi-"


@_row("Linux environment", "script-foreign", "pyvenv.cfg has its Python in C:\\Python311", path="pyvenv.cfg")
def environment_of_windows(it: Bundle, _: CleanArtifacts) -> None:
    it.files.edit("pyvenv.cfg", "home = /usr/bin", "home = C:\\Python311")


@_row("Windows environment", "script-foreign", "pyvenv.cfg has its Python in /usr/bin", path="pyvenv.cfg")
def environment_of_linux(it: Bundle, _: CleanArtifacts) -> None:
    text = it.files.text("pyvenv.cfg")
    it.files.write(
        "pyvenv.cfg",
        "".join(
            "home = /usr/bin\n" if line.startswith("home") else line for line in text.splitlines(keepends=True)
        ).encode(),
    )


@_row(
    "image",
    "script-foreign",
    "the first line of a console script names C:\\Python311\\python.exe",
    path=f"{_VENV}/bin/hello-fastapi",
    package="hello-fastapi *",
)
def script_of_windows(it: Image, _: CleanArtifacts) -> None:
    script = b"#!C:\\Python311\\python.exe\nimport sys\n"
    it.layout.edit_layer(_OWN, lambda files: files.write("*/bin/hello-fastapi", script))


@_row("image", "interpreter-missing", "bin/python leads to python3.99", path=f"{_VENV}/bin/python")
def link_to_no_interpreter(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer("environment", lambda files: files.link(f"{_VENV}/bin/python", "/usr/bin/python3.99"))


@_row(
    "image",
    "interpreter-missing",
    "the first line of a console script names /opt/python/bin/python",
    path=f"{_VENV}/bin/hello-fastapi",
    package="hello-fastapi *",
)
def script_without_an_interpreter(it: Image, _: CleanArtifacts) -> None:
    script = b"#!/opt/python/bin/python\nimport sys\n"
    it.layout.edit_layer(_OWN, lambda files: files.write("*/bin/hello-fastapi", script))


@_row("image", "interpreter-missing", "its config starts a program that is not there", path="app/start")
def entrypoint_that_is_not_there(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_config(lambda config: config["config"].update(Entrypoint=["/app/start"]))


@_row("image", "interpreter-missing", "its config starts a program that is not on its PATH", path="hello-fastapi")
def entrypoint_that_is_not_on_path(it: Image, _: CleanArtifacts) -> None:
    def change(config: dict[str, dict[str, object]]) -> None:
        config["config"].update(Entrypoint=["hello-fastapi"], Env=["PATH=/usr/bin"])

    it.layout.edit_config(change)


@_row("image", "interpreter-missing", "the interpreter is taken out of its base", path=f"{_VENV}/bin/python")
def base_without_its_interpreter(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer("debian:bookworm", lambda files: files.remove("usr/bin/python3.11", record=False))


@_row("Linux environment", "interpreter-version", "its packages lie in lib/python3.12", path="pyvenv.cfg")
def packages_of_another_python(it: Bundle, _: CleanArtifacts) -> None:
    it.files.rename_below("lib/python3.11", "python3.11", "python3.12")


@_row("image", "interpreter-version", "pyvenv.cfg says 3.12", path=f"{_VENV}/pyvenv.cfg")
def environment_of_another_python(it: Image, _: CleanArtifacts) -> None:
    def change(files: TreeFiles) -> None:
        lines = files.text("*pyvenv.cfg").splitlines()
        changed = ["version = 3.12.1" if line.startswith("version") else line for line in lines]
        files.write("*pyvenv.cfg", "\n".join(changed).encode())

    it.layout.edit_layer("environment", change)


@_row("Linux environment", "interpreter-version", "pyvenv.cfg says 3.12", path="pyvenv.cfg")
def configuration_of_another_python(it: Bundle, _: CleanArtifacts) -> None:
    it.files.edit("pyvenv.cfg", "version = 3.11.0", "version = 3.12.0")


@_row(
    "Linux environment",
    "host-path",
    "a .pth file names a folder of the building machine",
    path=f"{_SITE}/editable.pth",
)
def path_of_an_editable_install(it: Bundle, _: CleanArtifacts) -> None:
    it.files.add(f"{_SITE}/editable.pth", TreeFile(b"/home/runner/work/app/src\n"))


@_row(
    "image",
    "host-path",
    "the first line of a console script names a Python in a home",
    path=f"{_VENV}/bin/hello-fastapi",
    package="hello-fastapi *",
)
def script_of_a_home(it: Image, _: CleanArtifacts) -> None:
    script = b"#!/home/runner/work/app/.venv/bin/python\nimport sys\n"
    it.layout.edit_layer(_OWN, lambda files: files.write("*/bin/hello-fastapi", script))


@_row("image", "host-path", "bin/python leads to a Python in a home", path=f"{_VENV}/bin/python")
def link_into_a_home(it: Image, _: CleanArtifacts) -> None:
    target = "/root/.local/share/uv/python/cpython-3.11/bin/python3.11"
    it.layout.edit_layer("environment", lambda files: files.link(f"{_VENV}/bin/python", target))


@_row("Linux environment", "link-outside", "a link leads to /etc", path="conf")
def link_that_leads_out(it: Bundle, _: CleanArtifacts) -> None:
    it.files.add("conf", TreeFile(kind=tarfile.SYMTYPE, link="/etc"))


@_row("image", "set-id", "a console script has the mode 4755", path=f"{_VENV}/bin/hello-fastapi", package="hello-*")
def program_with_the_rights_of_its_owner(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer(_OWN, lambda files: files.mode("*/bin/hello-fastapi", 0o4755))


@_row(
    "Linux environment", "world-writable", "a module has the mode 0666", path=f"{_SITE}/idna/core.py", package="idna *"
)
def module_that_anybody_may_change(it: Bundle, _: CleanArtifacts) -> None:
    it.files.mode("*/idna/core.py", 0o666)


@_row("image", "secret", "a file of settings with a password is added", path="app/.env")
def settings_with_a_password(it: Image, _: CleanArtifacts) -> None:
    it.layout.edit_layer(_OWN, lambda files: files.add("app/.env", TreeFile(_SETTINGS)))


@_row("function", "secret", "a private key is added", path="server.pem")
def private_key(it: Bundle, _: CleanArtifacts) -> None:
    it.files.add("server.pem", TreeFile(_KEY))


@_row(REBUILT, "not-rebuilt", "the time of a file in its archive is another")
def time_of_a_file(it: Built, _: CleanArtifacts) -> None:
    with tarfile.open(fileobj=io.BytesIO(it.data)) as archive:
        member = next(item for item in archive if item.isreg())
    header = bytearray(it.data[member.offset : member.offset + 512])
    header[136:148] = b"%011o\0" % (int(member.mtime) + 60)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    it.data = it.data[: member.offset] + header + it.data[member.offset + 512 :]


@_row("Linux environment", "allow-unused", "it is asked with an exception for a file that is not there")
def exception_for_nothing(it: Bundle, _: CleanArtifacts) -> None:
    it.asked.allow = (Allowance(path="app/nothing.so", reason="it was there once"),)


@_row(
    "Linux environment",
    "exception-expired",
    "a module says FreeBSD (`elf-os`), and the exception for it has ended",
    beside=["elf-os"],
)
def exception_of_yesterday(it: Bundle, _: CleanArtifacts) -> None:
    it.files.patch(_CORE, Elf, lambda elf: elf.ident(7, 9))
    it.asked.allow = (Allowance(code="elf-os", package="pydantic-core", expires=dt.date(2020, 1, 1)),)


_SETTINGS = b"DB_HOST=db\nDB_PASSWORD=x7Gq9sLpT2vRk4\n"


def _key() -> bytes:
    """Make what has the form of a key; in one piece, it would be found in this file."""
    body = b"".join(hashlib.sha512(bytes([number])).digest() for number in range(10))
    lines = base64.encodebytes(body).decode()
    mark = "PRIVATE KEY"
    return f"-----BEGIN {mark}-----\n{lines}-----END {mark}-----\n".encode()


_KEY = _key()
