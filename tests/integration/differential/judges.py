"""What other tools choose from the same locks for the same targets, each made to say which file it took."""

from __future__ import annotations

import os
import shutil
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

from packaging.pylock import PackageWheel, Pylock, PylockSelectError
from packaging.utils import canonicalize_name, parse_wheel_filename
from tests.integration.differential.locking import run
from tests.support.stubwheels import LAST_RESORT, last_resort, make_stub, stub_names

from crossdock.errors import ConflictingPackagesError
from crossdock.locks import LockedFile, Package, read_lock, survey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.integration.differential.locking import Made
    from tests.integration.differential.platforms import Case

    from crossdock.locks import Lock

__all__ = ["REFUSED", "Answer", "Choosable", "choosable", "ours", "packaging_answer", "pip_answers", "uv_answers"]

#: By package: its version, and the chosen wheel; None if no wheel fits.
Answer = dict[str, tuple[str, str | None]]
#: What everyone answers to a lock that needs two versions of a package at once: that this cannot be.
REFUSED: Answer = {"two versions of one package": ("refused", None)}
#: A package, its version and the names of its wheels: what can be chosen from.
Choosable = tuple[str, str, frozenset[str]]


@cache
def _lock(made: Made) -> Lock:
    return read_lock(made.path, f"app-of-{made.name}", pyproject=made.project)


def ours(made: Made, case: Case) -> Answer:
    """What crossdock chooses."""

    def candidates(package: Package) -> tuple[LockedFile, ...]:
        files = made.files[package.name, str(package.version)]
        return tuple(LockedFile(filename=name, sha256=digest) for name, digest in files.items())

    try:
        found = survey(_lock(made), case.target, candidates=candidates)
    except ConflictingPackagesError:
        return REFUSED
    answer: Answer = {
        choice.package.name: (str(choice.package.version), choice.file.filename) for choice in found.choices
    }
    without = [item.package for item in found.builds] + [item.package for item in found.misfits]
    return answer | {package.name: (str(package.version), None) for package in without}


def packaging_answer(made: Made, case: Case) -> Answer:
    """What ``packaging`` selects: from uv's own export to pylock.toml, or from one composed of a tool's export."""
    # By hash, since uv's export writes names of files as they should be spelled, not as they are on the index.
    names = {digest: name for files in made.files.values() for name, digest in files.items()}
    answer: Answer = {}
    lock = Pylock.from_dict(_pylock(made))
    try:
        selected = list(lock.select(environment=case.environment, tags=case.target.tags))  # type: ignore[arg-type]
    except PylockSelectError as error:
        if "Multiple packages" not in str(error):
            raise
        return REFUSED
    for package, file in selected:
        assert isinstance(file, PackageWheel)
        answer[package.name] = (str(package.version), names.get(file.hashes["sha256"]))
    return answer


@cache
def _pylock(made: Made) -> dict[str, Any]:
    exported = made.folder / "pylock.toml"
    document = tomllib.loads(exported.read_text()) if exported.exists() else _composed(made)
    for package in document["packages"]:
        # Selecting is all or nothing, so every package gets a wheel that fits when no other does.
        extra = last_resort(package["name"], package["version"])
        package.setdefault("wheels", []).append(_wheel(extra, "0" * 64))
    return document


def _composed(made: Made) -> dict[str, Any]:
    packages = []
    for requirement in made.requirements:
        name, version = canonicalize_name(requirement.name), _pinned(requirement.specifier)
        wheels = [_wheel(*file) for file in made.files[name, version].items() if file[0].endswith(".whl")]
        marker = {"marker": str(requirement.marker)} if requirement.marker else {}
        packages.append({"name": name, "version": version, "wheels": wheels, **marker})
    return {"lock-version": "1.0", "created-by": "tests", "packages": packages}


def _pinned(specifiers: Iterable[Any]) -> str:
    (pin,) = specifiers
    assert pin.operator == "=="
    return str(pin.version)


def _wheel(filename: str, digest: str) -> dict[str, Any]:
    return {"name": filename, "url": f"https://index.example/{filename}", "hashes": {"sha256": digest}}


def _fitting(filename: str) -> str | None:
    return None if filename.endswith(f"-{LAST_RESORT}.whl") else filename


