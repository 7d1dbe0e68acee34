"""What must not become an image is refused: with an exit code of its own, a sentence that helps, and nothing left."""

from __future__ import annotations

import hashlib
import shutil
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, Tiny, link_cache
from tests.e2e.engines import free_port
from tests.e2e.probes import AMD64, ARM64, Probe, assert_refused, foreign_programs, make_probe, native_module
from tests.support.rawzip import RawMember, deflated, raw_deflate, write_zip
from tests.support.wheelmaker import make_wheel, wheel_files

from crossdock import errors

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def ready(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """What the project is built from in no time: its lock is complete, its base and its own wheel are in the cache.

    It was left by a build that went well, so nothing but a test's own fault is ever refused.
    """
    probe = make_probe(tmp_path_factory.mktemp("ready"), tiny.project / "crossdock.lock", tiny.built)
    probe.lock([make_wheel(probe.wheels, "probe", "1.0", {"probe/__init__.py": "fine = True\n"})])
    assert probe.image().digest.startswith("sha256:")
    return probe


@pytest.fixture
def probe(ready: Probe, tmp_path: Path) -> Probe:
    return make_probe(tmp_path, ready.root / "crossdock.lock", ready.command.cache)


# Wheels that are not what they say


@pytest.mark.parametrize(
    ("told", "really", "found", "wanted"),
    [("arm64", "amd64", "x86-64", "aarch64"), ("amd64", "arm64", "aarch64", "x86-64")],
)
def test_a_module_for_another_machine_than_its_wheels_tag(
    told: str, really: str, found: str, wanted: str, probe: Probe, tiny: Tiny
) -> None:
    name = "probe/_speed.cpython-311-so.so"
    right = {"amd64": native_module(tiny, "amd64"), "arm64": native_module(tiny, "arm64")}
    right[told] = native_module(tiny, really)
    probe.lock(
        [
            make_wheel(probe.wheels, "probe", "1.0", {name: right["amd64"]}, tag=AMD64),
            make_wheel(probe.wheels, "probe", "1.0", {name: right["arm64"]}, tag=ARM64),
        ]
    )

    for _ in range(2):  # the second time, the layer and what is in it are remembered
        message = probe.refuse(
            errors.ArtifactRefusedError.exit_code,
            f"probe 1.0: app/.venv/lib/python3.11/site-packages/{name} is an {found} ELF file",
            f"but the target linux/{told}",
            f"needs {wanted}",
            "hint:",
        )
    assert message.count("is an ") == 1


@pytest.mark.parametrize(("kind", "name"), [("PE", "probe/_speed.cp311-win_amd64.pyd"), ("Mach-O", "probe/_speed.so")])
def test_a_program_of_another_system(kind: str, name: str, probe: Probe) -> None:
    probe.lock([make_wheel(probe.wheels, "probe", "1.0", {name: foreign_programs()[kind]})])

    for _ in range(2):
        probe.refuse(errors.ArtifactRefusedError.exit_code, "probe 1.0", name, kind, "needs ELF files for aarch64")


def test_a_program_of_another_system_that_the_project_allows(probe: Probe, tiny: Tiny) -> None:
    probe.lock([make_wheel(probe.wheels, "probe", "1.0", {"probe/größe": native_module(tiny, "amd64")})])
    probe.refuse(errors.ArtifactRefusedError.exit_code, "probe/größe")

    probe.settings('lock = "build/requirements.txt"\n[tool.crossdock.verify]\nallow = ["*/probe/größe"]\n')
    outcome = probe.image()

    assert outcome.code == 0, outcome.stderr
    assert "warning [elf-machine] probe 1.0: app/.venv/lib/python3.11/site-packages/probe/größe" in outcome.stderr
    assert "allowed by the exception '*/probe/größe'" in outcome.stderr
    # Whoever only has the image does not know of the exception.
    # On a terminal that has only ASCII, too.
    ascii_only = replace(probe.command, env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    told = ascii_only.run("verify", probe.output)
    assert told.code == errors.ArtifactRefusedError.exit_code, told.stderr
    assert "probe/gr\\xf6\\xdfe is an x86-64 ELF file" in told.stdout
    assert probe.command.run("verify", probe.output, "--allow", "*/probe/größe").code == 0


# Wheels that are broken, or made to do harm


def _raw_wheel(probe: Probe, *members: RawMember) -> Path:
    """Write the probe's wheel with further members."""
    path = probe.wheels / "probe-1.0-py3-none-any.whl"
    ordinary = [
        deflated(name, content) for name, content in wheel_files("probe", "1.0", {"probe/a.py": "a = 1\n"}).items()
    ]
    path.write_bytes(write_zip([*members, *ordinary]))
    return path


def _refuse_wheel(probe: Probe, wheel: Path, code: int, *words: str) -> None:
    """See a wheel refused, with nothing in the cache but the wheel itself, which is what its hash promises."""
    probe.lock([wheel])

    new = probe.new_blobs(lambda: probe.refuse(code, wheel.name, "hint:", *words))

    assert new <= {hashlib.sha256(wheel.read_bytes()).hexdigest()}


@pytest.mark.parametrize("size", [40, 30_000_000])
def test_a_member_with_a_wrong_crc(size: int, probe: Probe) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    wrong = RawMember(name=b"probe/b.bin", stream=(raw_deflate(content, 1),), crc=zlib.crc32(content) ^ 1, size=size)

    _refuse_wheel(probe, _raw_wheel(probe, wrong), errors.BadWheelError.exit_code, "probe/b.bin", "CRC-32")


@pytest.mark.parametrize("path", ["../outside.py", "/etc/passwd", "probe/../../outside.py", "C:/outside.py"])
def test_a_path_that_leads_out_of_the_wheel(path: str, probe: Probe) -> None:
    wheel = _raw_wheel(probe, deflated(path, b"escaped = True\n"))

    _refuse_wheel(probe, wheel, errors.UnsafeWheelError.exit_code, path, "leads out")
    assert [found for found in probe.root.parents[1].rglob("outside.py") if found.is_file()] == []


@pytest.mark.parametrize("path", ["probe-1.0.data/data/../../outside", "probe-1.0.data/scripts/../../../outside"])
def test_a_data_path_that_leads_out_of_the_environment(path: str, probe: Probe) -> None:
    _refuse_wheel(probe, _raw_wheel(probe, deflated(path, b"x")), errors.UnsafeWheelError.exit_code, "outside")


def test_a_bomb(probe: Probe) -> None:
    piece = raw_deflate(bytes(1 << 20), 9)
    claimed = 40 << 30
    bomb = RawMember(name=b"probe/zeros", stream=(piece,), crc=0, size=0xFFFFFFFE)
    wheel = _raw_wheel(probe, *(replace(bomb, name=f"probe/{n}".encode()) for n in range(claimed >> 32)))

    _refuse_wheel(probe, wheel, errors.UnsafeWheelError.exit_code, "claims to unpack to")


def test_a_bomb_that_claims_to_be_small(probe: Probe) -> None:
    bomb = RawMember(name=b"probe/zeros", stream=(raw_deflate(bytes(300 << 20), 9),), crc=0, size=10)

    _refuse_wheel(probe, _raw_wheel(probe, bomb), errors.BadWheelError.exit_code, "probe/zeros", "longer than")


def test_members_that_share_their_bytes(probe: Probe) -> None:
    member = deflated("probe/b.py", b"b = 1\n" * 50)
    wheel = _raw_wheel(probe, member, replace(deflated("probe/c.py", b"b = 1\n" * 50), offset=0))

    _refuse_wheel(probe, wheel, errors.UnsafeWheelError.exit_code)


def test_a_compression_method_that_wheels_do_not_use(probe: Probe) -> None:
    odd = replace(deflated("probe/b.py", b"b = 1\n"), method=12)

    _refuse_wheel(
        probe, _raw_wheel(probe, odd), errors.UnsupportedWheelError.exit_code, "probe/b.py", "method 12", "repack"
    )


def test_a_symbolic_link(probe: Probe) -> None:
    link = replace(deflated("probe/link", b"/etc/passwd"), mode=0o120777)

    _refuse_wheel(probe, _raw_wheel(probe, link), errors.UnsafeWheelError.exit_code, "symbolic link")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_wheel(kept: int, probe: Probe) -> None:
    wheel = _raw_wheel(probe)
    wheel.write_bytes(wheel.read_bytes()[:kept])

    _refuse_wheel(probe, wheel, errors.BadWheelError.exit_code, "not a readable wheel")


def test_a_file_that_is_no_wheel(probe: Probe) -> None:
    wheel = _raw_wheel(probe)
    wheel.write_text("<html>Please log in</html>")

    _refuse_wheel(probe, wheel, errors.BadWheelError.exit_code, "not a readable wheel")


# Locks and what they name


def test_a_file_with_another_hash_than_it_should_have(probe: Probe) -> None:
    """The page promises the file that the lock wants; what is behind the link is another one."""
    wheel = _raw_wheel(probe)
    good = wheel.read_bytes()
    promised = hashlib.sha256(good).hexdigest()
    page = probe.wheels / "links.html"
    page.write_text(f'<!DOCTYPE html><a href="{wheel.name}#sha256={promised}">{wheel.name}</a>')
    probe.lock([wheel], links=page)
    wheel.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()

    words = (wheel.name, f"has SHA-256 {found}", f"expected is {promised}", "hint:")
    new = probe.new_blobs(lambda: probe.refuse(errors.HashMismatchError.exit_code, *words))

    assert new == set()


def test_a_hash_that_no_file_has(probe: Probe) -> None:
    probe.lock([_raw_wheel(probe)], sha256="ab" * 32)

    words = ("probe 1.0", "linux/amd64", "no file with one of the locked hashes", "hint:")
    new = probe.new_blobs(lambda: probe.refuse(errors.NoWheelError.exit_code, *words))

    assert new == set()


def test_no_wheel_for_one_target_lists_what_there_is(probe: Probe, tiny: Tiny) -> None:
    module = {"probe/_speed.so": native_module(tiny, "amd64")}
    older = AMD64.replace("manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
    wheels = [
        make_wheel(probe.wheels, "probe", "1.0", module, tag=tag)
        for tag in (AMD64, older, "cp311-cp311-macosx_11_0_arm64", "cp312-cp312-manylinux_2_17_aarch64")
    ]
    probe.lock(wheels)

    probe.refuse(
        errors.NoWheelError.exit_code,
        "One package has no wheel for linux/arm64",
        "probe 1.0",
        "manylinux_2_17_x86_64",
        "manylinux_2_28_x86_64",
        "macosx_11_0_arm64",
        "cp312-cp312: manylinux_2_17_aarch64",
        "hint:",
    )
    assert probe.image("--target", "linux/amd64").code == 0


def test_no_lock(probe: Probe) -> None:
    probe.settings("")

    probe.refuse(
        errors.MissingLockError.exit_code,
        "has no lock file",
        "uv.lock, pylock.toml, poetry.lock, pdm.lock, requirements.txt",
        "hint:",
    )


def test_a_lock_that_is_named_and_not_there(probe: Probe) -> None:
    probe.settings('lock = "other.lock"\n')

    probe.refuse(errors.MissingLockError.exit_code, "other.lock")


def test_two_locks(probe: Probe) -> None:
    probe.settings("")
    for name in ("requirements.txt", "pylock.toml"):
        (probe.root / name).write_text("")

    probe.refuse(
        errors.AmbiguousLockError.exit_code, "several lock files", "pylock.toml", "requirements.txt", "lock = "
    )


def test_a_requirement_without_a_hash(probe: Probe) -> None:
    probe.settings("")
    (probe.root / "requirements.txt").write_text("probe==1.0\n")

    probe.refuse(errors.UnpinnedRequirementError.exit_code, "probe", "hash")


# Targets, bases and Pythons


@pytest.mark.parametrize("target", ["linux/vax", "plan9/amd64", "", "linux", "linux/amd64/../x"])
def test_an_unknown_target(target: str, probe: Probe) -> None:
    outcome = probe.image("--target", target)

    assert outcome.code in range(20, 30)
    assert_refused(outcome, outcome.code, "hint:")
    assert not probe.output.exists()


def test_a_musl_target_on_a_base_with_glibc(probe: Probe) -> None:
    probe.lock([_raw_wheel(probe)])

    probe.refuse(
        errors.BaseMismatchError.exit_code,
        "musl",
        "debian:bookworm has glibc2.36",
        "hint:",
        arguments=["--target", "linux/amd64+musl1.2"],
    )


def test_a_newer_glibc_than_the_bases(probe: Probe) -> None:
    probe.lock([_raw_wheel(probe)])

    words = ("glibc2.99", "debian:bookworm has glibc2.36")
    probe.refuse(errors.BaseMismatchError.exit_code, *words, arguments=["--target", "linux/arm64+glibc2.99"])


@pytest.mark.parametrize("base", ["oci:", "debian:", "Python:3.12-slim", "https://registry.example/python"])
def test_a_base_of_an_unknown_kind(base: str, probe: Probe) -> None:
    text = (probe.root / "pyproject.toml").read_text().replace("debian:bookworm", base)
    (probe.root / "pyproject.toml").write_text(text)

    probe.refuse(errors.UnsupportedBaseError.exit_code, base, "debian:bookworm", "hint:")


def test_a_suite_that_the_mirror_does_not_have(probe: Probe) -> None:
    text = (probe.root / "pyproject.toml").read_text().replace("debian:bookworm", "debian:nosuchsuite")
    (probe.root / "pyproject.toml").write_text(text)

    probe.refuse(errors.MirrorError.exit_code, "nosuchsuite", "hint:")


def test_a_project_that_does_not_run_on_the_bases_python(probe: Probe) -> None:
    text = (probe.root / "pyproject.toml").read_text().replace('">=3.11"', '">=3.12"')
    (probe.root / "pyproject.toml").write_text(text)
    probe.lock([_raw_wheel(probe)])

    words = ("victim does not run on the Python 3.11", "debian:bookworm", "requires-python is '>=3.12'", "hint:")
    probe.refuse(errors.PythonChoiceError.exit_code, *words)


def test_another_python_than_the_bases(probe: Probe) -> None:
    probe.settings('lock = "build/requirements.txt"\npython = "3.13"\n')
    probe.lock([_raw_wheel(probe)])

    probe.refuse(errors.PythonChoiceError.exit_code, "debian:bookworm has Python 3.11, not 3.13", "hint:")


# Settings and entry points


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('entrypiont = "victim"\n', ("entrypiont", "did you mean 'entrypoint'")),
        ("targets = []\n", ("targets is empty",)),
        ('ports = ["99999"]\n', ("ports", "99999")),
        ("[tool.crossdock.debian]\nmiror = 'x'\n", ("tool.crossdock.debian", "miror", "did you mean 'mirror'")),
    ],
)
def test_a_setting_that_is_wrong(settings: str, words: tuple[str, ...], probe: Probe) -> None:
    probe.settings(settings)

    probe.refuse(errors.ConfigError.exit_code, *words)


@pytest.mark.parametrize(
    ("scripts", "settings", "words"),
    [
        ("", "", ("victim has no console script", "hint: set entrypoint")),
        ('[project.scripts]\none = "v:m"\ntwo = "v:m"\n', "", ("2 console scripts: one, two", 'entrypoint = "one"')),
        ('[project.scripts]\none = "victim:main"\n', 'entrypoint = "tow"\n', ("'tow'", "the scripts there are: one")),
    ],
    ids=["none", "several", "unknown"],
)
def test_an_entrypoint_that_is_not_decided(scripts: str, settings: str, words: tuple[str, ...], probe: Probe) -> None:
    probe.settings('lock = "build/requirements.txt"\n' + settings)
    text = (probe.root / "pyproject.toml").read_text()
    (probe.root / "pyproject.toml").write_text(text.replace('[project.scripts]\nvictim = "victim:main"\n', scripts))
    probe.lock([_raw_wheel(probe)])

    probe.refuse(errors.EntrypointError.exit_code, *words)


def test_no_project(probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    outcome = probe.command.run("image", tmp_path / "empty")

    assert_refused(outcome, errors.ProjectNotFoundError.exit_code, "pyproject.toml", "hint:")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_project_whose_backend_fails(probe: Probe) -> None:
    text = (probe.root / "pyproject.toml").read_text()
    backend = 'requires = []\nbuild-backend = "broken"\nbackend-path = ["."]\n'
    text = text.replace('requires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n', backend)
    (probe.root / "pyproject.toml").write_text(text)
    (probe.root / "broken.py").write_text("def build_wheel(*args):\n    raise SystemError('the answer is 41')\n")
    probe.lock([_raw_wheel(probe)])

    probe.refuse(errors.ProjectBuildError.exit_code, "victim", "the answer is 41", "hint:")


# The output


def test_a_folder_that_holds_something_else(probe: Probe) -> None:
    probe.lock([_raw_wheel(probe)])
    probe.output.mkdir()
    (probe.output / "thesis.txt").write_text("precious")

    outcome = probe.image()

    assert_refused(outcome, errors.OutputError.exit_code, str(probe.output), "did not write", "hint:")
    assert [path.name for path in probe.output.iterdir()] == ["thesis.txt"]
    assert (probe.output / "thesis.txt").read_text() == "precious"


def test_a_layout_that_somebody_else_made(probe: Probe, tiny: Tiny) -> None:
    probe.lock([_raw_wheel(probe)])
    shutil.copytree(tiny.layout, probe.output)
    index = probe.output / "index.json"
    index.write_text(index.read_text().replace("dev.crossdock.made-by", "dev.example.made-by"))
    before = {path: path.read_bytes() for path in probe.output.rglob("*") if path.is_file()}

    assert_refused(probe.image(), errors.OutputError.exit_code, "did not write", "hint:")

    assert {path: path.read_bytes() for path in probe.output.rglob("*") if path.is_file()} == before


def test_a_tar_file_where_a_folder_is(probe: Probe, tmp_path: Path) -> None:
    probe.lock([_raw_wheel(probe)])
    (tmp_path / "out.tar").mkdir()

    outcome = probe.command.run("image", probe.root, "--output", tmp_path / "out.tar")

    assert_refused(outcome, errors.OutputError.exit_code, "out.tar", "hint:")
    assert list((tmp_path / "out.tar").iterdir()) == []
    assert list(tmp_path.glob(".out.tar*")) == []


# crossdock.lock and mirrors


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("version = 1\nbase = [", "not a TOML file"),
        ("version = 99\n", "version 99"),
        ("version = 1\nsurprise = true\n", "surprise"),
        ("version = 1\nbase = 5\n", "base"),
    ],
)
def test_a_damaged_crossdock_lock(text: str, word: str, probe: Probe) -> None:
    (probe.root / "crossdock.lock").write_text(text)
    probe.lock([_raw_wheel(probe)])

    probe.refuse(errors.LockfileError.exit_code, "crossdock.lock", word, "hint:")


