"""What networks and registries do to a push: it ends right, or with a clear error, and at no moment refers to nothing.

A proxy before a real registry fails in one way at a time, and after every manifest that the registry takes it is asked
for all that this one refers to.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from tests.e2e.pushing import App, Watch, assert_refused, make_app
from tests.support import registryfaults as faults
from tests.support.flakyregistry import FlakyRegistry, flaky_registry
from tests.support.registries import missing_children

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.builds import Tiny
    from tests.e2e.engines import Registry
    from tests.support.flakyregistry import Exchange, Fault, Handler, Kind

pytestmark = [pytest.mark.engine, pytest.mark.network]

NO_REPOSITORY = b'{"errors": [{"code": "NAME_UNKNOWN", "message": "The repository does not exist in the registry"}]}'


@pytest.fixture
def app(tiny: Tiny, tmp_path: Path) -> App:
    """The tiny project, ready to be pushed."""
    return make_app(tiny, tmp_path)


@pytest.fixture
def flaky(registry: Registry) -> Iterator[FlakyRegistry]:
    """A proxy before an empty registry; no manifest that passes it may refer to what is not there."""
    registry.empty()
    watch = Watch(registry)
    with flaky_registry(registry.url) as proxy:
        proxy.after = watch
        yield proxy
    assert watch.dangling == []


#: The kind of request, what happens to it, and how many such requests go well before.
ONCE: list[tuple[Kind, Fault, int]] = [
    ("blob-check", faults.status(500), 1),
    ("blob-check", faults.hang_up, 1),
    ("upload-start", faults.status(429, b"slow down", Retry_After="1"), 1),
    ("upload-start", faults.status(500), 0),
    ("upload-start", faults.status(502, b"<html>bad gateway</html>"), 2),
    ("upload-start", faults.hang_up, 0),
    ("upload-start", faults.lose_answer, 1),
    ("upload-start", faults.twice(), 0),
    ("upload-end", faults.hang_up, 0),
    ("upload-end", faults.lose_answer, 0),
    ("upload-end", faults.status(500), 1),
    ("upload-end", faults.twice(), 0),
    ("upload-end", faults.twice(answer="first"), 1),
    ("manifest-put", faults.status(500), 0),
    ("manifest-put", faults.status(502), 1),
    ("manifest-put", faults.status(429, b"", Retry_After="1"), 2),
    ("manifest-put", faults.hang_up, 2),
    ("manifest-put", faults.lose_answer, 1),
    ("manifest-put", faults.twice(), 2),
    ("manifest-put", faults.break_request_after(100), 0),
    ("manifest-put", faults.delay(1), 0),
]
#: What happens to a large body, in whichever request it is sent.
BODIES: list[Fault] = [
    faults.break_request_after(1000),
    faults.break_request_after(400_000),
    faults.lose_answer,
    faults.status(503, b"", Retry_After="0"),
    faults.status(500, b"", early=True),
    faults.twice(),
    faults.delay(1),
]


def name_of(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("kind", "fault", "passing"), ONCE, ids=name_of)
def test_a_push_outlasts(
    kind: Kind, fault: Fault, passing: int, app: App, tiny: Tiny, registry: Registry, flaky: FlakyRegistry
) -> None:
    flaky.fail(kind, fault=fault, passing=passing)

    outcome = app.push(f"{flaky.address}/team/app:1.0")

    assert outcome.digest == tiny.digest
    assert flaky.unmet == 0
    assert missing_children(registry, "team/app", "1.0") == []


@pytest.mark.parametrize("fault", BODIES, ids=name_of)
def test_the_sending_of_a_layer_outlasts(
    fault: Fault, app: App, tiny: Tiny, registry: Registry, flaky: FlakyRegistry
) -> None:
    met: list[Exchange] = []

    def large_once(handler: Handler) -> None:
        if int(handler.headers.get("Content-Length", 0)) > 500_000 and not met:
            met.append(handler.exchange)
            fault(handler)
        else:
            handler.pass_through()

    flaky.fail("upload-start", "upload-data", "upload-end", fault=large_once, times=1000)

    outcome = app.push(f"{flaky.address}/team/app:1.0")

    assert outcome.digest == tiny.digest
    assert met
    assert missing_children(registry, "team/app", "1.0") == []


def test_a_push_outlasts_a_network_in_which_every_fifth_request_fails(
    app: App, tiny: Tiny, registry: Registry, flaky: FlakyRegistry
) -> None:
    several = (faults.hang_up, faults.lose_answer, faults.status(503), faults.break_request_after(5000))
    # A rule counts what the rules before it let pass.
    for number in range(12):
        flaky.fail(fault=several[number % len(several)], passing=5 * (number + 1))

    outcome = app.push(f"{flaky.address}/team/app:1.0")

    assert outcome.digest == tiny.digest
    assert len([exchange for exchange in flaky.exchanges if exchange.fault]) >= 6
    assert missing_children(registry, "team/app", "1.0") == []


def test_retry_after_is_honoured(app: App, tiny: Tiny, flaky: FlakyRegistry) -> None:
    refused: list[float] = []
    passed: list[float] = []

    def refuse(handler: Handler) -> None:
        refused.append(time.monotonic())
        faults.status(429, b"", Retry_After="3")(handler)

    def note(handler: Handler) -> None:
        passed.append(time.monotonic())
        handler.pass_through()

    # The index is the last manifest that is pushed, so nothing else is on its way.
    flaky.fail("manifest-put", fault=refuse, match=r"/1\.0$")
    flaky.fail("manifest-put", fault=note, match=r"/1\.0$", times=10)

    assert app.push(f"{flaky.address}/team/app:1.0", "--no-attachments").digest == tiny.digest

    assert len(refused) == 1
    assert passed[0] - refused[0] >= 2.9


def test_a_registry_that_checks_less_is_never_given_a_manifest_too_early(
    app: App, tiny: Tiny, referrers_registry: Registry
) -> None:
    watch = Watch(referrers_registry)
    with flaky_registry(referrers_registry.url) as flaky:
        flaky.after = watch
        flaky.fail("upload-end", fault=faults.status(500), passing=1)
        flaky.fail("manifest-put", fault=faults.lose_answer, passing=1)

        outcome = app.push(f"{flaky.address}/team/app:1.0")

        assert outcome.digest == tiny.digest
        assert flaky.unmet == 0
    assert "1.0" in watch.manifests
    assert watch.dangling == []


def test_a_push_that_was_killed_left_nothing_wrong_and_can_be_done_again(
    app: App, tiny: Tiny, registry: Registry, flaky: FlakyRegistry
) -> None:
    flaky.fail("manifest-put", fault=faults.delay(60), times=1000, passing=1)
    with app.command.popen("image", app.project, "--push", f"{flaky.address}/team/app:1.0") as process:
        deadline = time.monotonic() + 60
        while not [one for one in flaky.asked("manifest-put") if one.fault] and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert registry.tags("team/app") == []
    flaky.heal()

    outcome = app.push(f"{flaky.address}/team/app:1.0")

    assert outcome.digest == tiny.digest
    assert missing_children(registry, "team/app", "1.0") == []


# What goes wrong for good


def test_a_registry_that_stays_broken(app: App, registry: Registry, flaky: FlakyRegistry) -> None:
    flaky.fail("manifest-put", fault=faults.status(503), times=1000)

    outcome = app.push(f"{flaky.address}/team/app:1.0")

    assert_refused(outcome, 120, flaky.address, "503")
    assert registry.tags("team/app") == []


def test_a_registry_that_is_not_there(app: App) -> None:
    assert_refused(app.push("127.0.0.1:9/team/app:1.0"), 120, "127.0.0.1:9")


def test_a_repository_that_is_not_there(app: App, flaky: FlakyRegistry) -> None:
    refusal = faults.status(404, NO_REPOSITORY, Content_Type="application/json")
    flaky.fail("upload-start", "mount", fault=refusal, times=1000)

    assert_refused(app.push(f"{flaky.address}/team/app:1.0"), 122, "team/app")


@pytest.mark.parametrize("style", ["ecr", "harbor", "artifact-registry"])
def test_a_tag_that_is_immutable(
    style: faults.Style, app: App, tiny: Tiny, registry: Registry, flaky: FlakyRegistry
) -> None:
    flaky.fail("manifest-put", fault=faults.immutable_tags(style), match=r"/1\.0$", times=1000)
    assert app.push(f"{flaky.address}/team/app:1.0").digest == tiny.digest
    before = registry.manifest("team/app", "1.0")
    # The same again moves nothing.
    assert app.push(f"{flaky.address}/team/app:1.0").digest == tiny.digest
    app.edit()

    outcome = app.push(f"{flaky.address}/team/app:1.0")

    assert_refused(outcome, 123, "1.0", "immutab")
    assert registry.manifest("team/app", "1.0") == before


def test_a_registry_that_lies_about_a_manifests_digest(app: App, flaky: FlakyRegistry) -> None:
    lie = faults.with_header("Docker-Content-Digest", f"sha256:{'0' * 64}")
    flaky.fail("manifest-put", fault=lie, times=1000)

    assert_refused(app.push(f"{flaky.address}/team/app:1.0"), 124, "0" * 12)
