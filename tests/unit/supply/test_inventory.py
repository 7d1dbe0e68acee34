"""What an image is made of, by its plan and by what its wheels say of themselves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.supply.sample import DEBIAN, FACTS, IMAGE, Sample, make_sample

from crossdock.lockfile.interpreters import LockedInterpreter
from crossdock.locks import Source
from crossdock.supply.inventory import base_components, interpreter_components, inventory, wheel_notes
from crossdock.supply.licenses import License
from crossdock.supply.notes import WheelNotes

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.supply.components import Component


def components(sample: Sample) -> dict[str, Component]:
    made = inventory(sample.part, sample.own, sample.project, wheel_notes(sample.part, sample.own, sample.store))
    return {component.ref: component for component in made.components}


APP, WEB, FAST, TINY = "pkg:generic/app@1.0", "pkg:pypi/web@2.0", "pkg:pypi/fast@1.0", "pkg:pypi/tiny@0.1"


def test_every_wheel_is_a_component_with_its_hash(sample: Sample) -> None:
    found = components(sample)
    hashes = {choice.package.name: choice.file.sha256 for choice in sample.part.selection.choices}
    assert {found[ref].sha256 for ref in (WEB, FAST, TINY)} == set(hashes.values())
    assert (found[APP].kind, found[APP].sha256) == ("application", sample.own.sha256)
    assert found[FAST].filename == "fast-1.0-cp312-cp312-manylinux_2_17_aarch64.whl"


def test_a_wheel_tells_its_license_author_and_home(sample: Sample) -> None:
    web = components(sample)[WEB]
    assert web.license == License("MIT OR Apache-2.0")
    assert (web.summary, web.author, web.homepage) == ("Serves pages", "Ada Byron", "https://web.example/")


def test_who_needs_whom_comes_from_the_lock_and_the_wheels_under_the_targets_markers(sample: Sample) -> None:
    found = components(sample)
    assert found[APP].depends == (WEB,)
    assert found[WEB].depends == (FAST,)
    # Only the extra that web asks for makes it need tiny; the lock does not say so.
    assert found[FAST].depends == (TINY,)


def test_extras_that_lead_to_extras_are_followed_and_hostile_ones_cost_little(sample: Sample) -> None:
    notes = wheel_notes(sample.part, sample.own, sample.store)
    fast = next(choice.file.sha256 for choice in sample.part.selection.choices if choice.package.name == "fast")

    def needs_of_fast(*requires: str) -> tuple[str, ...]:
        changed = {**notes, fast: WheelNotes(requires=requires)}
        found = inventory(sample.part, sample.own, sample.project, changed).components
        return next(item.depends for item in found if item.ref == FAST)

    assert needs_of_fast("fast[b]; extra == 'speed'", "fast[c]; extra == 'b'", "tiny; extra == 'c'") == (TINY,)
    assert needs_of_fast("fast[speed]; extra == 'b'", "tiny; extra == 'b'") == ()
    chain = [f"fast[e{number + 1}]; extra == 'e{number}'" for number in range(1900)]
    started = time.perf_counter()
    assert needs_of_fast("fast[e0]", *chain, "tiny; extra == 'e1800'") == ()
    assert time.perf_counter() - started < 30


def test_what_a_wheel_contains_is_inside_it_and_the_wheel_itself_is_not(sample: Sample) -> None:
    found = components(sample)
    inside = [found[ref] for ref in found[FAST].contains]
    assert [(item.kind, item.name, item.version) for item in inside] == [
        ("vendored", "openssl-libs", "3.5.1"),
        ("vendored", "zlib", "1.3.1"),
    ]
    openssl, zlib = inside
    assert (openssl.purl, openssl.license) == ("pkg:rpm/almalinux/openssl-libs@3.5.1", License("Apache-2.0"))
    assert (zlib.purl, zlib.sha256, zlib.license) == ("pkg:generic/zlib@1.3.1", "12" * 32, License("Zlib"))


def test_debian_packages_belong_to_their_system(sample: Sample) -> None:
    found = components(sample)
    ssl = found["pkg:deb/debian/libssl3@3.0.16-1~deb12u1?arch=arm64&distro=bookworm"]
    assert (ssl.kind, ssl.sha256, ssl.supplier) == ("debian", "bb" * 32, "Debian")
    system = found["debian:bookworm/arm64"]
    assert (system.kind, system.name, system.version) == ("system", "debian", "12")
    assert ssl.ref in system.contains


def test_what_is_inside_another_is_not_at_the_top(sample: Sample) -> None:
    made = inventory(sample.part, sample.own, sample.project, wheel_notes(sample.part, sample.own, sample.store))
    assert {item.ref for item in made.top} == {APP, WEB, FAST, TINY, "debian:bookworm/arm64"}


def test_a_wheel_that_is_not_here_is_listed_with_what_the_lock_knows(sample: Sample) -> None:
    made = inventory(sample.part, sample.own, sample.project, {})
    fast = next(item for item in made.components if item.ref == FAST)
    assert (fast.version, bool(fast.sha256), fast.license, fast.contains) == ("1.0", True, License(), ())
    # The lock still says who needs it.
    assert next(item for item in made.components if item.ref == WEB).depends == (FAST,)


def test_notes_outlive_the_wheel(tmp_path: Path) -> None:
    sample = make_sample(tmp_path)
    before = wheel_notes(sample.part, sample.own, sample.store)
    for choice in sample.part.selection.choices:
        sample.store.discard(choice.file.sha256)
    assert wheel_notes(sample.part, sample.own, sample.store) == before
    assert len(before) == 4


def test_a_base_image_is_one_component_named_by_its_digest() -> None:
    (base,) = base_components(IMAGE)
    assert base.purl == (
        f"pkg:oci/python@sha256:{'c' * 64}?arch=arm64&repository_url=docker.io/library/python&tag=3.12-slim"
    )
    assert base.sha256 == "c" * 64


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("registry.example:50/a/py", "pkg:oci/py@{}?arch=arm64&repository_url=registry.example:50/a/py&tag=latest"),
        (f"registry.example/py@sha256:{'0' * 64}", "pkg:oci/py@{}?arch=arm64&repository_url=registry.example/py"),
        ("oci:/home/me/base", "pkg:oci/base@{}?arch=arm64"),
        ("oci:base:3.12", "pkg:oci/base@{}?arch=arm64"),
        (r"oci:C:\images\base", "pkg:oci/base@{}?arch=arm64"),
        (f"docker-archive:../base.tar@sha256:{'0' * 64}", "pkg:oci/base.tar@{}?arch=arm64"),
    ],
)
def test_the_package_url_of_a_base_image(name: str, purl: str) -> None:
    (base,) = base_components(replace(IMAGE, name=name))
    assert base.purl == purl.format(IMAGE.digest)
    assert "home" not in base.name


def test_scratch_is_no_component() -> None:
    assert base_components(replace(IMAGE, name="scratch", digest="", layers=())) == []


def test_the_interpreter_is_that_of_the_image() -> None:
    own = LockedInterpreter(
        name="https://user:s3cret@files.example/cpython-3.12.8-install_only.tar.gz?token=t0p",
        architecture="arm64",
        sha256="99" * 32,
        size=1,
        python_version="3.12.8",
        python_path="/opt/python/bin/python3.12",
        libc="glibc",
        libc_version=(2, 17),
    )
    (component,) = interpreter_components(own, IMAGE, FACTS)
    assert (component.purl, component.sha256) == ("pkg:generic/python@3.12.8", "99" * 32)
    assert component.filename == "cpython-3.12.8-install_only.tar.gz"
    assert interpreter_components(None, DEBIAN, FACTS) == []  # it is one of the packages
    (inside,) = interpreter_components(None, IMAGE, FACTS)
    assert (inside.purl, inside.sha256) == ("pkg:generic/python@3.12.8", "")


def test_packages_of_an_interpreter_may_be_packages_of_the_base(sample: Sample) -> None:
    more = replace(DEBIAN.packages[1], name="python3.12-minimal", sha256="77" * 32)
    python = replace(DEBIAN, packages=(DEBIAN.packages[0], more))
    part = replace(sample.part, interpreter=python)
    found = inventory(part, sample.own, sample.project, {}).components
    assert len({item.ref for item in found}) == len(found)
    assert {item.name for item in found if item.kind == "debian"} == {"base-files", "libssl3", "python3.12-minimal"}
    (system,) = (item for item in found if item.kind == "system")
    assert len(system.contains) == 3


def test_what_was_built_from_a_repository_says_which_without_secrets(tmp_path: Path) -> None:
    source = Source(kind="vcs", location="https://me:hunter2@git.example/tiny?token=t0p", revision="c" * 40)
    sample = make_sample(tmp_path, tiny_source=source)
    (tiny,) = (item for item in components(sample).values() if item.name == "tiny")
    assert tiny.purl == f"pkg:pypi/tiny@0.1?vcs_url=git%2Bhttps://git.example/tiny%40{'c' * 40}"
