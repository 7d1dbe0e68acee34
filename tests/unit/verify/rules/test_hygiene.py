"""What has no place in an artifact: paths of the building machine, loose permissions, secrets."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.seentree import SITE, VENV, Link, Moded, dist, found, make_case

from crossdock.verify.claim import ImageConfig
from crossdock.verify.rules.hygiene import judge_host_paths, judge_permissions, judge_secrets
from crossdock.verify.rules.scripts import judge_interpreters

CONFIG = f"{VENV}/pyvenv.cfg"
CLEAN = {
    CONFIG: "home = /usr/local/bin\ncommand = /usr/local/bin/python -m venv /app/.venv\n",
    f"{VENV}/bin/python": Link("/usr/local/bin/python3.12"),
    "usr/local/bin/python3.12": b"",
    f"{VENV}/bin/tool": f"#!/{VENV}/bin/python\n",
    "root/": "",
    "tmp/": "",
    **dist("alpha"),
}
PTH = f"{SITE}/alpha.pth"
URL = f"{SITE}/alpha-1.0.dist-info/direct_url.json"


def judge(files: dict[str, Any], **claim: Any) -> list[tuple[str, str, str]]:
    """Also ask for missing interpreters: one fault is one finding."""
    case = make_case({**CLEAN, **files}, **claim)
    return [item for rule in (judge_host_paths, judge_interpreters) for item in found(rule, case)]


@pytest.mark.parametrize("subject", ["image", "bundle", "wheel", "layer"])
def test_a_clean_environment(subject: str) -> None:
    assert judge({}, subject=subject) == []


@pytest.mark.parametrize(
    "path",
    [
        "/home/ann/project/.venv/bin/python",
        "/Users/ann/project/.venv/bin/python",
        "/root/.pyenv/versions/3.12.1/bin/python3.12",
        "/tmp/build-x1/bin/python",
        "/private/var/folders/ab/python",
        "/build/.venv/bin/python3",
        "/builds/group/project/.venv/bin/python",
        "/__w/project/.venv/bin/python",
        "/opt/hostedtoolcache/Python/3.12.1/x64/bin/python",
        "/github/workspace/.venv/bin/python",
    ],
)
def test_scripts_and_path_files_of_an_image(path: str) -> None:
    assert judge({f"{VENV}/bin/tool": f"#!{path}\n"}) == [("host-path", "error", f"{VENV}/bin/tool")]
    assert judge({PTH: f"{path}\n"}) == [("host-path", "error", PTH)]
    assert judge({PTH: f"import sys; sys.path.append({path!r})\n"}) == [("host-path", "error", PTH)]


@pytest.mark.parametrize(
    "path",
    ["/homestead/x", "/rooted/bin/python", "/srv/home/ann/x", "/usr/local/lib", "/temporary/x", "/builder/x", "/app/x"],
)
def test_other_paths(path: str) -> None:
    assert judge({PTH: f"{path}\n"}) == []


def test_what_is_in_the_image_itself_is_no_path_of_another_machine() -> None:
    files = {
        "home/app/.local/bin/python3": b"",
        "root/.pyenv/bin/python": b"",
        f"{VENV}/bin/tool": "#!/home/app/.local/bin/python3\n",
        f"{VENV}/bin/other": "#!/root/.pyenv/bin/python\n",
        PTH: "/home/app/code\n/root/.pyenv\n",
        "home/app/code/x.py": "",
    }
    assert judge(files) == []


def test_one_fault_of_many_scripts_is_one_finding() -> None:
    scripts = {f"{VENV}/bin/t{number}": "#!/home/ann/p/.venv/bin/python\n" for number in range(9)}
    config = {CONFIG: "home = /home/ann/.pyenv/bin\ncommand = /home/ann/.pyenv/bin/python -m venv /home/ann/p/.venv\n"}
    [finding] = judge_host_paths(make_case({**CLEAN, **scripts, **config}))
    assert finding.sentence == (
        f"{VENV}/bin/t0 is run by /home/ann/p/.venv/bin/python, as do 8 more scripts, "
        "but it leads nowhere on the machine the artifact is for"
    )


def test_the_link_to_the_building_machines_python_is_one_finding() -> None:
    files = {f"{VENV}/bin/python": Link("/home/ann/.pyenv/bin/python3.12"), CONFIG: "home = /home/ann/.pyenv/bin\n"}
    for entrypoint in ((), (f"/{VENV}/bin/python", "-m", "x")):
        claim = {"config": ImageConfig(entrypoint=entrypoint)}
        assert judge(files, **claim) == [("host-path", "error", f"{VENV}/bin/python")]


def test_the_home_of_an_environment() -> None:
    assert judge({CONFIG: "home = /home/ann/.pyenv/bin\n"}) == [("host-path", "error", CONFIG)]
    # Only told: nothing reads it.
    assert judge({CONFIG: "home = /usr/local/bin\ncommand = /tmp/uv/python -m venv x\n"}) == [
        ("host-path", "note", CONFIG)
    ]


def test_an_ordinary_environment_is_of_its_machine_by_nature() -> None:
    files = {
        "pyvenv.cfg": "home = /home/ann/.pyenv/bin\n",
        "bin/python": Link("/home/ann/.pyenv/bin/python3"),
        "bin/tool": "#!/home/ann/p/.venv/bin/python\n",
    }
    assert [item[:2] for item in found(judge_host_paths, make_case(files, subject="bundle"))] == [("host-path", "note")]
    movable = {**files, "pyvenv.cfg": "home = /usr/bin\nrelocatable = true\n"}
    assert found(judge_host_paths, make_case(movable, subject="bundle")) == [("host-path", "error", "bin/tool")]


def test_scripts_beside_packages_in_a_folder_are_warned_of() -> None:
    files = {"bin/tool": "#!/home/ann/.venv/bin/python\n", **dist("alpha", site="")}
    assert found(judge_host_paths, make_case(files, subject="bundle")) == [("host-path", "warning", "bin/tool")]


def test_packages_in_development() -> None:
    assert judge({f"{SITE}/alpha.egg-link": "/home/ann/alpha\n."}, subject="bundle") == [
        ("host-path", "error", f"{SITE}/alpha.egg-link")
    ]
    local = '{"url": "file:///home/ann%20b/alpha", "dir_info": {"editable": true}}'
    assert judge({URL: local}) == [("host-path", "note", URL)]
    assert judge({URL: '{"url": "https://index.example/home/ann/x.whl"}'}) == []


def test_a_script_of_a_wheel() -> None:
    path = "alpha-1.0.data/scripts/tool"
    case = make_case({path: "#!/home/ann/bin/python\n"}, subject="wheel")
    assert found(judge_host_paths, case) == [("host-path", "error", path)]


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        (0o644, ""),
        (0o755, ""),
        (0o664, ""),
        (-1, ""),
        (0o4755, "set-id"),
        (0o2755, "set-id"),
        (0o6777, "set-id"),
        (0o646, "world-writable"),
        (0o777, "world-writable"),
        (0o1755, ""),
    ],
)
def test_permissions(mode: int, code: str) -> None:
    for path in ("app/run", f"{SITE}/alpha/x.py", "usr/local/lib/python3.12/site-packages/x.so", "opt/tool"):
        case = make_case({path: Moded(b"x", mode)})
        assert found(judge_permissions, case) == ([(code, "error", path)] if code else [])


def test_permissions_that_are_nobodys_fault() -> None:
    files = {"usr/bin/su": Moded(b"x", 0o4755), "var/x": Moded(b"x", 0o666), f"{VENV}/.lock": Moded(b"", 0o666)}
    assert found(judge_permissions, make_case(files)) == []
    modes = {"alpha/x.py": Moded(b"x", 0o777), ".deps/a-1-py3-none-any.whl/a/x.py": Moded(b"x", 0o666)}
    assert found(judge_permissions, make_case(modes, subject="wheel")) == []
    assert found(judge_permissions, make_case(modes, subject="bundle")) == [("world-writable", "error", "alpha/x.py")]


def test_many_are_cut_short_by_one_that_no_path_allows() -> None:
    files = {f"app/{number}": Moded(b"x", 0o666) for number in range(100)}
    findings = list(judge_permissions(make_case(files)))
    assert len(findings) == 21
    assert (findings[-1].path, findings[-1].severity) == ("", "error")
    assert findings[-1].found == "there are 80 more such files"


KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n" * 8
KEY += b"-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/server.key", "error"),
        (f"{SITE}/alpha/server.pem", "error"),
        (f"{SITE}/tornado/test/test.key", "note"),
        (f"{SITE}/Crypto/SelfTest/key.pem", "note"),
        ("app/tests/key.pem", "note"),
        ("app/contest/key.pem", "error"),
        ("etc/ssl/private/x.key", ""),
        ("usr/share/x/key.pem", ""),
    ],
)
def test_secrets(path: str, expected: str) -> None:
    assert found(judge_secrets, make_case({path: KEY})) == ([("secret", expected, path)] if expected else [])


def test_a_key_that_came_with_a_package_is_warned_of() -> None:
    files = dist("alpha", files={"alpha/ca.key": KEY, "alpha/x.json": b'{"token": "glpat-aB3dE5fG7hI9jK1lM3nO"}'})
    assert found(judge_secrets, make_case(files)) == [
        ("secret", "error", f"{SITE}/alpha/x.json"),
        ("secret", "warning", f"{SITE}/alpha/ca.key"),
    ]
    wheel = dist("alpha", files={"alpha/ca.key": KEY}, site="")
    assert found(judge_secrets, make_case(wheel, subject="wheel")) == [("secret", "error", "alpha/ca.key")]


def test_a_secret_is_not_told() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    [finding] = judge_secrets(make_case({"app/settings.toml": f"token = '{token}'\n"}))
    assert finding.found == "holds a GitHub token"
    assert token not in str(finding.to_json())
