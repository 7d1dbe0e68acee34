"""Executables on this machine: first and later runs, what they pass on, and what they survive."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.e2e.engines import MACHINES, require
from tests.support.exes import Exe, Teller, make_teller
from tests.support.standalonepython import make_archive

from crossdock.store import Store

pytestmark = [pytest.mark.network, pytest.mark.engine]

HERE = next((name for name, machine in MACHINES.items() if machine == platform.machine()), "")
SHELLS = [["dash"], ["bash"], ["busybox", "sh"]]


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Teller:
    folder = tmp_path_factory.mktemp("teller")
    archive = make_archive(Store(shared_cache), HERE, folder / "archive")
    return make_teller(folder, shared_cache, {HERE: archive})


@pytest.fixture(scope="module")
def built(teller: Teller, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable for this machine."""
    folder = tmp_path_factory.mktemp("built")
    outcome = teller.build("--target", f"linux/{HERE}", "--output", folder)
    assert outcome.code == 0, outcome.stderr
    (line,) = outcome.stdout.splitlines()
    return Path(line)


@pytest.fixture
def exe(built: Path, tmp_path: Path) -> Exe:
    """The executable, with a home folder nobody has used yet."""
    home = tmp_path / "home"
    home.mkdir()
    return Exe(path=built, home=home)


def test_the_file_is_named_by_its_target_and_executable(built: Path) -> None:
    assert built.name == f"teller_linux_{HERE}"
    assert stat.S_IMODE(built.stat().st_mode) == 0o755
    assert list(built.parent.iterdir()) == [built]


def test_it_runs_with_its_own_python_and_packages(exe: Exe, teller: Teller) -> None:
    seen = exe.tell()
    app, python = exe.folders()[1], exe.folders()[0]
    assert len(exe.folders()) == 2
    assert (app[:7], python[:7]) == ("teller-", "python-")
    assert seen["python"] == teller.archives[HERE].version
    assert seen["prefix"] == str(exe.cache / app)
    assert seen["base_prefix"] == str(exe.cache / python / "python")
    assert seen["executable"] == f"{seen['prefix']}/bin/python3.11"
    assert seen["compiled"].startswith(f"{seen['prefix']}/lib/python3.11/site-packages/markupsafe/")
    assert seen["argv"] == [str(exe.path)]


def test_the_cache_is_for_its_user_alone(exe: Exe) -> None:
    exe.tell()
    assert {stat.S_IMODE(path.stat().st_mode) for path in [exe.cache, *exe.cache.iterdir()]} == {0o700}


def test_later_runs_unpack_nothing(exe: Exe) -> None:
    exe.tell()
    before = {path: path.stat().st_ino for path in exe.cache.rglob("*.py")}
    # A launcher that unpacked again would need these.
    tools = exe.home / "tools"
    tools.mkdir()
    (tools / "uname").symlink_to(shutil.which("uname") or "/usr/bin/uname")
    assert exe.tell("again", PATH=str(tools))["argv"][1:] == ["again"]
    assert {path: path.stat().st_ino for path in exe.cache.rglob("*.py")} == before


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_every_shell_will_do(shell: list[str], exe: Exe) -> None:
    require(shell[0])
    path = shutil.which(shell[0]) or shell[0]
    for given in (["one two", "it's", 'a "b"', "new\nline", "*", "$HOME", ""], []):
        assert exe.tell("tell", *given, shell=[path, *shell[1:]])["argv"][2:] == given


def test_busyboxs_tools_alone_will_do(exe: Exe) -> None:
    require("busybox")
    busybox = shutil.which("busybox") or "busybox"
    tools = exe.home / "tools"
    tools.mkdir()
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        (tools / name).symlink_to(busybox)
    assert exe.tell(shell=[str(tools / "sh")], PATH=str(tools))["markupsafe"] == "3.0.2"
    assert exe.tell(shell=[str(tools / "sh")], PATH=str(tools))["markupsafe"] == "3.0.2"


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_applications(code: int, exe: Exe) -> None:
    assert exe.run("exit", str(code)).returncode == code


