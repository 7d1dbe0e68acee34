"""Reading what distributions say of themselves, however oddly they say it."""

from __future__ import annotations

import time

import pytest

from crossdock.verify.distributions import installed_ones, read_distributions

INFO = "lib/site-packages/alpha-1.0.dist-info"


def record(text: str, folder: str = INFO) -> list[tuple[str, str, str, int | None]]:
    [distribution] = read_distributions({f"{folder}/RECORD": text})
    assert distribution.record is not None
    return [tuple(line) for line in distribution.record]  # type: ignore[misc]


def test_all_of_a_distribution() -> None:
    metadata = (
        "Metadata-Version: 2.1\nName: Alpha_B\nVersion: 1.0rc1\nRequires-Dist: x>=1\nRequires-Dist: y ; extra == 'z'\n"
    )
    [found] = read_distributions(
        {
            f"{INFO}/METADATA": f"{metadata}Provides-Extra: z\n",
            f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp312-cp312-a\nTag: cp312-cp312-b\n",
            f"{INFO}/RECORD": "alpha.py,sha256=abc,1\n",
        }
    )
    assert (found.name, found.version, found.label) == ("alpha-b", "1.0rc1", "alpha-b 1.0rc1")
    assert (found.folder, found.site) == (INFO, "lib/site-packages")
    assert (found.requires, found.extras) == (("x>=1", "y ; extra == 'z'"), ("z",))
    assert (found.tags, found.pure) == (("cp312-cp312-a", "cp312-cp312-b"), False)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("alpha-1.0.dist-info/WHEEL", "alpha 1.0"),
        ("a/Alpha.B-1.0.dist-info/RECORD", "alpha-b 1.0"),
        ("a/alpha-1.0-py3.11.egg-info/PKG-INFO", "alpha 1.0"),
        ("a/alpha.egg-info/PKG-INFO", "alpha "),
    ],
)
def test_without_metadata_the_folder_names_it(path: str, label: str) -> None:
    [found] = read_distributions({path: ""})
    assert found.label == label
    assert (found.tags is None) == (not path.endswith("WHEEL"))
    assert (found.record is None) == (not path.endswith("RECORD"))


@pytest.mark.parametrize("path", ["METADATA", "a/METADATA", "a/x.dist-info/y/METADATA", "a/x.dist-info/top_level.txt"])
def test_other_files_make_no_distribution(path: str) -> None:
    assert read_distributions({path: "Name: x\nVersion: 1\n"}) == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a/b.py,sha256=YWJj,12", ("lib/site-packages/a/b.py", "sha256", "YWJj", 12)),
        ("a/b.py,sha256=YWI=,12", ("lib/site-packages/a/b.py", "sha256", "YWI", 12)),
        ("a/b.py,SHA256=YWJj,", ("lib/site-packages/a/b.py", "sha256", "YWJj", None)),
        ("a/b.py,,", ("lib/site-packages/a/b.py", "", "", None)),
        ("a/b.py", ("lib/site-packages/a/b.py", "", "", None)),
        ('"a/b,c.py",,', ("lib/site-packages/a/b,c.py", "", "", None)),
        ("../../bin/x,,", ("bin/x", "", "", None)),
        ("../../../../../bin/x,,", ("bin/x", "", "", None)),
        ("./a//b.py,,", ("lib/site-packages/a/b.py", "", "", None)),
        ("a/.hidden/x,,", ("lib/site-packages/a/.hidden/x", "", "", None)),
        ("a/..b/x,,", ("lib/site-packages/a/..b/x", "", "", None)),
        ("a\\b.py,,", ("lib/site-packages/a/b.py", "", "", None)),
        ("/opt/x,,", ("opt/x", "", "", None)),
        ("a,sha256=x,-1", ("lib/site-packages/a", "sha256", "x", None)),
        ("a,sha256=x," + "9" * 50, ("lib/site-packages/a", "sha256", "x", None)),
        ("a,sha256=x,²", ("lib/site-packages/a", "sha256", "x", None)),
    ],
)
def test_lines_of_a_record(line: str, expected: tuple[str, str, str, int | None]) -> None:
    assert record(f"{line}\n\n,,\nlast,,\n") == [expected, ("lib/site-packages/last", "", "", None)]


def test_a_record_at_the_root() -> None:
    assert [path for path, *_ in record("a/b.py,,\n../x,,\n", "alpha-1.0.dist-info")] == ["a/b.py", "x"]


@pytest.mark.parametrize("text", ['"', '"a\n', "\0\0\0", ",,,,", "\x85\u2028", "\udcff,,", '"' * 1000, "a" * 200_000])
def test_no_record_is_too_odd(text: str) -> None:
    record(text + "\nlast,,\n")


def test_a_line_that_cannot_be_read_is_passed_over() -> None:
    assert record("x" * 140_000 + ",,\nlast,,\n")[-1][0] == "lib/site-packages/last"


def test_what_another_carries_is_not_installed() -> None:
    texts = {
        f"{INFO}/METADATA": "Name: alpha\nVersion: 1\n",
        f"{INFO}/RECORD": "alpha/inside/six-1.0.dist-info/METADATA,,\n",
        "lib/site-packages/alpha/inside/six-1.0.dist-info/METADATA": "Name: six\nVersion: 1\n",
        "lib/site-packages/beta/_vendor/toml-1.0.dist-info/METADATA": "Name: toml\nVersion: 1\n",
        "lib/site-packages/gamma-1.0.dist-info/RECORD": "gamma-1.0.dist-info/METADATA,,\n",
    }
    found = read_distributions(texts)
    assert sorted(item.name for item in found) == ["alpha", "gamma", "six", "toml"]
    assert sorted(item.name for item in installed_ones(found)) == ["alpha", "gamma"]


def test_a_long_record_takes_little_time() -> None:
    text = "".join(f"alpha/some/folder/module_{number}.py,sha256={'x' * 43},{number}\n" for number in range(100_000))
    before = time.process_time()
    assert len(record(text)) == 100_000
    assert time.process_time() - before < 3
