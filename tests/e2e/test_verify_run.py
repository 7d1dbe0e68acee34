"""Code run inside finished artifacts: images, PEX files, functions and environments, on this machine and under QEMU.

What runs there is hostile in some of the tests, and must reach nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command, write_files
from tests.e2e.engines import MACHINES, require, require_machine

from crossdock.oci.layout_files import open_layout
from crossdock.running.images import Image, OpenedLayout, images_of
from crossdock.running.judging import judge_imports, judge_run
from crossdock.running.limits import RunLimits
from crossdock.running.machine import NotRun, survey
from crossdock.running.runner import Imports, Ran, Ready, imports_of, prepared, run_in
from crossdock.running.staging import Runnable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.builds import Tiny

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "hello_fastapi"
HERE = {machine: name for name, machine in MACHINES.items()}[os.uname().machine]
SITE = "app/.venv/lib/python3.11/site-packages"
VERSION = "import platform, pydantic_core; print(pydantic_core.__version__, platform.machine())"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    """The example's image for both architectures, made by the command line."""
    require("bwrap")
    path = tmp_path_factory.mktemp("example") / "layout"
    done = Command(cache=shared_cache).run("image", EXAMPLE, "--output", path)
    assert done.code == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def ready(layout: Path) -> Iterator[Ready]:
    """The image for this machine, unpacked once; no run changes it."""
    with prepared(runnable(layout, HERE)) as opened:
        assert isinstance(opened, Ready)
        yield opened


@pytest.fixture(scope="module")
def foreign(layout: Path) -> Iterator[Ready]:
    """The image for the other architecture."""
    require_machine(other())
    with prepared(runnable(layout, other())) as opened:
        assert isinstance(opened, Ready)
        yield opened


def other() -> str:
    (architecture,) = MACHINES.keys() - {HERE}
    return architecture


def image(layout: Path, architecture: str) -> Image:
    found = {item.platform.architecture: item for item in images_of(OpenedLayout(open_layout(layout), "the layout"))}
    return found[architecture]


def runnable(layout: Path, architecture: str) -> Runnable:
    opened = image(layout, architecture)
    return Runnable(kind="image", platform=opened.platform, image=opened)


def ran(result: Ran | NotRun) -> Ran:
    assert isinstance(result, Ran), result
    return result


def imported(result: Imports | NotRun) -> Imports:
    assert isinstance(result, Imports), result
    return result


def locked(name: str) -> str:
    return versions()[name]


def versions() -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (EXAMPLE / "requirements.txt").read_text(), re.MULTILINE))


def with_layer(layout: Path, architecture: str, members: Mapping[str, bytes | str], folder: Path) -> Path:
    """Copy one image of a layout, with one more layer: files by their content, links by where they lead."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
    blobs = folder / "blobs" / "sha256"
    shutil.copytree(layout, folder, copy_function=os.link)

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def get(descriptor: dict[str, Any]) -> Any:
        return json.loads((blobs / descriptor["digest"].removeprefix("sha256:")).read_bytes())

    (entry_of_index,) = json.loads((folder / "index.json").read_bytes())["manifests"]
    (of_platform,) = [
        item for item in get(entry_of_index)["manifests"] if item["platform"]["architecture"] == architecture
    ]
    manifest = get(of_platform)
    config = get(manifest["config"])
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(plain.getvalue()).hexdigest()}")
    config["history"] = []
    manifest["layers"].append(put(gzip.compress(plain.getvalue()), manifest["layers"][0]["mediaType"]))
    manifest["config"] = put(json.dumps(config).encode(), manifest["config"]["mediaType"])
    made = put(json.dumps(manifest).encode(), of_platform["mediaType"])
    (folder / "index.json").unlink()
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [made]}))
    return folder


def distribution(name: str, files: Mapping[str, str]) -> dict[str, bytes | str]:
    """A distribution in the image's environment."""
    info = f"{name}-1.0.dist-info"
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/METADATA", f"{info}/RECORD"))
    texts = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/RECORD": record,
    }
    return {f"{SITE}/{path}": text.encode() for path, text in texts.items()}


