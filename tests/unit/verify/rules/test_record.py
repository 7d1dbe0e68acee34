"""Files and what the RECORD of their distribution says of them."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.seentree import SITE, VENV, Link, contents, dist, found, make_case
from tests.support.wheelmaker import make_wheel

from crossdock.verify.rules.record import judge_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = {"alpha/__init__.py": "one\n", "alpha/data/a.txt": "two\n", "alpha/tests/test_one.py": "three\n"}
WHOLE = dist("alpha", files=FILES)
RECORD = f"{SITE}/alpha-1.0.dist-info/RECORD"


def recorded(content: bytes, algorithm: str = "sha256") -> str:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
    return f"{algorithm}={digest},{len(content)}"


def with_record(files: Mapping[str, Any], *lines: str) -> dict[str, Any]:
    """Put lines before the others of alpha's RECORD."""
    record = files[RECORD]
    return {**files, RECORD: "".join(f"{line}\n" for line in lines).encode() + record}


def judge(*layers: Mapping[str, Any], **claim: Any) -> list[tuple[str, str, str]]:
    return found(judge_record, make_case(*layers, **claim))


def test_what_a_wheel_and_installers_leave_is_whole() -> None:
    assert judge(WHOLE) == []
    pip_made = with_record(
        WHOLE,
        f"../../../bin/alpha,{recorded(b'#!x')}",
        "alpha/__pycache__/__init__.cpython-312.pyc,,",
        f"alpha-1.0.dist-info/INSTALLER,{recorded(b'pip')}",
        "alpha-1.0.dist-info/RECORD.jws,,",
        '"alpha/na,me.txt",,',
    )
    more = {f"{VENV}/bin/alpha": b"#!x", f"{SITE}/alpha/na,me.txt": "", f"{SITE}/alpha-1.0.dist-info/INSTALLER": "pip"}
    assert judge({**pip_made, **more}) == []


@pytest.mark.parametrize("subject", ["image", "bundle", "layer", "wheel"])
def test_a_file_that_was_changed(subject: str) -> None:
    changed = {**WHOLE, f"{SITE}/alpha/data/a.txt": "TWO\n"}
    assert judge(changed, subject=subject) == [("record-hash", "error", f"{SITE}/alpha/data/a.txt")]


def test_a_change_is_told_with_its_size() -> None:
    [finding] = judge_record(make_case({**WHOLE, f"{SITE}/alpha/__init__.py": "longer\n"}))
    assert finding.sentence == (
        f"alpha 1.0: {SITE}/alpha/__init__.py is another file of 7 bytes, "
        "but the distribution's RECORD has another hash, for 4 bytes"
    )


def test_what_an_upper_layer_put_in_its_place_counts() -> None:
    changed = [("record-hash", "error", f"{SITE}/alpha/__init__.py")]
    assert judge(WHOLE, {f"{SITE}/alpha/__init__.py": "patched\n"}) == changed
    assert judge(WHOLE, {f"{SITE}/alpha/__init__.py": "patched\n"}, WHOLE) == []


@pytest.mark.parametrize(
    ("path", "subject", "severity"),
    [
        ("alpha/__init__.py", "image", "error"),
        ("alpha/data/a.txt", "image", "warning"),
        ("alpha/data/a.txt", "wheel", "error"),
    ],
)
def test_a_file_that_is_not_there(path: str, subject: str, severity: str) -> None:
    files = {name: content for name, content in WHOLE.items() if not name.endswith(f"/{path}")}
    [(code, weight, where)] = judge(files, subject=subject)
    assert (code, weight) == ("record-missing", severity)
    assert f"{SITE}/{path}".startswith(where)


def test_a_folder_that_was_left_out_is_one_finding() -> None:
    listed = {f"alpha/tests/test_{number}.py": "" for number in range(50)}
    files = dist("alpha", files={"alpha/__init__.py": "", **listed})
    slim = {path: content for path, content in files.items() if "/tests/" not in path}
    [finding] = judge_record(make_case(slim))
    assert (finding.code, finding.severity, finding.path) == ("record-missing", "warning", f"{SITE}/alpha/tests")
    assert finding.found == "is not there, nor are the 50 files in it"
    hidden = {f"{SITE}/alpha/.wh.tests": ""}
    assert judge(files, hidden) == [("record-missing", "warning", f"{SITE}/alpha/tests")]


def test_many_findings_are_cut_short_by_one_that_no_path_allows() -> None:
    names = [f"alpha/m{number}.py" for number in range(30)]
    files = dist("alpha", files=dict.fromkeys(names, "1"))
    changed = {path: b"2" if path.endswith(".py") else content for path, content in files.items()}
    findings = list(judge_record(make_case(changed)))
    assert [finding.code for finding in findings] == ["record-hash"] * 21
    assert (findings[-1].path, findings[-1].severity, findings[-1].found) == ("", "error", "has 10 more such files")


def test_bytecode_may_be_another_or_none() -> None:
    listed = with_record(WHOLE, f"alpha/a.pyc,{recorded(b'1')}", f"alpha/__pycache__/b.pyc,{recorded(b'1')}")
    assert judge({**listed, f"{SITE}/alpha/a.pyc": b"2"}) == []


