"""The command as a user meets it: help, mistakes, output streams, exit codes, and how light its start is."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock import __version__
from crossdock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "crossdock"]
PARTS = "--extra --all-extras --group --all-groups --no-group --no-dev --no-default-groups --libc-policy --frozen"
CACHE = "--offline --files --quiet --help"
PROJECT = "PROJECT --package --target"
OUTPUTS = (
    "--push --tag --output --docker-archive --load --image-refs --metadata-file --profile --compression --layers "
    "--compile --cache-from --no-cache-from --no-attachments"
)
OPTIONS = {
    "image": f"{PROJECT} --python --base {OUTPUTS} --locked --jobs {CACHE} {PARTS}",
    "lambda": f"{PROJECT} --python --layer --split --handler --without-boto3 --direct-upload --output --locked --jobs "
    f"{CACHE} {PARTS}",
    "pex": f"{PROJECT} --python --output --multi-platform --layout --pre-install-wheels --include-tools --clear "
    "--entry-point --script --no-entry-point --python-shebang --interpreter-constraint --sh-boot --venv --no-venv "
    "--runtime-pex-root --inherit-path --inject-env --inject-args --inject-python-args --strip-pex-env --locked --jobs "
    f"{CACHE} {PARTS}",
    "exe": f"{PROJECT} --interpreter --entry-point --script --output --name-style --locked --jobs {CACHE} {PARTS}",
    "plan": f"{PROJECT} --python --json --diff --locked {CACHE} {PARTS} --only-group",
    "check": f"{PROJECT} --python --json {CACHE} {PARTS} --only-group",
    "explain": f"PACKAGE --project --package --target --python --json {CACHE} {PARTS} --only-group",
    "targets": "--json --help",
    "target": "ACTION --help",
    "target show": "T --python --libc-policy --json --complete-platform --help",
    "lock": f"{PROJECT} {CACHE}",
    "bazel": "ACTION --help",
    "bazel lock": f"{PROJECT} --lock --extra --group --output --check --frozen {CACHE}",
    "fetch": f"{PROJECT} --python --all-targets --output --locked {CACHE} {PARTS} --only-group",
    "test": f"PROJECT --keep --locked --jobs --json --junit --markdown --github {CACHE}",
    "diff": f"A B --all --exit-code --json {CACHE}",
    "sbom": f"IMAGE_OR_PROJECT --package --platform --format --output --target --python --locked {CACHE} {PARTS}",
    "verify": "ARTIFACT --lock --project --package --deep --rebuild --run --base --run-timeout --allow --policy "
    f"--strict --json --sarif --junit --markdown --github --notes --target --python {CACHE} {PARTS}",
}
#: What the command line itself is made of.
START = {f"crossdock.cli.{name}" for name in ("main", "options", "parser")}
#: What only some commands need, of others' modules and of Python's own.
HEAVY = "urllib3 packaging deflate build mousebender pysequoia debian tomli_w distlib platformdirs"
HEAVY_OF_PYTHON = "hashlib ssl tomllib json asyncio concurrent.futures subprocess tempfile"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60
    )


def help_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--help"])
    assert caught.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_help_lists_the_commands_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_of([], capsys)
    for command in {name.split()[0] for name in OPTIONS}:
        assert re.search(rf"^    {command} +\w", text, re.MULTILINE)
    assert "crossdock image app --target linux/arm64 --output app.tar --tag team/app:1.0" in text
    assert "--version" in text


@pytest.mark.parametrize("command", OPTIONS)
def test_the_help_of_a_command_tells_what_it_does_and_every_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(command.split(), capsys)
    usage, _, rest = text.partition("\n\n")
    assert usage.startswith(f"usage: crossdock {command}")
    assert rest[0].isupper()
    described = set(re.findall(r"^  (?:-\w, )?(?:-\w \w+, )?(--[a-z0-9-]+|[A-Z_]+)", rest, re.MULTILINE))
    assert described == set(OPTIONS[command].split())


def test_the_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"crossdock {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["images"], "invalid choice: 'images'"),
        (["image", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["image", "--out", "x"], "unrecognized arguments: --out"),
        (["image", "--output"], "--output: expected one argument"),
        (["image", "--jobs", "0"], "'0' is not a number from 1 to 256"),
        (["image", "--jobs", "²"], "'²' is not a number from 1 to 256"),
        (["image", "--jobs", "257"], "'257' is not a number"),
        (["image", "a", "b"], "unrecognized arguments: b"),
        (["verify"], "the following arguments are required: ARTIFACT"),
    ],
)
def test_a_wrong_command_line_is_code_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert words in err
    assert "--help` lists what there is" in err


def test_an_error_is_one_message_on_standard_error(tmp_path: Path) -> None:
    done = run("image", str(tmp_path))
    assert done.returncode == 11
    assert done.stdout == ""
    assert done.stderr == (
        f"error: There is no {tmp_path / 'pyproject.toml'}\n"
        "  hint: name the project's folder, or run the command inside it\n"
    )


def test_an_error_tells_why_and_what_next(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"')
    done = run("image", str(tmp_path), "--tag", "Not A Reference")
    assert (done.returncode, done.stdout) == (71, "")
    what, why, hint = done.stderr.splitlines()
    assert what == "error: 'Not A Reference' is not an image reference"
    assert why.startswith("  why: ")
    assert hint.startswith("  hint: ")
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


@pytest.mark.parametrize("command", ["image", "plan", "lock"])
@pytest.mark.parametrize(
    ("text", "code"),
    [("[project", 12), ("[tool]", 12), ('[project]\nname = "a"\n[tool.crossdock]\nx = 1', 13)],
)
def test_a_broken_project_has_its_exit_code(
    command: str, text: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert main([command, str(tmp_path)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_verify_of_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none")]) == 92
    assert capsys.readouterr().out == ""


def test_names_do_what_they_like_in_messages_but_not_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "red\x1b[31m.tar")]) == 92
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "red\\x1b[31m.tar" in err


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\n')
    with socket.create_server(("127.0.0.1", 0)) as mirror:  # takes the request, and never answers
        mirror.settimeout(60)
        environment = {
            **os.environ,
            "CROSSDOCK_DEBIAN_MIRROR": f"http://127.0.0.1:{mirror.getsockname()[1]}/debian",
            "CROSSDOCK_CACHE": str(tmp_path / "cache"),
            "NO_PROXY": "127.0.0.1",
        }
        process = subprocess.Popen(
            [*COMMAND, "lock", str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        connection, _ = mirror.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert not (tmp_path / "crossdock.lock").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["image", "--help"], ["--version"]])
def test_a_reader_that_has_gone_is_no_reason_to_complain(arguments: list[str]) -> None:
    # Unbuffered, argparse itself would swallow what happens to its help.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, env=environment, timeout=60
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [["--help"], ["image", "--nonsense"]])
def test_start_up_imports_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], *arguments], capture_output=True, text=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "crossdock.cli.main" in imported
    assert imported & {*HEAVY.split(), *HEAVY_OF_PYTHON.split()} == set()
    ours = {name for name in imported if name.split(".")[0] == "crossdock"}
    commands = {f"crossdock.cli.{name}" for name in ("bazel", "diff", "exe", "lambda_", "pex", "test", "venv")}
    options = {"crossdock.bundling", "crossdock.bundling.pex_options"}
    assert ours == {"crossdock", "crossdock.cli", "crossdock.errors", *START, *commands, *options}