def test_what_is_typed_in_reaches_the_application_also_in_the_first_run(exe: Exe) -> None:
    data = "text\n" * 100_000
    for _ in range(2):
        done = subprocess.run(
            [exe.path, "read"], input=data, capture_output=True, text=True, env=exe.environment(), timeout=120
        )
        assert done.stdout.strip() == hashlib.sha256(data.encode()).hexdigest()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 33), (signal.SIGKILL, -9)])
def test_signals_reach_the_application_which_is_the_same_process(number: int, code: int, exe: Exe) -> None:
    with subprocess.Popen([exe.path, "wait"], stdout=subprocess.PIPE, text=True, env=exe.environment()) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.send_signal(number)
        assert process.wait(timeout=30) == code


def test_nothing_of_the_environment_is_changed_but_for_the_settings_defaults(exe: Exe) -> None:
    given = {"cdx_name": "kept", "LANG": "C.UTF-8", "X": "a\nb", "PYTHONHASHSEED": "1"}
    seen = exe.tell(**given)
    added = {"TELLER_DEFAULT": "it's $HOME", "PYTHONUNBUFFERED": "1"}
    own = {"PWD", "OLDPWD", "_", "SHLVL"}  # which shells set themselves
    assert {name: value for name, value in seen["env"].items() if name not in own} == {
        **exe.environment(**{**given, "cdx_name": "teller"}),
        **added,
    }
    assert seen["unbuffered"] is True
    assert exe.tell(TELLER_DEFAULT="mine")["env"]["TELLER_DEFAULT"] == "mine"


def test_folder_and_umask_are_those_of_the_user(exe: Exe, tmp_path: Path) -> None:
    for mask in (0o022, 0o027):
        done = subprocess.run(
            [exe.path], capture_output=True, env=exe.environment(), cwd=tmp_path, umask=mask, timeout=120
        )
        seen = json.loads(done.stdout)
        assert (seen["cwd"], seen["umask"]) == (str(tmp_path), mask)


def test_a_python_of_the_environment_does_not_poison_it(exe: Exe, tmp_path: Path) -> None:
    poison = tmp_path / "poison"
    poison.mkdir()
    for name in ("markupsafe", "json", "sitecustomize", "usercustomize"):
        (poison / f"{name}.py").write_text("raise SystemExit('poisoned')\n")
    seen = exe.tell(
        PYTHONPATH=str(poison),
        PYTHONHOME=str(poison),
        PYTHONSTARTUP=str(poison / "json.py"),
        PYTHONUSERBASE=str(poison),
        TAR_OPTIONS="--nonsense",
    )
    assert seen["markupsafe"] == "3.0.2"
    done = subprocess.run([exe.path], capture_output=True, env=exe.environment(), cwd=poison, timeout=120)
    assert done.returncode == 0, done.stderr


def test_its_children_have_the_same_python_and_packages(exe: Exe) -> None:
    prefix = exe.tell()["prefix"]
    assert exe.run("child").stdout.strip() == prefix
    assert exe.run("spawn").stdout.strip() == "285"


