"""Where a locked file is, and whose password goes there."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.locks.samples import UV, U, h

from crossdock.bazel.main import main
from crossdock.errors import DownloadError, InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path

HOST = "index.example"


@pytest.fixture(autouse=True)
def _nothing_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Leave no index and no netrc of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", str(tmp_path / "empty"))
    for name in (
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
    ):
        monkeypatch.delenv(name, raising=False)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code = main(["url", *arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def of(name: str, filename: str, number: int | str) -> list[str]:
    return ["--name", name, "--filename", filename, "--sha256", number if isinstance(number, str) else h(number)]


NUM = of("num", "num-1.0-py3-none-any.whl", 13)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "uv.lock"
    path.write_text(UV)
    return path


def test_where_the_lock_says(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "--lock", str(lock), *NUM)
    assert found == {"url": f"{U}/num-1.0-py3-none-any.whl", "auth": None}


def test_a_path_of_the_lock(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "--lock", str(lock), *of("one", "one-1.0-py3-none-any.whl", 18))
    assert found == {"url": (lock.parent / "wheels" / "one-1.0-py3-none-any.whl").as_uri(), "auth": None}


def test_netrc(lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".netrc").write_text(f"machine {HOST} login me password se:cret\n")
    found = ask(capsys, "--lock", str(lock), *NUM)
    assert found["auth"] == {"type": "basic", "login": "me", "password": "se:cret"}
    assert "secret" not in found["url"]


def test_of_an_index_s_own_url(lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", f"https://me:sec%40ret@{HOST}/simple")
    found = ask(capsys, "--lock", str(lock), *NUM)
    assert found == {
        "url": f"{U}/num-1.0-py3-none-any.whl",
        "auth": {"type": "basic", "login": "me", "password": "sec@ret"},
    }


def test_nobody_else_s_password_is_sent(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", "https://me:secret@other.example/simple")
    assert ask(capsys, "--lock", str(lock), *NUM)["auth"] is None


def test_in_the_lock_itself(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock.write_text(UV.replace(f"{U}/num-1.0", f"{U.replace('//', '//me:secret@')}/num-1.0"))
    assert ask(capsys, "--lock", str(lock), *NUM) == {
        "url": f"{U}/num-1.0-py3-none-any.whl",
        "auth": {"type": "basic", "login": "me", "password": "secret"},
    }


def test_a_keyring_is_asked_for_indexes_alone(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "bin" / "keyring"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$*" >> "$HOME/asked"\nprintf "me\\nfrom-keyring\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("UV_KEYRING_PROVIDER", "subprocess")
    lock.write_text(UV.replace(U, "https://files.example"))
    assert ask(capsys, "--lock", str(lock), *NUM) == {
        "url": "https://files.example/num-1.0-py3-none-any.whl",
        "auth": None,
    }
    assert not (tmp_path / "asked").exists()
    lock.write_text(UV)
    assert ask(capsys, "--lock", str(lock), *NUM)["auth"] == {
        "type": "basic",
        "login": "me",
        "password": "from-keyring",
    }


def test_what_no_lock_locates_is_asked_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    wheel = make_wheel(folder, "a", "1.0", {"a.py": ""})
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"a==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    arguments = of("a", wheel.name, digest)
    assert ask(capsys, "--lock", str(lock), *arguments) == {"url": wheel.as_uri(), "auth": None}
    assert ask(capsys, *arguments) == {"url": wheel.as_uri(), "auth": None}


def test_a_place_of_the_lock_that_has_it_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    wheel = make_wheel(folder, "a", "1.0", {"a.py": ""})
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock, url = tmp_path / "pylock.toml", f"{U}/{wheel.name}"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "a"\nversion = "1.0"\n'
        f'wheels = [{{ url = "{url}", hashes = {{ sha256 = "{digest}" }} }}]\n'
    )
    arguments = ["--lock", str(lock), *of("a", wheel.name, digest)]
    # No index has it either: the lock's place is the one to complain of.
    assert ask(capsys, *arguments, "--tried", url)["url"] == url
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    assert ask(capsys, *arguments)["url"] == url
    assert ask(capsys, *arguments, "--tried", url)["url"] == wheel.as_uri()
    (tmp_path / ".netrc").write_text(f"machine {HOST} login me password secret\n")
    assert ask(capsys, *arguments, "--tried", url)["url"] == url


def test_what_is_nowhere(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["url", *of("num", "num-1.0-py3-none-any.whl", 999)]) == DownloadError.exit_code
    err = capsys.readouterr().err
    assert "num-1.0-py3-none-any.whl is on none of the indexes" in err
    assert main(["url", *of("num", "num-1.0-py3-none-any.whl", "nonsense")]) == InvalidRequestError.exit_code


def test_an_error_shows_no_password(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSDOCK_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    assert main(["url", *of("num", "num-1.0-py3-none-any.whl", 999)]) == DownloadError.exit_code
    assert "secret" not in "".join(capsys.readouterr())