def test_a_crossdock_lock_with_a_hash_that_is_none(probe: Probe) -> None:
    lock = probe.root / "crossdock.lock"
    lines = lock.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("sha256"))
    lines[first] = 'sha256 = "../../../etc/passwd"'
    lock.write_text("\n".join(lines))
    probe.lock([_raw_wheel(probe)])

    probe.refuse(errors.LockfileError.exit_code, "crossdock.lock", "hint:")


def test_a_crossdock_lock_that_does_not_cover_a_target_with_locked(probe: Probe) -> None:
    lock = probe.root / "crossdock.lock"
    head, *bases = lock.read_text().split("[[base]]\n")
    lock.write_text(
        head + "".join(f"[[base]]\n{base}" for base in bases if 'architecture = "amd64"' in base.split("[[")[0])
    )
    probe.lock([_raw_wheel(probe)])

    words = ("crossdock.lock does not cover debian:bookworm for arm64", "--locked", "crossdock lock")
    probe.refuse(errors.LockfileError.exit_code, *words, arguments=["--locked"])


def test_no_crossdock_lock_with_locked(probe: Probe) -> None:
    (probe.root / "crossdock.lock").unlink()
    probe.lock([_raw_wheel(probe)])

    probe.refuse(errors.LockfileError.exit_code, "amd64, arm64", "--locked", arguments=["--locked"])
    assert not (probe.root / "crossdock.lock").exists()


