"""Where credentials are found, and which count."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import RegistryConfigError
from crossdock.oci.registry.credentials import CredentialFinder
from crossdock.oci.registry.hosts import find_host

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.oci.registry.accounts import Account

HOST = "registry.example"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}


def auth(user: str, password: str = "secret") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def write(path: Path, **value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def helper(folder: Path, name: str, user: str) -> None:
    path = folder / "bin" / f"docker-credential-{name}"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\n/bin/cat > "$0.asked"\necho \'{{"Username": "{user}", "Secret": "of-{name}"}}\'\n')
    path.chmod(0o755)


def find(environ: dict[str, str], repository: str = "team/app", registry: str = HOST) -> Account | None:
    return CredentialFinder(environ).find(find_host(registry), repository)


def user(environ: dict[str, str], repository: str = "team/app", registry: str = HOST) -> str:
    account = find(environ, repository, registry)
    return account.user if account else ""


def test_there_may_be_none(environ: dict[str, str]) -> None:
    assert find(environ) is None


def test_the_environment_comes_first_then_named_files_then_the_usual_ones(
    environ: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path / ".config" / "containers" / "auth.json", auths={HOST: auth("config")})
    assert user(environ) == "config"
    environ["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
    write(tmp_path / "run" / "containers" / "auth.json", auths={HOST: auth("runtime")})
    assert user(environ) == "runtime"
    write(tmp_path / ".docker" / "config.json", auths={HOST: auth("docker")})
    assert user(environ) == "docker"
    environ["DOCKER_CONFIG"] = str(tmp_path / "named")
    assert user(environ) == "runtime", "DOCKER_CONFIG takes the place of ~/.docker"
    write(tmp_path / "named" / "config.json", auths={HOST: auth("named")})
    assert user(environ) == "named"
    environ["REGISTRY_AUTH_FILE"] = str(write(tmp_path / "podman.json", auths={HOST: auth("podman")}))
    assert user(environ) == "podman"
    environ |= {"CROSSDOCK_REGISTRY_USERNAME": "ci", "CROSSDOCK_REGISTRY_PASSWORD": "x", "CROSSDOCK_REGISTRY": HOST}
    assert user(environ) == "ci"
    assert user(environ | {"CROSSDOCK_REGISTRY": "other.example"}) == "podman"


def test_a_file_without_the_registry_is_passed_over(environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / ".docker" / "config.json", auths={"other.example": auth("docker")})
    write(tmp_path / ".config" / "containers" / "auth.json", auths={HOST: auth("podman")})
    assert user(environ) == "podman"


def test_the_longest_part_of_the_name_counts(environ: dict[str, str], tmp_path: Path) -> None:
    keys = {HOST: "host", f"{HOST}/team": "team", f"{HOST}/team/app": "app"}
    auths = {key: auth(name) for key, name in keys.items()}
    write(tmp_path / ".config" / "containers" / "auth.json", auths=auths)
    assert user(environ, "other") == "host"
    assert user(environ, "team/other") == "team"
    assert user(environ, "team/app") == "app"
    assert user(environ, "teamwork/app") == "host"
    assert user(environ, "team/app/deep") == "app"


@pytest.mark.parametrize(
    "key", ["registry.example", "https://registry.example", "https://registry.example/v1/", "REGISTRY.example/v2/"]
)
def test_dockers_spellings_of_a_registry_are_known(environ: dict[str, str], tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker" / "config.json", auths={key: auth("ada")})
    assert user(environ) == "ada"
    assert user(environ, registry="registry.example:5000") == "", "another port is another registry"


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"])
def test_the_default_registry_has_several_names(environ: dict[str, str], tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker" / "config.json", auths={key: auth("ada")})
    assert user(environ, "library/python", "docker.io") == "ada"


def test_a_helper_of_the_registry_comes_before_the_store_and_that_before_the_file(
    environ: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / ".docker" / "config.json"
    for name in ("one", "all"):
        helper(tmp_path, name, name)
    write(config, credHelpers={HOST: "one"}, credsStore="all", auths={HOST: auth("file")})
    assert user(environ) == "one"
    assert (tmp_path / "bin" / "docker-credential-one.asked").read_text() == f"{HOST}\n"
    write(config, credsStore="all", auths={HOST: auth("file")})
    assert user(environ) == "all"
    assert user(environ, registry="docker.io") == "all"
    assert (tmp_path / "bin" / "docker-credential-all.asked").read_text() == "https://index.docker.io/v1/\n"


def test_a_helper_may_give_an_identity_token(environ: dict[str, str], tmp_path: Path) -> None:
    helper(tmp_path, "one", "<token>")
    write(tmp_path / ".docker" / "config.json", credHelpers={HOST: "one"})
    account = find(environ)
    assert account is not None
    assert (account.user, account.password, account.identity_token) == ("", "", "of-one")


def test_nothing_secret_is_in_the_text_of_an_account(environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / ".docker" / "config.json", auths={HOST: {**auth("ada", "hush"), "identitytoken": "psst"}})
    text = repr(find(environ))
    assert "hush" not in text
    assert "psst" not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"auths": [1]}', "auths is not an object"),
        ('{"auths": {"x": "hush"}}', "entry of 'x' is not an object"),
        ('{"auths": {"x": {"auth": "hush!"}}}', "base64 of USER:PASSWORD"),
        ('{"auths": {"x": {"auth": "aHVzaA=="}}}', "base64 of USER:PASSWORD"),
        ('{"auths": {"x": {"registrytoken": "hush\\nhush"}}}', "registrytoken of 'x' holds characters"),
        ('{"credsStore": 1}', "credsStore"),
        ('{"credHelpers": {"x": 1}}', "credHelpers"),
        ('{"credHelpers": [1]}', "credHelpers"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_broken_is_an_error(environ: dict[str, str], tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / ".docker" / "config.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(RegistryConfigError, match=f"(?s)cannot read credentials from .*config.json.*{words}") as caught:
        find(environ)
    assert "hush" not in str(caught.value)


def test_an_empty_file_says_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("")
    assert find(environ) is None


def test_a_file_that_is_named_and_not_there_is_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    environ["REGISTRY_AUTH_FILE"] = str(tmp_path / "nowhere.json")
    with pytest.raises(RegistryConfigError, match="REGISTRY_AUTH_FILE names it"):
        find(environ)