# What runs.


def test_code_runs_in_an_image_as_its_own_user_in_its_own_folder(ready: Ready) -> None:
    done = ran(ready.run(f"{VERSION}; import os; print(os.getuid(), os.getcwd(), os.environ['HELLO_GREETING'])"))
    assert done.stdout.split() == [locked("pydantic-core"), MACHINES[HERE], "65532", "/app", "Hello"]
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.how == "on this machine's processor, in bubblewrap, by /app/.venv/bin/python"
    assert not judge_run(done, image_platform(HERE))


def test_code_runs_in_an_image_for_another_architecture_under_qemu(foreign: Ready) -> None:
    done = ran(foreign.run(VERSION))
    assert done.stdout.split() == [locked("pydantic-core"), MACHINES[other()]]
    assert done.how.startswith("under QEMU, in bubblewrap")


def test_the_emulator_is_named_where_the_kernel_is_told_of_none(foreign: Ready, layout: Path) -> None:
    machine = survey()
    if other() not in machine.emulators:
        pytest.skip("there is no static QEMU")
    told_of_none = replace(machine, registered=frozenset())
    with prepared(runnable(layout, other()), machine=told_of_none) as opened:
        assert isinstance(opened, Ready)
        assert opened.way.emulator
        done = ran(opened.run(f"{VERSION}; import sys; print(sys.prefix)"))
    assert done.stdout.split() == [locked("pydantic-core"), MACHINES[other()], "/app/.venv"]


@pytest.mark.parametrize("which", ["ready", "foreign"])
def test_all_declared_modules_of_a_good_image_can_be_imported(which: str, request: pytest.FixtureRequest) -> None:
    result = imported(request.getfixturevalue(which).imports())
    assert result.failed == ()
    assert (result.untried, result.problem) == (0, "")
    assert result.packages > 10
    assert result.modules >= result.packages
    assert not judge_imports(result, image_platform(HERE))


def test_an_image_with_a_library_of_another_machine_fails_by_the_modules_name(
    ready: Ready, layout: Path, tmp_path: Path
) -> None:
    require_machine(other())
    (library,) = (ready.stage.scene.root / SITE / "pydantic_core").glob("*.so")
    wrong = library.name.replace(MACHINES[HERE], MACHINES[other()])
    mixed = with_layer(layout, other(), {f"{SITE}/pydantic_core/{wrong}": library.read_bytes()}, tmp_path / "mixed")
    item = runnable(mixed, other())
    with prepared(item) as opened:
        assert isinstance(opened, Ready)
        (finding,) = judge_run(opened.run(VERSION), item.platform)
        modules = imported(opened.imports())
    assert (finding.code, finding.severity) == ("run-failed", "error")
    assert "pydantic_core/_pydantic_core" in finding.found
    assert str(item.platform) in finding.wanted
    failed = {failure.module: failure for failure in modules.failed}
    # Those that need it fail with it, all others do not.
    assert set(failed) == {"pydantic_core", "pydantic", "fastapi", "hello_fastapi"} & set(failed) | {"pydantic_core"}
    assert failed["pydantic_core"].package == f"pydantic_core {locked('pydantic-core')}"
    assert "ImportError" in failed["pydantic_core"].error
    told = [finding.sentence for finding in judge_imports(modules, item.platform)]
    assert any("module pydantic_core cannot be imported: ImportError" in sentence for sentence in told)