@pytest.mark.parametrize(
    ("algorithm", "content", "expected"),
    [
        ("sha512", b"1", []),
        ("sha512", b"12", [("record-hash", "error", f"{SITE}/alpha/x.txt")]),
        ("md5", b"1", [("record-unread", "error", RECORD)]),
        ("sha1", b"2", [("record-unread", "error", RECORD)]),
    ],
)
def test_other_hashes(algorithm: str, content: bytes, expected: list[tuple[str, str, str]]) -> None:
    listed = with_record(WHOLE, f"alpha/x.txt,{recorded(b'1', algorithm)}")
    assert judge({**listed, f"{SITE}/alpha/x.txt": content}) == expected


def test_a_hash_that_is_none_is_another_hash() -> None:
    listed = with_record(WHOLE, "alpha/x.txt,sha256=%%%,1")
    assert judge({**listed, f"{SITE}/alpha/x.txt": b"1"}) == [("record-hash", "error", f"{SITE}/alpha/x.txt")]


def test_a_record_that_is_too_large_was_not_read() -> None:
    part = contents(WHOLE)
    del part.texts[RECORD]
    assert found(judge_record, make_case(part)) == [("record-unread", "error", RECORD)]


def test_texts_that_are_too_large_are_told_of_whatever_they_are() -> None:
    part = replace(contents({"a": "1"}), unread=("b.pth", "c-1.dist-info/METADATA"), whole=False)
    [finding] = judge_record(make_case(part))
    assert (finding.code, finding.path, finding.others) == ("record-unread", "b.pth", ("c-1.dist-info/METADATA",))


def test_a_folder_is_not_the_file_that_was_recorded() -> None:
    path = f"{SITE}/alpha/data/a.txt"
    instead = {f"{other}/" if other == path else other: content for other, content in WHOLE.items()}
    assert judge(instead) == [("record-hash", "error", path)]


def test_a_record_of_very_deep_paths_takes_no_time() -> None:
    deep = with_record(WHOLE, *(f"deep{number}/{'a/' * 30_000}x.txt,," for number in range(20)))
    began = time.monotonic()
    assert len(judge(deep)) == 20
    assert time.monotonic() - began < 5


def test_links_are_followed() -> None:
    moved = {path.replace("/lib/", "/lib64/"): content for path, content in WHOLE.items()}
    assert judge({f"{VENV}/lib": Link("lib64")}, moved) == []
    one = {**WHOLE, f"{SITE}/alpha/__init__.py": Link("data/other.py"), f"{SITE}/alpha/data/other.py": "one\n"}
    assert judge(one) == []
    assert judge({**one, f"{SITE}/alpha/data/other.py": "two\n"}) == [
        ("record-hash", "error", f"{SITE}/alpha/__init__.py")
    ]


def test_scripts_of_a_folder_that_pip_installed_into() -> None:
    """``pip install --target`` moves them there, and its RECORD still says where they were."""
    files = {path.replace(SITE, "srv/deps"): content for path, content in WHOLE.items()}
    record = "srv/deps/alpha-1.0.dist-info/RECORD"
    files[record] = b"../../bin/alpha,sha256=x,1\n" + files[record]
    assert judge({**files, "srv/deps/bin/alpha": "#!x"}) == []
    assert judge(files) == [("record-missing", "warning", "bin")]


def other(content: str, path: str = "alpha/__init__.py") -> dict[str, Any]:
    return dist("beta", files={"beta/__init__.py": "", path: content})


def test_two_distributions_with_one_file() -> None:
    assert judge(WHOLE, other("one\n")) == []
    [finding] = judge_record(make_case(WHOLE, other("mine\n")))
    assert finding.sentence == (
        f"beta 1.0: {SITE}/alpha/__init__.py is that of beta 1.0, but alpha 1.0 and beta 1.0 each have their own"
    )
    assert (finding.code, finding.severity) == ("file-conflict", "error")
    assert judge(WHOLE, other("mine\n", "alpha/data/a.txt")) == [
        ("file-conflict", "warning", f"{SITE}/alpha/data/a.txt")
    ]


@pytest.mark.parametrize("installer", ["conda", "debian"])
def test_what_other_installers_put_there_has_other_records(installer: str) -> None:
    changed = {**WHOLE, f"{SITE}/alpha/__init__.py": "x", f"{SITE}/alpha-1.0.dist-info/INSTALLER": installer}
    assert judge(changed) == []


@pytest.mark.parametrize("site", ["usr/lib/python3/dist-packages", "usr/lib64/python3.12/site-packages"])
def test_system_packages_change_files_after_they_were_recorded(site: str) -> None:
    changed = {**dist("alpha", site=site), f"{site}/alpha/__init__.py": "x"}
    assert judge(changed) == []
    # Installers of wheels say who they are.
    installed = {**changed, f"{site}/alpha-1.0.dist-info/INSTALLER": "pip\n"}
    assert judge(installed) == [("record-hash", "error", f"{site}/alpha/__init__.py")]


def test_a_wheel_that_carries_distributions_is_whole(tmp_path: Path) -> None:
    import zipfile

    inner = dist("six", files={"six.py": "", "gone.txt": ""}, site="alpha/_vendor")
    del inner["alpha/_vendor/gone.txt"]
    path = make_wheel(tmp_path, "alpha", "1.0", {"alpha/__init__.py": "", **inner})
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert judge(files, subject="wheel", wheel=path.name) == []


def test_no_path_of_a_record_leads_out() -> None:
    listed = with_record(WHOLE, "../../../../../../../../etc/passwd,sha256=x,1", "/srv/x,,")
    assert judge(listed) == [("record-missing", "warning", "etc"), ("record-missing", "warning", "srv")]