def test_a_mirror_that_cannot_be_reached(probe: Probe) -> None:
    (probe.root / "crossdock.lock").unlink()
    probe.lock([_raw_wheel(probe)])
    mirror = f"http://user:secret@127.0.0.1:{free_port()}/debian"
    cut_off = replace(probe, command=replace(probe.command, env={"CROSSDOCK_DEBIAN_MIRROR": mirror}))

    message = cut_off.refuse(errors.DownloadError.exit_code, "127.0.0.1", "InRelease")

    assert "secret" not in message


def test_a_locked_base_whose_packages_cannot_be_reached(probe: Probe, tmp_path: Path) -> None:
    probe.lock([_raw_wheel(probe)])
    empty = Command(cache=tmp_path / "empty", env={"CROSSDOCK_DEBIAN_MIRROR": f"http://127.0.0.1:{free_port()}/debian"})
    link_cache(probe.command.cache / "actions", tmp_path / "empty" / "actions")

    outcome = empty.run("image", probe.root, "--output", probe.output)

    assert outcome.code in range(50, 60) or outcome.code == errors.MirrorError.exit_code, outcome.stderr
    assert_refused(outcome, outcome.code)
    assert not probe.output.exists()


def test_a_mirror_url_that_is_none(probe: Probe) -> None:
    (probe.root / "crossdock.lock").unlink()
    probe.lock([_raw_wheel(probe)])
    wrong = replace(probe, command=replace(probe.command, env={"CROSSDOCK_DEBIAN_MIRROR": "ftp://user:secret@mirror"}))

    assert "secret" not in wrong.refuse(errors.MirrorError.exit_code, "not an http, https or file URL", "hint:")


def test_no_mirror_at_all(probe: Probe) -> None:
    """On a host whose apt knows no Debian archive: the folder of apt's sources is covered by an empty one."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is missing")
    (probe.root / "crossdock.lock").unlink()
    probe.lock([_raw_wheel(probe)])
    hidden = '[ ! -d /etc/apt ] || mount -t tmpfs none /etc/apt; exec "$@"'
    prefix = ("unshare", "--map-root-user", "--mount", "sh", "-c", hidden, "sh")
    without = replace(probe, command=replace(probe.command, prefix=prefix))

    without.refuse(errors.MirrorError.exit_code, "no Debian mirror is known", "CROSSDOCK_DEBIAN_MIRROR", "hint:")