def _shelf(all_stubs: Path, folder: Path, packages: Iterable[Choosable]) -> Path:
    """Fill a folder with the stubs of some packages, each with one that fits when no other does."""
    folder.mkdir(parents=True)
    for name, version, wheels in packages:
        for wheel in (*wheels, last_resort(name, version)):
            make_stub(all_stubs, wheel)
            os.link(all_stubs / wheel, folder / wheel)
    return folder


def choosable(made: Made) -> set[Choosable]:
    """Give everything that can be chosen from a lock."""
    return {
        (name, version, frozenset(file for file in files if file.endswith(".whl")))
        for (name, version), files in made.files.items()
        if files
    }


def uv_answers(made: Made, cases: Iterable[Case], stubs: Path, scratch: Path) -> dict[Case, Answer]:
    """What uv installs of a tool's export, markers included; two targets at a time."""
    links = _shelf(stubs, scratch / "shelves" / f"{made.tool}-{made.name}", choosable(made))
    pins = scratch / f"{made.tool}-{made.name}.txt"
    pins.write_text("".join(f"{requirement}\n" for requirement in made.requirements))
    command = ["uv", "pip", "install", "--quiet", "--no-config", "--no-deps", "--no-build", "--no-index"]
    command += [f"--find-links={links}", f"--requirement={pins}"]

    def answer(case: Case) -> Answer:
        folder = scratch / "installed" / f"{made.tool} {made.name} {case}".replace("/", "_")
        target = [f"--target={folder}", f"--python-platform={case.uv}", f"--python-version={case.version}"]
        floor = {"MACOSX_DEPLOYMENT_TARGET": case.macos} if case.macos else {}
        try:
            run(command + target, scratch, more={"UV_CACHE_DIR": str(scratch / "uv-cache"), **floor})
        except RuntimeError as error:
            if "requirements are unsatisfiable" not in " ".join(str(error).split()):
                raise
            return REFUSED
        installed = _by_name(stub_names(folder))
        shutil.rmtree(folder, ignore_errors=True)
        return installed

    known = [case for case in cases if case.uv]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(known, pool.map(answer, known), strict=True))


def _by_name(filenames: Iterable[str]) -> Answer:
    answer: Answer = {}
    for filename in filenames:
        name, version, _, _ = parse_wheel_filename(filename)
        answer[name] = (str(version), _fitting(filename))
    return answer


def pip_answers(
    all_choosable: Iterable[Choosable], cases: Iterable[Case], stubs: Path, scratch: Path
) -> dict[Case, dict[Choosable, str | None]]:
    """What pip downloads of every package of all locks; two targets at a time.

    pip decides markers for the machine it runs on only, so it gets none. What fits every Python 3 on any target is
    asked for once, for the first target.
    """
    cases = list(cases)
    asked = {case: [item for item in all_choosable if case is cases[0] or _may_differ(item)] for case in cases}
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(cases, pool.map(lambda case: _pip(asked[case], case, stubs, scratch), cases), strict=True))


def _may_differ(item: Choosable) -> bool:
    return any(not wheel.endswith(("-py3-none-any.whl", "-py2.py3-none-any.whl")) for wheel in item[2])


def _pip(asked: Iterable[Choosable], case: Case, stubs: Path, scratch: Path) -> dict[Choosable, str | None]:
    answers: dict[Choosable, str | None] = {}
    for number, packages in enumerate(_rounds(asked)):
        folder = scratch / "pip" / f"{case} {number}".replace("/", "_")
        links = _shelf(stubs, folder / "shelf", packages.values())
        pins = folder / "pins.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version, _ in packages.values()))
        command = ["uv", "tool", "run", "pip", "download", "--isolated", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--no-index", f"--find-links={links}", f"--dest={folder / 'taken'}", f"--requirement={pins}"]
        run([*command, *case.pip_options], scratch)
        taken = _by_name(path.name for path in (folder / "taken").iterdir())
        answers |= {packages[name]: filename for name, (_, filename) in taken.items()}
        shutil.rmtree(folder)
    return answers


def _rounds(items: Iterable[Choosable]) -> list[dict[str, Choosable]]:
    """Deal out packages so that one run of an installer meets each name once."""
    rounds: list[dict[str, Choosable]] = []
    for item in items:
        fitting = next((one for one in rounds if item[0] not in one), None)
        if fitting is None:
            rounds.append({item[0]: item})
        else:
            fitting[item[0]] = item
    return rounds
