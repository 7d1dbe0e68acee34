"""Which packages are active for a target, which file each is taken from, and what is said about the others."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.locks.samples import PYLOCK, REQUIREMENTS, UV, h

from crossdock.errors import (
    ConflictingPackagesError,
    MalformedLockError,
    NoWheelError,
    TargetNotLockedError,
    UndecidedMarkerError,
    UnknownExtraError,
)
from crossdock.locks import (
    Choice,
    Dependency,
    Lock,
    LockedFile,
    Misfit,
    Package,
    Selection,
    Source,
    choose,
    read_lock,
    select,
)
from crossdock.targets import Target, parse_platform, parse_python


def target(platform: str = "linux/arm64", python: str = "3.11") -> Target:
    return Target(parse_platform(platform), parse_python(python))


@pytest.fixture
def uv_lock(tmp_path: Path) -> Lock:
    path = tmp_path / "uv.lock"
    path.write_text(UV)
    return read_lock(path, "My_App")


def versions(selection: Selection) -> dict[str, str | None]:
    return {choice.package.name: choice.package.version for choice in selection.choices}


def package(*filenames: str, name: str = "speedups", version: str = "1.0") -> Package:
    files = tuple(
        LockedFile(filename=f, sha256=h(i), url=f"https://index.example/{f}") for i, f in enumerate(filenames)
    )
    return Package(name=name, version=version, source=Source(kind="registry"), files=files)


def lock_of(*packages: Package, marker: str | None = None) -> Lock:
    roots = tuple(Dependency(name=p.name, index=i, marker=marker) for i, p in enumerate(packages))
    return Lock(path=Path("pylock.toml"), format="pylock.toml", packages=packages, roots=roots)


class TestActivation:
    def test_follows_dependencies_extras_forks_and_cycles(self, uv_lock: Lock) -> None:
        assert versions(select(uv_lock, target())) == {
            "base": "1.0",
            "num": "1.0",
            "server": "3.1",
            "shared": "2.0",
            "speedups": "1.0",
        }

    def test_markers_are_the_targets(self, uv_lock: Lock) -> None:
        assert versions(select(uv_lock, target("linux/amd64", "3.13"))) == {
            "base": "1.0",
            "num": "2.0",
            "server": "3.1",
            "shared": "2.0",
        }

    def test_conflict_markers_of_uv_follow_the_extras_asked_for(self, uv_lock: Lock) -> None:
        assert versions(select(uv_lock, target(), ["old"]))["shared"] == "1.0"
        assert versions(select(uv_lock, target(), ["new"]))["shared"] == "2.0"

    def test_two_versions_at_once_are_refused(self, uv_lock: Lock) -> None:
        with pytest.raises(ConflictingPackagesError, match="in conflict: the extra new and the extra old"):
            select(uv_lock, target(), ["old", "new"])

    def test_an_extra_may_include_another_of_the_project(self, uv_lock: Lock) -> None:
        selection = select(uv_lock, target(), ["all"])

        one = next(c for c in selection.choices if c.package.name == "one")
        assert one.file.path == "wheels/one-1.0-py3-none-any.whl"

    def test_groups_are_off_unless_asked_for(self, uv_lock: Lock) -> None:
        assert "devtool" not in versions(select(uv_lock, target()))
        builds = select(uv_lock, target(), groups=["dev"]).builds
        assert [(build.package.name, build.reason) for build in builds] == [("devtool", "is a repository, built here")]

    def test_the_false_marker_of_what_is_left_out_is_told(self, uv_lock: Lock) -> None:
        skipped = {(s.package.name, s.package.version): s.markers for s in select(uv_lock, target()).skipped}

        assert skipped == {
            ("num", "2.0"): ("python_full_version >= '3.12'",),
            ("shared", "1.0"): ("'old' in extras",),
            ("winonly", "1.0"): ("sys_platform == 'win32'",),
        }

    def test_who_requires_a_package_is_told(self, uv_lock: Lock) -> None:
        by = {choice.package.name: choice.required_by for choice in select(uv_lock, target()).choices}

        assert by["server"] == ("", "base")
        assert by["speedups"] == ("server",)

    def test_an_unknown_extra_or_group_names_those_that_are_there(self, uv_lock: Lock) -> None:
        with pytest.raises(UnknownExtraError, match=r"extra 'nope'[\s\S]*all, extra-one, new, old"):
            select(uv_lock, target(), ["nope"])
        with pytest.raises(UnknownExtraError, match=r"dependency group 'nope'[\s\S]*dev"):
            select(uv_lock, target(), groups=["nope"])

    def test_the_locks_python_range_is_kept(self, uv_lock: Lock) -> None:
        with pytest.raises(TargetNotLockedError, match=r"Python 3\.10\.0[\s\S]*>=3\.11"):
            select(uv_lock, target(python="3.10"))

    def test_a_packages_own_python_range_is_kept(self) -> None:
        lock = lock_of(replace(package("speedups-1.0-py3-none-any.whl"), requires_python=">=3.12"))

        with pytest.raises(TargetNotLockedError, match=r"speedups 1\.0 is not for Python 3\.11\.0"):
            select(lock, target())

    def test_environments_of_the_lock_are_kept(self) -> None:
        lock = replace(lock_of(), environments=("sys_platform == 'darwin'",))

        with pytest.raises(TargetNotLockedError, match="sys_platform == 'darwin'"):
            select(lock, target())

    def test_default_groups_of_a_pylock_hold_until_groups_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "pylock.toml").write_text(PYLOCK)
        lock = read_lock(tmp_path / "pylock.toml")

        assert set(versions(select(lock, target()))) == {"base", "devtool"}
        assert set(versions(select(lock, target(), groups=[]))) == {"base"}
        assert set(versions(select(lock, target(), ["pics"], ["docs"]))) == {"base", "pics"}

    @pytest.mark.parametrize(
        "marker",
        ["platform_release >= '5.10'", "'tegra' in platform_release", "platform_version == 'x' or os_name == 'nt'"],
    )
    def test_what_only_the_running_kernel_knows_is_not_guessed(self, marker: str) -> None:
        lock = lock_of(package("speedups-1.0-py3-none-any.whl"), marker=marker)

        with pytest.raises(UndecidedMarkerError, match="known only where the program runs"):
            select(lock, target())

    def test_a_kernel_marker_that_cannot_matter_is_decided(self) -> None:
        marker = "sys_platform == 'darwin' and platform_release >= '20.0'"

        assert select(lock_of(package(), marker=marker), target()).choices == ()


class TestChoice:
    def choice(self, lock: Lock, name: str = "speedups") -> Choice:
        return next(c for c in select(lock, target()).choices if c.package.name == name)

    def test_takes_the_best_tag_and_of_these_the_highest_build(self, uv_lock: Lock) -> None:
        choice = self.choice(uv_lock)

        assert choice.file.filename == "speedups-1.0-10-cp311-cp311-manylinux_2_17_aarch64.whl"
        assert choice.file.sha256 == h(6)
        assert choice.tag == target().tags[choice.rank - 1]
        assert choice.reason == ("best of 10 wheels: cp311-cp311-manylinux_2_17_aarch64 is the target's 2nd tag")

    @pytest.mark.parametrize(
        ("ending", "reason"),
        [
            ("1.0-cp311-abi3-manylinux_2_17_aarch64.whl", "fits too, but its tag cp311-abi3-manylinux_2_17_aarch64"),
            ("1.0-2-cp311-cp311-manylinux_2_17_aarch64.whl", "fits as well, but its build tag is lower"),
            ("manylinux_2_34_aarch64.whl", "needs glibc 2.34 or newer, the target's floor is glibc 2.17"),
            ("musllinux_1_2_aarch64.whl", "needs musl, the target has glibc"),
            ("manylinux_2_17_x86_64.whl", "is for x86_64, the target is aarch64"),
            ("macosx_11_0_arm64.whl", "is for macOS, the target is Linux"),
            ("cp312-cp312-manylinux_2_17_aarch64.whl", "is for Python 3.12, the target has 3.11"),
            ("cp311-cp311d-manylinux_2_17_aarch64.whl", "needs the ABI cp311d, the target has cp311"),
            (".tar.gz", "is a source distribution"),
        ],
    )
    def test_every_other_file_has_its_reason(self, uv_lock: Lock, ending: str, reason: str) -> None:
        choice = self.choice(uv_lock)

        assert len(choice.rejected) == 10
        (rejection,) = [item for item in choice.rejected if item.filename.endswith(ending)]
        assert rejection.reason.startswith(reason)

    def test_does_not_depend_on_the_order_of_the_lock(self, uv_lock: Lock) -> None:
        files = list(next(p for p in uv_lock.packages if p.name == "speedups").files)
        for seed in range(20):
            random.Random(seed).shuffle(files)
            answer = choose(package(), tuple(files), target())
            assert isinstance(answer, Choice)
            assert answer.file.sha256 == h(6)

    def test_build_tags_are_compared_as_numbers_then_text(self) -> None:
        names = [f"speedups-1.0-{build}py3-none-any.whl" for build in ("", "1-", "1a-", "1ab-")]

        for length in (1, 2, 3, 4):
            answer = choose(package(), package(*names[:length]).files, target())
            assert isinstance(answer, Choice)
            assert answer.file.filename == names[length - 1]

    def test_a_wheel_named_as_another_project_is_refused(self) -> None:
        for name in ("other-1.0-py3-none-any.whl", "speedups-1.1-py3-none-any.whl"):
            with pytest.raises(MalformedLockError, match=r"is not a wheel of speedups 1\.0"):
                select(lock_of(package(name)), target())


class TestNoWheel:
    def test_one_error_names_every_package_its_tags_and_the_nearest_miss(self) -> None:
        lock = lock_of(
            package(
                "speedups-1.0-cp311-cp311-win_amd64.whl",
                "speedups-1.0-cp311-cp311-manylinux_2_34_aarch64.whl",
                "speedups-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
                "speedups-1.0.tar.gz",
            ),
            package("fine-1.0-py3-none-any.whl", name="fine"),
            package("old-2.0-cp27-cp27m-win32.whl", "old-2.0.tar.gz", name="old", version="2.0"),
        )

        with pytest.raises(NoWheelError) as caught:
            select(lock, target())

        text = str(caught.value)
        assert "2 packages have no wheel for linux/arm64+glibc2.17 (cpython 3.11.0): old 2.0, speedups 1.0" in text
        assert "old 2.0: nearest is old-2.0-cp27-cp27m-win32.whl, which is for Windows" in text
        assert "nearest is speedups-1.0-cp311-cp311-manylinux_2_34_aarch64.whl, which needs glibc 2.34" in text
        assert "cp311-cp311: manylinux_2_34_aarch64, win_amd64" in text
        assert "cp312-cp312: manylinux_2_17_x86_64" in text
        assert "[tool.crossdock.packages.old]" in text

    def test_a_wheel_with_no_wheels_name_is_a_miss(self) -> None:
        answer = choose(package(), package("speedups-1.0-x.whl").files, target())

        assert isinstance(answer, Misfit)
        assert answer.rejected[0].reason == "has a name that is no wheel's"

    def test_a_name_that_multiplies_its_tags_is_not_expanded(self) -> None:
        bomb = "-".join(".".join(f"{kind}{n}" for n in range(60)) for kind in ("py", "abi", "plat"))

        assert isinstance(choose(package(), package(f"speedups-1.0-{bomb}.whl").files, target()), Misfit)


class TestBuildsFromSource:
    """What has no wheel for any platform may be pure Python; what has some has code to compile."""

    SDIST_ONLY = package("old-2.0.tar.gz", name="old", version="2.0")
    FOR_ANOTHER_PYTHON = package("old-2.0-py2-none-any.whl", "old-2.0.tar.gz", name="old", version="2.0")
    COMPILED = package("old-2.0-cp311-cp311-win_amd64.whl", "old-2.0.tar.gz", name="old", version="2.0")

    @pytest.mark.parametrize("found", [SDIST_ONLY, FOR_ANOTHER_PYTHON, replace(COMPILED, from_source="allow")], ids=str)
    def test_a_source_distribution_is_built(self, found: Package) -> None:
        selection = select(lock_of(found), target())

        assert selection.choices == ()
        [build] = selection.builds
        assert build.file is not None
        assert build.file.filename == "old-2.0.tar.gz"
        assert "has to be pure Python" in build.reason
        assert build.required_by == ("",)

    @pytest.mark.parametrize("found", [COMPILED, replace(SDIST_ONLY, from_source="never")], ids=str)
    def test_or_that_is_refused(self, found: Package) -> None:
        with pytest.raises(NoWheelError, match=r"old 2\.0"):
            select(lock_of(found), target())

    def test_the_setting_that_forbids_it_is_told(self) -> None:
        with pytest.raises(NoWheelError) as caught:
            select(lock_of(replace(self.SDIST_ONLY, from_source="never")), target())

        assert 'says from-source = "never"' in caught.value.hint
        assert "allow" not in caught.value.hint

    def test_a_wheel_that_fits_is_preferred(self) -> None:
        found = package("old-2.0-py3-none-any.whl", "old-2.0.tar.gz", name="old", version="2.0")
        assert select(lock_of(replace(found, from_source="allow")), target()).builds == ()

    def test_the_other_files_are_told_with_their_reasons(self) -> None:
        [build] = select(lock_of(self.FOR_ANOTHER_PYTHON), target()).builds
        assert [(item.filename, item.reason) for item in build.rejected] == [
            ("old-2.0-py2-none-any.whl", "is for Python 2, the target has 3.11")
        ]


class TestRequirements:
    @pytest.fixture
    def lock(self, tmp_path: Path) -> Lock:
        (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
        return read_lock(tmp_path / "requirements.txt")

    def test_files_come_from_the_index_by_hash(self, lock: Lock) -> None:
        asked: list[str] = []

        def candidates(package: Package) -> tuple[LockedFile, ...]:
            asked.append(package.name)
            stem = f"{package.name}-{package.version}"
            good = LockedFile(filename=f"{stem}-py3-none-any.whl", sha256=min(package.hashes))
            return good, LockedFile(filename=f"{stem}-cp311-cp311-linux_aarch64.whl", sha256=h(99))

        selection = select(lock, target(), candidates=candidates)

        assert versions(selection) == {"base": "1.0", "direct": "1.0", "local": "1.0", "server": "3.1"}
        assert asked == ["base", "server"]
        base = selection.choices[0]
        assert base.file.sha256 == h(1)
        assert [r.reason for r in base.rejected] == ["has a hash that is not in the lock"]

    def test_an_index_without_the_locked_files_is_told(self, lock: Lock) -> None:
        with pytest.raises(NoWheelError, match=r"base 1\.0: there is on the index no file"):
            select(lock, target(), candidates=lambda _: ())


def test_a_large_lock_is_selected_whole() -> None:
    pythons = ("cp310", "cp311", "cp312", "cp313")
    platforms = [
        f"{p}_{m}" for m in ("x86_64", "aarch64") for p in ("manylinux_2_17", "manylinux_2_28", "musllinux_1_2")
    ]
    packages = [
        package(*(f"p{i}-1.0-{py}-{py}-{pl}.whl" for py in pythons for pl in platforms), name=f"p{i}")
        for i in range(300)
    ]
    assert len(select(lock_of(*packages), target()).choices) == 300
