"""What is read in wheels, however odd or hostile they are."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.wheelmaker import make_wheel
from tests.unit.supply.sample import CYCLONEDX_IN_WHEEL, SPDX_IN_WHEEL, metadata

from crossdock.errors import WheelError
from crossdock.store import Store
from crossdock.supply.embedded import read_embedded
from crossdock.supply.licenses import License, license_of
from crossdock.supply.notes import WheelNotes, find_notes, read_notes
from crossdock.supply.purl import debian_purl, generic_purl, purl, python_purl

FIELDS = ("Summary", "Author", "License", "Home-page", "Requires-Dist", "Maintainer")


def notes_of(folder: Path, *lines: str, sboms: dict[str, str | bytes] | None = None) -> WheelNotes:
    files: dict[str, str | bytes] = {"a-1.dist-info/METADATA": metadata("a", "1", *lines)}
    files |= {f"a-1.dist-info/sboms/{name}": data for name, data in (sboms or {}).items()}
    path = make_wheel(folder, "a", "1", files)
    return read_notes(path, path.name)


def test_a_wheel_that_says_nothing_has_empty_notes(tmp_path: Path) -> None:
    assert notes_of(tmp_path) == WheelNotes()


def test_what_old_tools_wrote_for_nothing_is_nothing(tmp_path: Path) -> None:
    assert notes_of(tmp_path, "License: UNKNOWN", "Home-page: UNKNOWN", "Author: UNKNOWN") == WheelNotes()


@pytest.mark.parametrize(
    ("lines", "license_"),
    [
        (["License-Expression: apache-2.0"], License("Apache-2.0")),
        (["License: MIT"], License("MIT")),
        (["License: BSD"], License(name="BSD")),
        (["License: MIT", "License-Expression: ISC"], License("ISC")),
        (["Classifier: License :: OSI Approved :: MIT License"], License("MIT")),
        (["License: see file", "Classifier: License :: OSI Approved :: MIT License"], License("MIT")),
        (["Classifier: License :: OSI Approved :: BSD License"], License(name="BSD License")),
        (
            [f"Classifier: License :: OSI Approved :: {name}" for name in ("MIT License", "ISC License (ISCL)")],
            License(name="ISC License (ISCL), MIT License"),
        ),
        (["License: Copyright (c) 2020", "        Permission is hereby granted"], License(name="Copyright (c) 2020")),
    ],
)
def test_the_license_is_the_most_exact_of_what_is_said(lines: list[str], license_: License, tmp_path: Path) -> None:
    assert notes_of(tmp_path, *lines).license == license_


@pytest.mark.parametrize("text", ["(" * 400, "MIT AND " * 60, "MIT\x00", "__import__('os')", "x" * 10_000, "MIT)(MIT"])
def test_what_is_no_license_expression_is_a_name_of_bounded_length(text: str) -> None:
    found = license_of(expression=text, text="", classifiers=())
    assert found.expression == ""
    assert found.name.isprintable()
    assert len(found.name) <= 500


@pytest.mark.parametrize(
    ("lines", "homepage"),
    [
        (["Home-page: https://a.example/"], "https://a.example/"),
        (["Project-URL: Source Code, https://git.example/a"], "https://git.example/a"),
        (["Project-URL: Homepage, https://a.example/", "Home-page: ftp://x.example"], "https://a.example/"),
        (["Home-page: https://user:secret@a.example/"], ""),
        (["Home-page: javascript:alert(1)"], ""),
        (["Home-page: https://a.example/ b"], ""),
        (["Home-page: http://[::1"], ""),
        (["Home-page: http://127.0.0.1/"], ""),
        (["Home-page: https://a.example/100%"], ""),
        (["Home-page: https://a.example:8000/b%20c?d=e/f?g#h"], "https://a.example:8000/b%20c?d=e/f?g#h"),
        (["Home-page: https://a.example?q"], "https://a.example?q"),
        ([f"Home-page: https://{'a-' * 400}!"], ""),
        (["Project-URL: Changelog, https://a.example/changes"], ""),
    ],
)
def test_the_homepage_is_a_plain_address_or_none(lines: list[str], homepage: str, tmp_path: Path) -> None:
    assert notes_of(tmp_path, *lines).homepage == homepage


@pytest.mark.parametrize(
    ("lines", "author"),
    [
        (["Author: Ada", "Author-Email: ada@a.example"], "Ada"),
        (['Author-Email: "Byron, Ada" <ada@a.example>, Bob <bob@a.example>'], "Byron, Ada, Bob"),
        (["Author-Email: ada@a.example"], "ada@a.example"),
        (["Author: UNKNOWN", "Maintainer: Bob"], "Bob"),
        (["Author-Email: <<<", "Maintainer-Email: Bob <b@b.example>"], "Bob"),
    ],
)
def test_the_author_is_a_name_if_there_is_one(lines: list[str], author: str, tmp_path: Path) -> None:
    assert notes_of(tmp_path, *lines).author == author


@pytest.mark.parametrize(
    ("licenses", "license_"),
    [
        ([{"expression": "MIT OR Apache-2.0"}], License("MIT OR Apache-2.0")),
        ([{"license": {"id": "MIT"}}, {"license": {"id": "ISC"}}], License("ISC AND MIT")),
        ([{"license": {"id": "MIT"}}, {"expression": "ISC OR Zlib"}], License("(ISC OR Zlib) AND MIT")),
        ([{"license": {"id": "MIT"}}, {"license": {"name": "Its own"}}], License(name="Its own, MIT")),
        ([], License()),
    ],
)
def test_licenses_of_a_component_apply_together(licenses: list[Any], license_: License) -> None:
    document = {"bomFormat": "CycloneDX", "components": [{"name": "x", "licenses": licenses}]}
    (found,) = read_embedded(json.dumps(document).encode(), wheel="a") or []
    assert found.license == license_


def test_no_text_of_a_wheel_brings_control_characters(tmp_path: Path) -> None:
    notes = notes_of(tmp_path, "Summary: red \x1b[31m text\x07", "Author: A\x9b\u202eB", f"Requires-Dist: {'x' * 5000}")
    assert (notes.summary, notes.author) == ("red [31m text", "A B")
    assert len(notes.requires[0]) == 1000


def test_bills_of_materials_in_a_wheel_are_read_and_joined(tmp_path: Path) -> None:
    boms: dict[str, str | bytes] = {
        "one.cdx.json": json.dumps(CYCLONEDX_IN_WHEEL),
        "two.spdx.json": json.dumps(SPDX_IN_WHEEL),
        "again.cdx.json": json.dumps(CYCLONEDX_IN_WHEEL),
    }
    # The sample's are of a wheel called fast, which this one is not.
    assert [item.name for item in notes_of(tmp_path, sboms=boms).vendored] == ["fast", "fast", "openssl-libs", "zlib"]


def test_one_that_cannot_be_read_is_named_and_harms_nothing(tmp_path: Path) -> None:
    boms: dict[str, str | bytes] = {
        "good.spdx.json": json.dumps(SPDX_IN_WHEEL),
        "bad.json": b"{",
        "deep.json": b"[" * 200_000,
        "list.json": b"[]",
        "other.xml": b"<bom/>",
        "large.json": b" " * ((4 << 20) + 1),
        "number.json": b"1" * 10_000,
    }
    notes = notes_of(tmp_path, sboms=boms)
    assert notes.unread == ("bad.json", "deep.json", "large.json", "list.json", "number.json", "other.xml")
    assert [item.name for item in notes.vendored] == ["fast", "zlib"]


def test_a_wheel_with_very_many_of_them_is_read_in_part(tmp_path: Path) -> None:
    boms: dict[str, str | bytes] = {f"{number:03}.json": json.dumps(SPDX_IN_WHEEL) for number in range(70)}
    assert notes_of(tmp_path, sboms=boms).unread == tuple(f"{number:03}.json" for number in range(64, 70))


def test_all_of_them_together_are_read_up_to_a_limit(tmp_path: Path) -> None:
    padded = json.dumps({**SPDX_IN_WHEEL, "comment": " " * ((4 << 20) - 2000)})
    boms: dict[str, str | bytes] = {f"{number}.json": padded for number in range(6)}
    assert notes_of(tmp_path, sboms=boms).unread == ("4.json", "5.json")


def test_components_in_components_are_found_however_deep() -> None:
    inner: dict[str, Any] = {"name": "deepest", "version": "1"}
    for _ in range(300):
        inner = {"name": "shell", "components": [inner]}
    found = read_embedded(json.dumps({"bomFormat": "CycloneDX", "components": [inner]}).encode(), wheel="a")
    assert found is not None
    assert "deepest" in {item.name for item in found}


def test_a_document_of_nonsense_lists_nothing_of_it() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "metadata": [],
        "components": [
            1,
            {"name": 1},
            {"name": "a\ud800b\x1b", "version": None, "purl": "pkg:x/\n", "hashes": "no", "licenses": {"x": 1}},
            {"name": "ok", "hashes": [{"alg": "SHA-256", "content": "zz"}], "licenses": [{"license": "MIT"}, 3]},
        ],
    }
    found = read_embedded(json.dumps(document).encode(), wheel="a")
    assert found is not None
    assert sorted((item.name, item.version, item.purl, item.sha256, item.license.expression) for item in found) == [
        ("ab", "", "", "", ""),
        ("ok", "", "", "", ""),
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "purl", "components", "licenses", "license", "hashes", "packages", "version"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(json_values, st.sampled_from([{"bomFormat": "CycloneDX"}, {"spdxVersion": "SPDX-2.3"}]))
def test_no_document_makes_reading_fail(value: Any, kind: dict[str, str]) -> None:
    document = {**(value if isinstance(value, dict) else {"components": value, "packages": value}), **kind}
    found = read_embedded(json.dumps(document).encode(), wheel="a")
    assert found is not None
    for item in found:
        assert item.name
        assert item.name.isprintable()


def test_notes_survive_being_kept(tmp_path: Path) -> None:
    notes = notes_of(tmp_path, "License: MIT", "Requires-Dist: b>1", sboms={"a.json": json.dumps(SPDX_IN_WHEEL)})
    assert WheelNotes.from_json(json.loads(json.dumps(notes.to_json()))) == notes


long_texts = st.text(min_size=0, max_size=30).flatmap(lambda text: st.sampled_from([text, text * 100, f"{text} " * 90]))


@given(st.lists(long_texts, min_size=6, max_size=6), st.lists(long_texts, max_size=4))
@settings(max_examples=50, deadline=None)
def test_whatever_a_wheel_says_can_be_kept(texts: list[str], licenses: list[str]) -> None:
    component = {
        "name": texts[0],
        "group": texts[1],
        "version": texts[2],
        "licenses": [{"license": {"name": text}} for text in (*licenses, *["MIT OR ISC"] * len(licenses))],
    }
    package = {"name": texts[3], "versionInfo": texts[4], "licenseDeclared": texts[5]}
    documents = (
        {"bomFormat": "CycloneDX", "components": [component]},
        {"spdxVersion": "SPDX-2.3", "packages": [package]},
    )
    with tempfile.TemporaryDirectory() as folder:
        header = [f"{key}: {text}" for key, text in zip(FIELDS, map(ascii, texts), strict=True)]
        boms: dict[str, str | bytes] = {f"{number}.json": json.dumps(item) for number, item in enumerate(documents)}
        notes = notes_of(Path(folder), *header, sboms=boms)
    assert WheelNotes.from_json(json.loads(json.dumps(notes.to_json()))) == notes


def test_a_license_of_very_many_parts_is_kept_by_name() -> None:
    parts = [{"license": {"id": name}} for name in sorted(_many_licenses())]
    document = {"bomFormat": "CycloneDX", "components": [{"name": "x", "licenses": parts}]}
    (found,) = read_embedded(json.dumps(document).encode(), wheel="a") or []
    assert found.license.expression == ""
    assert found.license.name.startswith("0BSD, ")
    assert License.from_json(asdict(found.license)) == found.license


def _many_licenses() -> list[str]:
    from packaging.licenses._spdx import LICENSES

    return [item["id"] for item in list(LICENSES.values())[:100]]


KEPT = WheelNotes(license=License("MIT"), summary="s", homepage="https://a.example/").to_json()


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"license": 1},
        {**KEPT, "more": 1},
        {**KEPT, "license": 1},
        {**KEPT, "license": {"expression": "MIT AND", "name": ""}},
        {**KEPT, "license": {"expression": "", "name": "two\nlines"}},
        {**KEPT, "license": {"expression": ["MIT"], "name": ""}},
        {**KEPT, "summary": "red \x1b[31m"},
        {**KEPT, "author": "x" * 2000},
        {**KEPT, "homepage": "https://user:secret@a.example/"},
        {**KEPT, "requires": "abc"},
        {**KEPT, "requires": [1]},
        {**KEPT, "unread": ["a"] * 20_001},
        {**KEPT, "vendored": [1]},
        {**KEPT, "vendored": [{"name": "a", "version": "", "purl": "x", "sha256": "", "license": KEPT["license"]}]},
        {**KEPT, "vendored": [{"name": "", "version": "", "purl": "", "sha256": "", "license": KEPT["license"]}]},
    ],
)
def test_what_a_wheel_cannot_have_said_is_refused_wherever_it_was_kept(value: object) -> None:
    assert WheelNotes.from_json(KEPT).summary == "s"
    with pytest.raises(ValueError, match=r"wheel|license"):
        WheelNotes.from_json(value)


def test_a_damaged_wheel_is_an_error_of_wheels_and_an_absent_one_has_no_notes(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    assert find_notes(store, "a-1-py3-none-any.whl", "ab" * 32) is None
    sha256 = store.add_bytes(b"no wheel")
    with pytest.raises(WheelError):
        find_notes(store, "a-1-py3-none-any.whl", sha256)


def test_package_urls_are_canonical_by_another_implementation() -> None:
    from packageurl import PackageURL

    for text in (
        python_purl("a-b", "1.0+local"),
        python_purl("a", "1!2", vcs_url="git+https://git.example/a@" + "c" * 40),
        debian_purl("libstdc++6", "2:12.2.0-14+deb12u1~x", architecture="arm64", suite="bookworm"),
        generic_purl("python", "3.12.8"),
        purl("npm", "name", "", namespace="@scope"),
    ):
        parsed = PackageURL.from_string(text)
        assert parsed.to_string() == text