def test_a_link_and_a_search_path_find_it_and_name_it(exe: Exe, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tell-me").symlink_to(exe.path)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(["sh", "-c", "tell-me"], capture_output=True, env=exe.environment(PATH=path), timeout=120)
    assert json.loads(done.stdout)["argv"] == [str(tmp_path / "bin" / "tell-me")]


def test_a_file_that_was_moved_unpacks_nothing_anew(exe: Exe, tmp_path: Path) -> None:
    prefix = exe.tell()["prefix"]
    moved = tmp_path / "a folder" / "it's moved"
    moved.parent.mkdir()
    shutil.copy(exe.path, moved)
    assert Exe(path=moved, home=exe.home).tell()["prefix"] == prefix
    assert len(exe.folders()) == 2


def test_a_cache_that_was_moved_is_used_where_it_is(exe: Exe, tmp_path: Path) -> None:
    exe.tell()
    moved = Exe(path=exe.path, home=exe.home.rename(tmp_path / "moved home"))
    inodes = {path.stat().st_ino for path in moved.cache.iterdir()}
    seen = moved.tell()
    assert seen["prefix"].startswith(str(moved.cache))
    assert seen["base_prefix"].startswith(str(moved.cache))
    assert {path.stat().st_ino for path in moved.cache.iterdir()} == inodes


def test_another_release_takes_the_same_python(exe: Exe, teller: Teller, tmp_path: Path) -> None:
    exe.tell()
    project = Path(shutil.copytree(teller.project, tmp_path / "project"))
    (project / "src/teller/__init__.py").write_text("import json\n\n\ndef main():\n    print(json.dumps('newer'))\n")
    outcome = teller.build("--target", f"linux/{HERE}", "--output", tmp_path / "newer", project=project)
    newer = Exe(path=Path(outcome.stdout.strip()), home=exe.home)
    assert newer.tell() == "newer"
    assert [name[:7] for name in exe.folders()] == ["python-", "teller-", "teller-"]
    assert exe.tell()["markupsafe"] == "3.0.2"


def test_runs_at_the_same_time_share_one_cache(exe: Exe) -> None:
    started = [
        subprocess.Popen([exe.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=exe.environment(), text=True)
        for _ in range(5)
    ]
    outcomes = [(*process.communicate(timeout=120), process.returncode) for process in started]
    for stdout, stderr, code in outcomes:
        assert (code, stderr) == (0, "")
        assert json.loads(stdout)["markupsafe"] == "3.0.2"
    assert [name[:7] for name in exe.folders()] == ["python-", "teller-"]
    for folder in exe.cache.iterdir():
        assert not list(folder.glob(".unpacking.*"))


@pytest.mark.parametrize("after", [0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_a_first_run_that_is_killed_leaves_nothing_that_is_taken_for_whole(after: float, exe: Exe) -> None:
    process = subprocess.Popen(
        [exe.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=exe.environment(), start_new_session=True
    )
    time.sleep(after)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    finally:
        process.wait()
    assert exe.tell()["markupsafe"] == "3.0.2"


def test_an_interrupted_first_run_cleans_up(exe: Exe) -> None:
    process = subprocess.Popen(
        [exe.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=exe.environment(), start_new_session=True
    )
    while not any(name.startswith(".unpacking.") for name in exe.folders()):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert not any(name.startswith(".unpacking.") for name in exe.folders())


def test_what_killed_runs_left_is_removed_when_it_is_old(exe: Exe) -> None:
    for name, age in (("old", 7200), ("young", 60)):
        folder = exe.cache / f".unpacking.{name}" / "python"
        folder.mkdir(parents=True)
        os.utime(folder.parent, (time.time() - age, time.time() - age))
    exe.tell()
    assert [name for name in exe.folders() if name.startswith(".")] == [".unpacking.young"]


def test_a_cache_of_which_half_was_removed_is_made_again(exe: Exe) -> None:
    seen = exe.tell()
    Path(seen["prefix"], "bin", "python3.11").unlink()
    assert exe.tell()["prefix"] == seen["prefix"]
    shutil.rmtree(seen["base_prefix"])
    assert exe.tell()["prefix"] == seen["prefix"]
    Path(seen["prefix"], "pyvenv.cfg").unlink()
    assert exe.tell()["prefix"] == seen["prefix"]


@pytest.mark.parametrize("kept", [0.2, 0.999])
@pytest.mark.parametrize("tools", [True, False], ids=["sha256sum", "no-sha256sum"])
def test_a_file_that_was_cut_short_says_so(kept: float, tools: bool, exe: Exe, tmp_path: Path) -> None:
    data = exe.path.read_bytes()
    cut = Exe(path=tmp_path / "cut", home=exe.home)
    cut.path.write_bytes(data[: int(len(data) * kept)])
    cut.path.chmod(0o755)
    done = cut.run(PATH="/usr/bin:/bin" if tools else without(exe.home, "sha256sum", "shasum"))
    assert done.returncode == 1
    assert done.stderr == (
        f"teller: error: {cut.path} is not whole\n"
        f"  why: it has {int(len(data) * kept)} bytes, not {len(data)}\n"
        "  hint: download it again\n"
    )
    assert exe.folders() == []
    assert exe.tell()["markupsafe"] == "3.0.2"


@pytest.mark.parametrize("tools", [True, False], ids=["sha256sum", "no-sha256sum"])
def test_a_file_that_was_changed_says_so(tools: bool, exe: Exe, tmp_path: Path) -> None:
    data = bytearray(exe.path.read_bytes())
    data[len(data) // 2] ^= 1
    changed = Exe(path=tmp_path / "changed", home=exe.home)
    changed.path.write_bytes(data)
    changed.path.chmod(0o755)
    done = changed.run(PATH="/usr/bin:/bin" if tools else without(exe.home, "sha256sum", "shasum"))
    assert done.returncode == 1
    assert ("is damaged" if tools else "the Python inside cannot be unpacked") in done.stderr
    assert exe.folders() == []


def without(home: Path, *names: str) -> str:
    """Make a folder of this machine's programs that lacks some."""
    folder = home / "programs"
    folder.mkdir()
    for place in ("/bin", "/usr/bin"):
        for path in Path(place).iterdir():
            if path.name not in names and not (folder / path.name).is_symlink():
                (folder / path.name).symlink_to(path)
    return str(folder)


def test_the_cache_can_be_anywhere(exe: Exe, tmp_path: Path) -> None:
    assert exe.tell(CROSSDOCK_EXE_CACHE=str(tmp_path / "my cache"))["prefix"].startswith(str(tmp_path / "my cache"))
    assert exe.tell(XDG_CACHE_HOME=str(tmp_path / "xdg"))["prefix"].startswith(str(tmp_path / "xdg/crossdock-exe"))
    assert exe.folders() == []
    assert exe.tell(XDG_CACHE_HOME="relative")["prefix"].startswith(str(exe.cache))


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A folder like /tmp."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.mark.parametrize("home", ["", "relative", "/nonexistent"])
def test_without_a_home_it_is_a_private_folder_among_the_temporary_ones(home: str, exe: Exe, temporary: Path) -> None:
    for _ in range(2):
        seen = exe.tell(HOME=home, TMPDIR=str(temporary))
        assert seen["prefix"].startswith(str(temporary / f"crossdock-exe-{os.getuid()}/teller-"))
    (folder,) = temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_somebody_else_put_there_is_not_trusted(exe: Exe, temporary: Path, tmp_path: Path) -> None:
    trap = temporary / f"crossdock-exe-{os.getuid()}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    trap.symlink_to(elsewhere)
    done = exe.run(HOME="", TMPDIR=str(temporary))
    assert f"{temporary}/crossdock-exe." in json.loads(done.stdout)["prefix"]
    assert f"teller: warning: unpacking to {temporary}/crossdock-exe." in done.stderr
    trap.unlink()
    trap.mkdir()
    trap.chmod(0o777)
    done = exe.run(HOME="", TMPDIR=str(temporary))
    assert f"{temporary}/crossdock-exe." in json.loads(done.stdout)["prefix"]
    assert list(elsewhere.iterdir()) == list(trap.iterdir()) == []


def test_links_in_a_folder_of_everybodys_are_not_followed(exe: Exe, temporary: Path) -> None:
    """Links that anybody may have put there lead to a folder of the user's in which anybody can put programs."""
    exe.tell()
    for name in exe.folders():
        (temporary / name).symlink_to(".")
    for place, python in (("bin", "../python/bin"), ("python/bin", "")):
        (temporary / place).mkdir(parents=True)
        path = temporary / place / "python3.11"
        if python:
            path.symlink_to(f"{python}/python3.11")
        else:
            path.write_text("#!/bin/sh\necho somebody else was here\n")
            path.chmod(0o755)
    done = exe.run(CROSSDOCK_EXE_CACHE=str(temporary))
    assert (done.returncode, done.stdout) == (1, "")
    assert "belongs to another user" in done.stderr


def test_a_link_of_the_users_own_is_followed_once(exe: Exe, tmp_path: Path) -> None:
    (tmp_path / "other disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other disk")
    for shell in (["dash"], ["bash"], ["busybox", "sh"]):
        seen = exe.tell(shell=shell, CROSSDOCK_EXE_CACHE=str(tmp_path / "link"))
        assert seen["prefix"].startswith(str(tmp_path / "other disk"))
        assert seen["executable"].startswith(seen["prefix"])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_root_leaves_nothing_in_the_cache_folder_that_sudo_kept(exe: Exe, temporary: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    os.chown(kept, 12345, 12345)
    seen = exe.tell(XDG_CACHE_HOME=str(kept), TMPDIR=str(temporary))
    assert seen["prefix"].startswith(str(temporary))
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize("variable", ["CROSSDOCK_EXE_CACHE", "XDG_CACHE_HOME"])
def test_a_folder_that_pyvenv_cfg_cannot_name_is_not_used(
    variable: str, exe: Exe, temporary: Path, tmp_path: Path
) -> None:
    done = exe.run(**{variable: f"{tmp_path}/two\nlines", "TMPDIR": str(temporary)})
    if variable == "CROSSDOCK_EXE_CACHE":
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"teller: error: cannot unpack into {tmp_path}/two\nlines\n")
    else:
        assert json.loads(done.stdout)["prefix"].startswith(str(temporary))
    assert not (tmp_path / "two\nlines").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_a_cache_of_another_user_is_never_run(exe: Exe, temporary: Path) -> None:
    prefix = Path(exe.tell()["prefix"])
    (prefix / "main.py").write_text("print('not yours')\n")
    os.chown(prefix, 12345, 12345)
    seen = exe.tell(TMPDIR=str(temporary))
    assert seen["prefix"].startswith(str(temporary))
    done = exe.run(CROSSDOCK_EXE_CACHE=str(exe.cache))
    assert done.returncode == 1
    assert "belongs to another user" in done.stderr


def test_a_temporary_folder_where_anybody_may_rename_is_not_used(exe: Exe, temporary: Path) -> None:
    temporary.chmod(0o777)
    done = exe.run(HOME="", TMPDIR=str(temporary))
    assert done.returncode == 1
    assert done.stderr.startswith("teller: error: there is no folder to unpack into\n")
    assert list(temporary.iterdir()) == []


def test_a_home_that_cannot_be_written_is_no_hindrance(exe: Exe) -> None:
    require("bwrap")
    bwrap = [shutil.which("bwrap") or "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp"]
    shown = [*bwrap, "--ro-bind", str(exe.path.parent), str(exe.path.parent), "--"]
    seen = exe.tell(shell=[*shown], HOME="/usr")
    assert seen["prefix"].startswith(f"/tmp/crossdock-exe-{os.getuid()}/")


def test_a_cache_that_was_moved_and_cannot_be_written_says_so(exe: Exe, tmp_path: Path) -> None:
    require("bwrap")
    exe.tell()
    bwrap = [shutil.which("bwrap") or "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/mnt"]
    shown = [*bwrap, "--ro-bind", str(exe.cache), "/mnt/moved", "--"]
    done = exe.run(shell=shown, CROSSDOCK_EXE_CACHE="/mnt/moved")
    assert done.returncode == 1
    assert done.stderr.startswith("teller: error: /mnt/moved/teller-")
    assert " was unpacked for another place\n" in done.stderr.splitlines(keepends=True)[0]
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("room", [4 << 20, 25 << 20])
def test_a_full_disk_is_told_in_three_lines_and_leaves_nothing(room: int, exe: Exe) -> None:
    require("bwrap")
    bwrap = [shutil.which("bwrap") or "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--size", str(room)]
    script = '"$0"; code=$?; ls -A /mnt/cache; exit $code'
    shown = [*bwrap, "--tmpfs", "/mnt", "--", "sh", "-c", script]
    done = exe.run(shell=shown, CROSSDOCK_EXE_CACHE="/mnt/cache")
    assert (done.returncode, done.stdout) == (1, "")
    error, why, hint = done.stderr.splitlines()
    assert error == "teller: error: the Python inside cannot be unpacked into /mnt/cache"
    assert why.startswith("  why: tar: ")
    assert hint == "  hint: make room, or set CROSSDOCK_EXE_CACHE to a folder that has some"


def test_a_file_whose_name_begins_with_a_dash_runs(exe: Exe, tmp_path: Path) -> None:
    shutil.copy(exe.path, tmp_path / "-app")
    done = subprocess.run(
        ["sh", "--", "-app", "exit", "3"], cwd=tmp_path, env=exe.environment(), capture_output=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (3, b"")


def test_temporary_folders_are_named_by_full_paths(exe: Exe, tmp_path: Path) -> None:
    require("bwrap")
    bwrap = [shutil.which("bwrap") or "bwrap", "--ro-bind", "/", "/", "--dev", "/dev"]
    bwrap += ["--tmpfs", "/tmp", "--tmpfs", "/mnt", "--chdir", "/mnt"]
    shown = [*bwrap, "--ro-bind", str(exe.path.parent), str(exe.path.parent), "--"]
    assert exe.tell(shell=shown, HOME="", TMPDIR=".")["prefix"].startswith(f"/tmp/crossdock-exe-{os.getuid()}/")


def test_it_can_be_unpacked_and_looked_into_without_being_started(exe: Exe, teller: Teller) -> None:
    shown = exe.run(CROSSDOCK_EXE="inspect")
    about = json.loads(shown.stdout)
    assert exe.folders() == []
    assert about["python"]["sha256"] == teller.archives[HERE].sha256
    assert [(item["name"], item["version"]) for item in about["packages"]] == [
        ("markupsafe", "3.0.2"),
        ("teller", "1.0"),
    ]
    folder = exe.run(CROSSDOCK_EXE="unpack").stdout.strip()
    assert exe.tell()["prefix"] == folder
    assert "CROSSDOCK_EXE" not in exe.tell()["env"]


def test_what_is_unpacked_is_not_started_even_if_its_place_cannot_be_printed(exe: Exe) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device, not a file
        done = subprocess.run(
            [exe.path], stdin=subprocess.PIPE, stdout=full, stderr=subprocess.PIPE, timeout=120, text=True,
            env=exe.environment(CROSSDOCK_EXE="unpack"),
        )  # fmt: skip
    assert done.returncode != 0
    assert len(exe.folders()) == 2


def test_its_python_can_be_run(exe: Exe) -> None:
    done = exe.run("-c", "import os, sys, teller; print(sys.argv[1:], 'CROSSDOCK_EXE' in os.environ)", "a b",
                   CROSSDOCK_EXE="python")  # fmt: skip
    assert done.stdout == "['a b'] False\n"


def test_scripts_of_the_environment_run(exe: Exe) -> None:
    prefix = exe.tell()["prefix"]
    done = subprocess.run([f"{prefix}/bin/teller", "exit", "5"], env=exe.environment(), timeout=60)
    assert done.returncode == 5


@pytest.mark.parametrize(
    ("option", "first"),
    [
        ("--script=teller", "{exe}"),
        ("--entry-point=teller:main", "{exe}"),
        ("--entry-point=teller", "{prefix}/__main__.py"),
        ("--entry-point=teller.__main__", "{prefix}/__main__.py"),
    ],
)
def test_it_starts_what_is_named(option: str, first: str, exe: Exe, teller: Teller, tmp_path: Path) -> None:
    outcome = teller.build("--target", f"linux/{HERE}", option, "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    path = Path(outcome.stdout.strip())
    seen = Exe(path=path, home=exe.home).tell("tell", "x")
    prefix = f"{seen['prefix']}/lib/python3.11/site-packages/teller"
    assert seen["argv"] == [first.format(exe=path, prefix=prefix), "tell", "x"]


@pytest.mark.parametrize(
    ("setting", "given", "argv"),
    [
        ('["teller", "tell", "it\'s fixed"]', ["more"], ["{exe}", "tell", "it's fixed", "more"]),
        ('["python", "-m", "teller", "tell"]', ["a b"], ["{prefix}/__main__.py", "tell", "a b"]),
        ('["python", "-c", "import teller; teller.main()"]', ["tell"], ["-c", "tell"]),
    ],
)
def test_the_settings_say_what_it_starts(
    setting: str, given: list[str], argv: list[str], exe: Exe, teller: Teller, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(teller.project, tmp_path / "project"))
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace("[tool.crossdock]\n", f"[tool.crossdock]\nentrypoint = {setting}\n"))
    outcome = teller.build("--target", f"linux/{HERE}", "--output", tmp_path / "out", project=project)
    assert outcome.code == 0, outcome.stderr
    built = Path(outcome.stdout.strip())
    seen = Exe(path=built, home=exe.home).tell(*given)
    prefix = f"{seen['prefix']}/lib/python3.11/site-packages/teller"
    assert seen["argv"] == [text.format(exe=built, prefix=prefix) for text in argv]


@pytest.mark.parametrize(
    ("option", "code", "words"),
    [
        ("--script=nothing", 14, "is not a console script"),
        ("--script=", 2, "--script names nothing"),
        ("--entry-point=nothing", 14, "There is no module nothing to start"),
        ("--entry-point=teller.nothing:main", 14, "There is no module teller.nothing to start"),
        ("--entry-point=markupsafe", 14, "The package markupsafe cannot be run"),
        ("--entry-point=a b", 2, "--entry-point cannot be 'a b'"),
        ("--entry-point=a:", 2, "--entry-point cannot be 'a:'"),
    ],
)
def test_what_is_not_there_cannot_be_started(
    option: str, code: int, words: str, teller: Teller, tmp_path: Path
) -> None:
    outcome = teller.build("--target", f"linux/{HERE}", option, "--output", tmp_path / "out")
    assert outcome.code == code
    assert words in outcome.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('["python", "-u", "app.py"]', "The entrypoint starts the file app.py"),
        ('["python", "-X", "dev", "-Im", "nothing"]', "There is no module nothing to start"),
        ('["python", "-mnothing"]', "There is no module nothing to start"),
        ('["/usr/bin/env", "python"]', "is no Python application"),
    ],
)
def test_what_is_not_inside_cannot_be_started(setting: str, words: str, teller: Teller, tmp_path: Path) -> None:
    project = Path(shutil.copytree(teller.project, tmp_path / "project"))
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace("[tool.crossdock]\n", f"[tool.crossdock]\nentrypoint = {setting}\n"))
    outcome = teller.build("--target", f"linux/{HERE}", "--output", tmp_path / "out", project=project)
    assert outcome.code == 14
    assert words in outcome.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_bytes_come_from_another_folder_umask_and_name_style(
    built: Path, teller: Teller, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(teller.project, tmp_path / "elsewhere" / "it"))
    archive = Path(shutil.copy(teller.archives[HERE].path, tmp_path / "another=name"))
    command = type(teller.command)(
        cache=tmp_path / "cache", umask=0o077, cwd=tmp_path, env={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    )
    outcome = command.run(
        "exe", project, "--target", f"linux/{HERE}", "--interpreter", archive.name, "--name-style", "plain"
    )
    assert outcome.code == 0, outcome.stderr
    path = project / "dist" / "teller"
    assert outcome.stdout == f"{path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert path.read_bytes() == built.read_bytes()


def test_an_executable_is_replaced_whole_and_a_folder_is_not(teller: Teller, tmp_path: Path) -> None:
    path = tmp_path / f"teller_linux_{HERE}"
    path.write_text("old")
    assert teller.build("--target", f"linux/{HERE}", "--output", tmp_path).code == 0
    assert path.stat().st_size > 1 << 20
    path.unlink()
    path.mkdir()
    for output, words in ((tmp_path, f"{path} is a folder"), (teller.archives[HERE].path, "is not a folder")):
        outcome = teller.build("--target", f"linux/{HERE}", "--output", output)
        assert outcome.code == 72
        assert words in outcome.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_quiet_prints_the_path_alone(teller: Teller, tmp_path: Path) -> None:
    outcome = teller.build("--target", f"linux/{HERE}", "--output", tmp_path, "--quiet")
    assert (outcome.stdout, outcome.stderr) == (f"{tmp_path / f'teller_linux_{HERE}'}\n", "")


def test_a_package_that_would_replace_the_environments_python_is_refused(teller: Teller, tmp_path: Path) -> None:
    project = Path(shutil.copytree(teller.project, tmp_path / "project"))
    path = project / "pyproject.toml"
    path.write_text(path.read_text().replace('teller = "teller:main"', 'python3 = "teller:main"'))
    outcome = teller.build("--target", f"linux/{HERE}", "--output", tmp_path / "out", project=project)
    assert outcome.code == 64
    assert "would replace bin/python3" in outcome.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="executables are for Linux")
def test_an_executable_for_windows_is_refused_with_the_reason(teller: Teller, tmp_path: Path) -> None:
    outcome = teller.build("--target", "windows/amd64", "--output", tmp_path / "out")
    assert outcome.code == 69
    assert "There is no launcher for windows/amd64" in outcome.stderr
