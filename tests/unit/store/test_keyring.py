"""The keyring program is asked for little, waited for a while, and never listened to for long."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from crossdock.store.keyring import Keyring
from crossdock.store.parallel import Cancellation, CancelledError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")


def program(folder: Path, text: str) -> dict[str, str]:
    """Put a program called keyring on a PATH of its own."""
    path = folder / "bin" / "keyring"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PATH": f"{path.parent}:/usr/bin:/bin"}


def test_names_are_asked_for_in_turn_and_once(tmp_path: Path) -> None:
    text = f'echo "$*" >> {tmp_path}/asked; [ "$2" = host ] && echo secret'
    keyring = Keyring(program(tmp_path, text))
    assert keyring.known(["https://x/", "host"], "me") is None
    for _ in range(2):
        assert keyring.find(["https://x/", "host"], "me", Cancellation()) == ("me", "secret")
    assert keyring.known(["https://x/", "host"], "me") == ("me", "secret")
    assert (tmp_path / "asked").read_text().splitlines() == ["get https://x/ me", "get host me"]


def test_without_a_user_it_is_asked_for_both(tmp_path: Path) -> None:
    keyring = Keyring(program(tmp_path, '[ "$*" = "--mode creds get host" ] && printf "me\\nsecret\\n"'))
    assert keyring.find(["host"], "", Cancellation()) == ("me", "secret")


@pytest.mark.parametrize(
    "text", ["exit 1", "echo secret; exit 1", "true", "echo", "printf 'a\\nb\\n'", "printf '\\377\\n'", "kill -9 $$"]
)
def test_what_is_no_answer(tmp_path: Path, text: str) -> None:
    assert Keyring(program(tmp_path, text)).find(["host"], "me", Cancellation()) is None


def test_an_older_program_that_knows_no_users(tmp_path: Path) -> None:
    assert (
        Keyring(program(tmp_path, "echo 'unrecognized arguments' >&2; exit 2")).find(["h"], "", Cancellation()) is None
    )


def test_nothing_asked_for_becomes_an_option(tmp_path: Path) -> None:
    keyring = Keyring(program(tmp_path, "echo secret"))
    assert keyring.find(["-host"], "me", Cancellation()) is None
    assert keyring.find(["host"], "--user", Cancellation()) is None
    assert keyring.find(["host"], "a\0b", Cancellation()) is None


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    keyring = Keyring(program(tmp_path, "sleep 60 & sleep 60; echo secret"), seconds=0.3)
    began = time.monotonic()
    assert keyring.find(["host"], "me", Cancellation()) is None
    assert time.monotonic() - began < 5
    assert keyring.trouble == "it did not answer within 0.3 seconds"


def test_a_program_that_writes_without_end_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    assert Keyring(program(tmp_path, "yes secret")).find(["host"], "me", Cancellation()) is None
    assert time.monotonic() - began < 5


def test_it_has_no_terminal_and_its_words_go_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = "echo told >&2; read answer && exit 1; (: < /dev/tty) 2>/dev/null && exit 1; echo secret"
    assert Keyring(program(tmp_path, text)).find(["host"], "me", Cancellation()) == ("me", "secret")
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_does_not_wait_for_it(tmp_path: Path) -> None:
    keyring, cancellation = Keyring(program(tmp_path, "sleep 60")), Cancellation()
    threading.Timer(0.2, cancellation.cancel).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        keyring.find(["host"], "me", cancellation)
    assert time.monotonic() - began < 5


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    keyring = Keyring({"PATH": str(tmp_path)})
    assert keyring.find(["host"], "me", Cancellation()) is None
    assert keyring.trouble == "it is not on PATH"
    broken = Keyring(program(tmp_path, ""))
    (tmp_path / "bin" / "keyring").write_text("#!/nonexistent/interpreter\n")
    assert broken.find(["host"], "me", Cancellation()) is None
    assert broken.trouble.startswith("it cannot be run: ")