def test_modules_that_end_the_process_do_not_keep_others_from_being_tried(layout: Path, tmp_path: Path) -> None:
    modules = {
        "aa_first.py": "print('{\"start\": 3}')",
        "bb_crash.py": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
        "cc_leaves.py": "import os; os._exit(0)",
        "dd_exits.py": "raise SystemExit(3)",
        "ee_missing.py": "import nowhere_to_be_found",
        "ff_thread.py": "import threading; threading.Thread(target=threading.Event().wait).start()",
    }
    crashing = with_layer(layout, HERE, distribution("aardvark", modules), tmp_path / "crashing")
    result = imported(imports_of(runnable(crashing, HERE)))
    assert {failure.module: failure.error for failure in result.failed} == {
        "bb_crash": "the process was ended by SIGILL",
        "cc_leaves": "the process ended with exit code 0",
        "dd_exits": "SystemExit: 3",
        "ee_missing": "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    }
    assert {failure.package for failure in result.failed} == {"aardvark 1.0"}
    assert result.modules > len(modules)
    assert result.untried == 0


def test_a_module_that_never_ends_is_named_and_the_rest_is_counted(layout: Path, tmp_path: Path) -> None:
    waiting = with_layer(
        layout, HERE, distribution("aardvark", {"aa_waits.py": "while True: pass"}), tmp_path / "waiting"
    )
    result = imported(imports_of(runnable(waiting, HERE), limits=RunLimits(seconds=3)))
    assert [(failure.module, failure.error) for failure in result.failed] == [("aa_waits", "not imported within 3 s")]
    assert result.untried == result.modules - 1
    assert [finding.code for finding in judge_imports(result, image_platform(HERE))] == ["run-failed"] * 2


# Artifacts without an interpreter of their own.


@pytest.fixture(scope="module")
def pexes(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("pexes")
    done = Command(cache=shared_cache).run("pex", EXAMPLE, "--output", folder)
    assert done.code == 0, done.stderr
    return folder


def test_a_pex_runs_in_a_base_of_its_platform(pexes: Path, tiny: Tiny) -> None:
    require_machine("arm64")
    base = image(tiny.layout, "arm64")
    pex = pexes / "hello-fastapi_linux_arm64.pex"
    item = Runnable(kind="pex", platform=base.platform, path=pex, python="3.11", base=base)
    # A PEX looks at the interpreters it finds, and unpacks itself: half a minute under QEMU on an idle machine.
    done = ran(run_in(item, VERSION, limits=RunLimits(seconds=500)))
    assert done.stdout.split() == [locked("pydantic-core"), "aarch64"], done.stderr


def test_only_the_modules_of_the_pex_are_imported_and_not_those_of_the_base(pexes: Path, tiny: Tiny) -> None:
    base = image(tiny.layout, HERE)
    pex = pexes / f"hello-fastapi_linux_{HERE}.pex"
    item = Runnable(kind="pex", platform=base.platform, path=pex, python="3.11", base=base)
    own = {*versions(), "hello-fastapi"}
    assert "markupsafe" not in own  # which the base has
    result = imported(imports_of(item))
    assert 10 < result.packages <= len(own)
    assert result.failed == ()


def test_a_base_of_another_platform_or_python_is_refused(pexes: Path, tiny: Tiny) -> None:
    pex = pexes / f"hello-fastapi_linux_{HERE}.pex"
    here, there = image(tiny.layout, HERE), image(tiny.layout, other())
    item = Runnable(kind="pex", platform=here.platform, path=pex, python="3.11", base=there)
    result = run_in(item, "print()")
    assert isinstance(result, NotRun)
    assert f"is for {there.platform}" in result.why
    result = run_in(replace(item, base=here, python="3.13"), "print()")
    assert isinstance(result, NotRun)
    assert "is 3.11, and the artifact is for 3.13" in result.why


def test_a_function_runs_where_its_cloud_unpacks_it(tiny: Tiny, shared_cache: Path, tmp_path: Path) -> None:
    require_machine("arm64")
    project = tiny.copy(tmp_path / "project")
    write_files(project, {"src/tiny/__init__.py": "def main(event, context):\n    return 1\n"})
    outcome = Command(cache=shared_cache).run(
        *("lambda", project, "--target", "aws-lambda-python3.11/arm64", "--handler", "tiny.main"),
        *("--output", tmp_path / "out"),
    )
    assert outcome.code == 0, outcome.stderr
    (function,) = (tmp_path / "out").glob("*.zip")
    base = replace(image(tiny.layout, "arm64"), variables={"PATH": "/usr/bin:/bin"}, entrypoint=())
    item = Runnable(kind="function", platform=base.platform, path=function, python="3.11", base=base)
    with prepared(item) as opened:
        assert isinstance(opened, Ready)
        code = "import os, tiny, markupsafe._speedups as s; print(os.getcwd(), tiny.main(0, 0), s.__file__)"
        told = ran(opened.run(code)).stdout.split()
        modules = imported(opened.imports())
    assert told[:2] == ["/var/task", "1"]
    assert told[2].startswith("/var/task/markupsafe/_speedups")
    assert (modules.failed, modules.modules) == ((), 3)


def test_an_environment_runs_in_a_base_by_its_own_interpreter(tiny: Tiny, shared_cache: Path, tmp_path: Path) -> None:
    require_machine("arm64")
    outcome = Command(cache=shared_cache).run("venv", EXAMPLE, "--target", "linux/arm64", "--output", tmp_path / "venv")
    assert outcome.code == 0, outcome.stderr
    (config,) = tmp_path.glob("venv/**/pyvenv.cfg")
    base = image(tiny.layout, "arm64")
    item = Runnable(kind="venv", platform=base.platform, path=config.parent, base=base)
    result = ran(run_in(item, f"{VERSION}; import sys; print(sys.prefix, sys.prefix != sys.base_prefix)"))
    assert result.stdout.split() == [locked("pydantic-core"), "aarch64", "/mnt/artifact", "True"]


def test_without_a_base_nothing_of_another_architecture_is_run(pexes: Path) -> None:
    platform = image_platform(other())
    pex = pexes / f"hello-fastapi_linux_{other()}.pex"
    require_machine(other())
    result = run_in(Runnable(kind="pex", platform=platform, path=pex, python="3.11"), "print()")
    assert isinstance(result, NotRun)
    assert result.why == f"the artifact brings no interpreter for {platform}"
    assert "--base" in result.hint


# What cannot be done from inside.

ESCAPES = """
import ctypes, json, os, socket
said = {"user": os.getuid(), "tmp": os.listdir("/tmp"), "names": sorted(os.environ)}
def tried(action):
    try:
        return str(action())
    except OSError as error:
        return error.strerror
said["writes"] = [tried(lambda: open(path, "w")) for path in ("/new", "/app/new", "/usr/bin/python3", "/etc/passwd")]
said["net"] = tried(lambda: socket.create_connection(("192.0.2.1", 80), 3))
said["interfaces"] = [name for _, name in socket.if_nameindex()]
said["sysctl"] = [os.access("/proc/sys/kernel/" + name, os.W_OK) for name in ("core_pattern", "hostname", "panic")]
said["mount"] = ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None)
said["namespace"] = ctypes.CDLL(None).unshare(0x10000000)
said["others"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) > 1)
said["host"] = [os.path.exists(path) for path in %r]
said["caps"] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")]
said["scratch"] = open("/tmp/here", "w").write("x")
print(json.dumps(said))
"""


def test_hostile_code_reaches_nothing(ready: Ready, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    paths = [str(secret), str(ROOT / "pyproject.toml"), str(ready.stage.scene.root), "/oldroot"]
    for _ in range(2):  # what one run leaves behind, the next one does not find
        done = ran(ready.run(ESCAPES % paths))
        assert done.exit_code == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["writes"] == ["Read-only file system"] * 4
        assert said["net"] == "Network is unreachable"
        assert said["interfaces"] == ["lo"]
        assert said["sysctl"] == [False] * 3
        assert (said["mount"], said["namespace"]) == (-1, -1)
        assert len(said["others"]) == 1
        assert said["host"] == [False] * 4
        assert said["caps"] == ["0" * 16]
        assert (said["tmp"], said["scratch"]) == ([], 1)
        assert "SECRET_TOKEN" not in said["names"]


def test_root_hands_over_to_nobody_before_anything_runs(ready: Ready) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    mark = f"mark-{os.getpid()}"
    with ThreadPoolExecutor() as pool:
        running = pool.submit(ready.run, f"import time; time.sleep(3); '{mark}'")
        found: set[str] = set()
        while not running.done():
            found |= owners_of_processes(mark)
        assert ran(running.result()).exit_code == 0
    assert found == {"65534"}


def owners_of_processes(mark: str) -> set[str]:
    """Whom the processes with a text in their arguments belong to, seen from here."""
    owners = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            if mark in command[-2].decode() and "python" in command[0].decode():
                (line,) = [line for line in (process / "status").read_text().splitlines() if line.startswith("Uid:")]
                owners |= set(line.split()[1:])
        except (OSError, IndexError, ValueError):
            continue  # it has ended
    return owners


def test_code_that_never_ends_is_stopped_with_all_its_children(layout: Path) -> None:
    with prepared(runnable(layout, HERE), limits=RunLimits(seconds=3)) as opened:
        assert isinstance(opened, Ready)
        mark = f"mark-{os.getpid()}"
        forks = "os.fork(); os.setsid() if os.fork() == 0 else 0"
        code = f"import os; print('begun', flush=True); {forks}\nwhile True: '{mark}'"
        done = ran(opened.run(code))
    assert (done.timed_out, done.stdout.split()[0]) == (True, "begun")
    assert done.seconds < 8
    left = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True).stdout.split()
    assert left == []
    (finding,) = judge_run(done, image_platform(HERE))
    assert finding.code == "run-failed"
    assert "stopped after 3 s" in finding.found


def test_output_without_end_is_read_but_not_kept(ready: Ready) -> None:
    code = "import sys\nfor _ in range(100): sys.stdout.write('x' * 1_000_000)\nsys.stderr.write('done')"
    done = ran(ready.run(code))
    assert (done.exit_code, done.cut, len(done.stdout), done.stderr) == (0, True, 1 << 20, "done")


def test_an_image_whose_folders_are_links_changes_nothing_outside(layout: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o777)
    target.chmod(0o777)
    links = {name: f"/oldroot{target}/{name}" for name in ("tmp", "run", "proc", "dev", "mnt")}
    more: dict[str, bytes | str] = {
        "escape": str(target),
        "escape/file": b"x",
        ".crossdock": str(target),
        "climb": "../../../../../..",
    }
    hostile = with_layer(layout, HERE, {**links, **more, "climb/up": b"x"}, tmp_path / "hostile")
    done = ran(run_in(runnable(hostile, HERE), "open('/tmp/x', 'w').write('x'); print(open('/up').read())"))
    assert (done.exit_code, done.stdout) == (0, "x\n"), done.stderr
    assert list(target.iterdir()) == []
    assert not Path("/up").exists()


# Where it cannot be run, or only in another way.


def test_without_tools_it_is_said_that_nothing_was_run_and_why(layout: Path, tmp_path: Path) -> None:
    item = runnable(layout, HERE)
    result = run_in(item, "print()", environ={"PATH": str(tmp_path)})
    assert isinstance(result, NotRun)
    assert result.why == "neither bubblewrap nor podman is installed"
    (finding,) = judge_run(result, item.platform)
    assert (finding.code, finding.severity) == ("not-run", "error")
    assert finding.found == f"not run: {result.why}"
    assert "bubblewrap" in finding.hint


def test_without_an_emulator_another_architecture_is_not_run(layout: Path) -> None:
    bare = replace(survey(), registered=frozenset(), emulators={})
    result = imports_of(runnable(layout, other()), machine=bare)
    assert isinstance(result, NotRun)
    assert f"no emulator for linux/{other()}" in result.why
    assert "qemu-user-static" in result.hint


def test_a_bubblewrap_that_does_not_work_here_is_said_so(layout: Path) -> None:
    # Not pytest's folder, which nobody but its owner can enter.
    with tempfile.TemporaryDirectory(prefix="crossdock-broken-") as folder:
        Path(folder).chmod(0o755)
        broken = Path(folder) / "bwrap"
        broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
        broken.chmod(0o755)
        result = run_in(runnable(layout, HERE), "print()", environ={"PATH": folder})
    assert isinstance(result, NotRun)
    assert result.why == "bubblewrap does not work here: bwrap: setting up uid map: Permission denied"


def test_an_image_without_python_is_not_run(layout: Path, tmp_path: Path) -> None:
    hidden = {f"usr/bin/.wh.{name}": b"" for name in ("python3", "python3.11")}
    result = run_in(runnable(with_layer(layout, HERE, hidden, tmp_path / "none"), HERE), "print()")
    assert isinstance(result, NotRun)
    assert "there is no Python" in result.why


def test_podman_is_taken_where_there_is_no_bubblewrap(
    layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("podman", "runc")
    if os.geteuid() != 0:
        pytest.skip("podman's storage is made for root here")
    storage, config = tmp_path / "storage.conf", tmp_path / "containers.conf"
    storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n')
    config.write_text(
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n'
        '[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    monkeypatch.setenv("CONTAINERS_CONF", str(config))
    machine = survey()
    without = replace(machine, tools={"podman": machine.tools["podman"]})
    with prepared(runnable(layout, HERE), machine=without) as opened:
        assert isinstance(opened, Ready)
        done = ran(opened.run(f"{VERSION}; import os; print(os.getuid()); open('/app/x', 'w')"))
        slow = ran(replace(opened, limits=RunLimits(seconds=4)).run("while True: pass"))
    assert done.stdout.split() == [locked("pydantic-core"), MACHINES[HERE], "65532"], done.stderr
    assert done.stderr.endswith("Read-only file system: '/app/x'\n")
    assert done.how.startswith("on this machine's processor, in podman")
    assert slow.timed_out or slow.exit_code != 0
    assert slow.seconds < 20


AS_USER = """
import os, sys
from pathlib import Path
from crossdock.oci.layout_files import open_layout
from crossdock.running.images import OpenedLayout, images_of
from crossdock.running.runner import run_in
from crossdock.running.staging import Runnable
from crossdock.verify.platforms import Platform
layout, architecture, pex, code = sys.argv[1:]
print(os.geteuid())
images = images_of(OpenedLayout(open_layout(Path(layout)), "x"))
(image,) = [image for image in images if image.platform.architecture == architecture]
done = run_in(Runnable(kind="image", platform=image.platform, image=image), code)
print(done.stdout, done.stderr, done.how)
done = run_in(Runnable(kind="pex", platform=Platform(os="linux", architecture=%r), path=Path(pex), python="3.11"), code)
print(done.stdout, done.stderr, done.how)
"""


def test_a_user_without_any_rights_runs_all_of_it(layout: Path, pexes: Path, tmp_path: Path) -> None:
    require_machine(other())
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the PEX is for Python 3.11, which this machine's interpreter is not")
    prefix = ["unshare", "--user", "--map-user=4242", "--map-group=4242"] if os.geteuid() == 0 else []
    pex = pexes / f"hello-fastapi_linux_{HERE}.pex"
    done = subprocess.run(
        [*prefix, sys.executable, "-c", AS_USER % HERE, str(layout), other(), str(pex), VERSION],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == "4242" or os.geteuid() != 0
    assert lines[1].split() == [locked("pydantic-core"), MACHINES[other()]]
    assert lines[2].strip().startswith("under QEMU, in bubblewrap")
    assert lines[3].split() == [locked("pydantic-core"), MACHINES[HERE]]
    assert lines[4].strip().endswith("of this machine")


def image_platform(architecture: str) -> Any:
    from crossdock.verify.platforms import Platform

    return Platform(os="linux", architecture=architecture)
