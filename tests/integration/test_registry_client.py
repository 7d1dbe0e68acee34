"""The registry client against a real registry, and against everything that can go wrong on the way to it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from tests.e2e.newer import newer_root
from tests.support.flakyregistry import Fault, FlakyRegistry, flaky_registry
from tests.support.registries import Registry, missing_children, running_referrers_registry, running_registry
from tests.support.registryfaults import (
    break_request_after,
    break_response_after,
    cut_to,
    hang_up,
    immutable_tags,
    lose_answer,
    other_bytes,
    redirect_to,
    status,
    twice,
    with_header,
)
from tests.support.sampleimage import SampleImage, layer_file, sample_image

from crossdock.errors import (
    DamagedLayerError,
    OfflineError,
    RegistryContentError,
    RegistryError,
    RegistryNotFoundError,
    RegistryRefusedError,
)
from crossdock.oci.model import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    EMPTY,
    INDEX,
    LAYER_GZIP,
    MANIFEST,
    Blob,
    Descriptor,
    json_blob,
)
from crossdock.oci.reference import parse_reference
from crossdock.oci.registry import PushedBlob, PushStats, Registries, RegistrySettings, Remote, Repository, push_image
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 3 << 20
QUICK = RegistrySettings(backoff=0.01, retries=4)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that anyone may use."""
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def registry(real: Registry) -> Registry:
    real.empty()
    return real


@pytest.fixture
def flaky(registry: Registry) -> Iterator[FlakyRegistry]:
    """The same behind a proxy that fails when it is told to."""
    with flaky_registry(registry.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> SampleImage:
    return sample_image(tmp_path_factory.mktemp("image"), size=SIZE)


def at(address: str, name: str = "team/app:1", **settings: object) -> Repository:
    """Open a repository as a new run does, which knows nothing of earlier ones."""
    chosen = RegistrySettings(**{"backoff": 0.01, "retries": 4, **settings})  # type: ignore[arg-type]
    return Registries(chosen, environ={}).repository(parse_reference(f"{address}/{name}"))


def push(repository: Repository, image: SampleImage, *tags: str) -> PushStats:
    return push_image(repository, image.index, image.manifests, image.blobs, tags=tags)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server of a test's own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


# What goes well


def test_a_pushed_image_is_there_whole_and_is_read_back_byte_for_byte(
    registry: Registry, image: SampleImage, tmp_path: Path
) -> None:
    stats = push(at(registry.address), image, "1", "latest")
    assert stats == PushStats(
        uploaded=5, mounted=0, present=0, bytes_sent=sum(blob.descriptor.size for blob in image.blobs)
    )
    assert registry.tags("team/app") == ["1", "latest"]
    assert missing_children(registry, "team/app", "latest") == []

    repository = at(registry.address)
    assert repository.name == f"{registry.address}/team/app"
    assert repository.manifest() == image.index
    found = repository.manifest(image.manifests[1].descriptor.digest)
    assert found.data == image.manifests[1].data
    config = json.loads(found.data)["config"]
    assert json.loads(repository.small_blob(Descriptor.from_json(config)))["architecture"] == "arm64"
    store = Store(tmp_path / "store")
    repository.fetch_blob(image.layer, store)
    assert store.size(image.layer.sha256) == SIZE
    with repository.open_blob(image.layer) as stream:
        begin = stream.read(10)
    assert begin == store.read_bytes(image.layer.sha256)[:10]


def test_an_image_that_is_there_costs_no_upload(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    flaky.forget()
    stats = push(at(flaky.address), image, "2")
    assert (stats.uploaded, stats.present, stats.bytes_sent) == (0, 5, 0)
    assert flaky.sent("upload-start", "upload-data", "upload-end") == 0
    assert flaky.asked("upload-start") == []


def test_children_come_before_what_refers_to_them(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    writes = [exchange.target for exchange in flaky.asked("upload-end", "manifest-put")]
    assert len(writes) == 8
    assert all("/blobs/" in target for target in writes[:5])
    digests = {target.rpartition("/")[2] for target in writes[5:7]}
    assert digests == {manifest.descriptor.digest for manifest in image.manifests}
    assert writes[7].endswith("/manifests/1")


def test_layers_of_another_repository_are_mounted(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    flaky.forget()
    names = {blob.descriptor.digest: ["nobody/knows", "team/app"] for blob in image.blobs}
    other = at(flaky.address, "other/app:1")
    stats = push_image(other, image.index, image.manifests, image.blobs, tags=["1"], mount_from=names)
    assert (stats.mounted, stats.uploaded) == (5, 0)
    assert flaky.sent("upload-data", "upload-end") == 0
    assert len(flaky.asked("upload-cancel")) == 5, "what the registry began instead of a mount is given up"


def test_a_layer_of_another_repository_of_the_registry_is_mounted(flaky: FlakyRegistry, image: SampleImage) -> None:
    registries = Registries(QUICK, environ={})
    base = registries.repository(parse_reference(f"{flaky.address}/base:1"))
    push(base, image, "1")
    flaky.forget()
    own = registries.repository(parse_reference(f"{flaky.address}/app:1"))
    blobs = [PushedBlob(blob.descriptor, Remote(base)) for blob in image.blobs]
    stats = push_image(own, image.index, image.manifests, blobs, tags=["1"])
    assert (stats.mounted, stats.uploaded) == (5, 0)
    assert flaky.received("blob-get") == 0


def test_a_layer_of_another_registry_is_copied_through(
    flaky: FlakyRegistry, image: SampleImage, tmp_path: Path
) -> None:
    push(at(flaky.address), image, "1")
    with running_registry(tmp_path) as second:
        blobs = [PushedBlob(blob.descriptor, Remote(at(flaky.address))) for blob in image.blobs]
        stats = push_image(at(second.address), image.index, image.manifests, blobs, tags=["1"])
        assert stats.uploaded == 5
        assert missing_children(second, "team/app", "1") == []


def test_a_failed_mount_becomes_an_upload(flaky: FlakyRegistry, image: SampleImage) -> None:
    repository = at(flaky.address)
    assert not repository.mount(image.layer, "nobody/knows")
    repository.upload(image.layer, image.blobs[0].content)  # type: ignore[arg-type]
    assert at(flaky.address).has_blob(image.layer)
    assert flaky.asked("upload-start") == [], "the upload that the registry began is the one that is used"


@pytest.mark.parametrize("code", [400, 401, 403, 405, 500])
def test_a_registry_that_fails_over_mounts_is_sent_the_blobs(
    flaky: FlakyRegistry, image: SampleImage, code: int
) -> None:
    flaky.fail("mount", fault=status(code), times=999)
    names = {blob.descriptor.digest: ["base"] for blob in image.blobs}
    stats = push_image(
        at(flaky.address, retries=1), image.index, image.manifests, image.blobs, tags=["1"], mount_from=names
    )
    assert (stats.mounted, stats.uploaded) == (0, 5)
    assert at(flaky.address).manifest() == image.index


def test_a_blob_that_is_said_to_be_empty_is_sent_again(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    flaky.fail("blob-check", fault=with_header("content-length", "0"))
    assert not at(flaky.address).has_blob(image.layer)
    assert at(flaky.address).has_blob(image.layer)
    flaky.fail("blob-check", fault=with_header("content-length", "5"))
    with pytest.raises(RegistryContentError, match=r"'5' bytes instead of 3145728"):
        at(flaky.address).has_blob(image.layer)


def test_tags_are_listed_over_several_pages(flaky: FlakyRegistry, image: SampleImage) -> None:
    tags = [f"v{number:02}" for number in range(7)]
    push(at(flaky.address), image, *tags)
    flaky.fail("tags", fault=with_header("link", '</v2/team/app/tags/list?n=3&last=v02>; rel="next"'), times=1)
    found = list(at(flaky.address).tags())
    assert set(found) == set(tags)
    assert [exchange.target for exchange in flaky.asked("tags")][1].endswith("n=3&last=v02")


def test_a_list_without_an_end_is_given_up(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    flaky.fail("tags", fault=with_header("link", '</v2/team/app/tags/list?n=1000>; rel="next"'), times=9)
    with pytest.raises(RegistryContentError, match=r"(?s)tags of .*no end"):
        list(at(flaky.address).tags())


def test_a_list_that_leads_to_another_server_is_refused(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    flaky.fail("tags", fault=with_header("link", '<https://evil.example/v2/x>; rel="next"'))
    with pytest.raises(RegistryContentError, match="another server"):
        list(at(flaky.address).tags())


def test_docker_manifests_are_read_too(registry: Registry, image: SampleImage) -> None:
    push(at(registry.address), image)
    config = json_blob(DOCKER_CONFIG, {"os": "linux", "architecture": "amd64"})
    layer = Descriptor(media_type=DOCKER_LAYER_GZIP, digest=image.layer.digest, size=image.layer.size).to_json()
    value = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config.descriptor.to_json(), "layers": [layer]}
    manifest = json_blob(DOCKER_MANIFEST, value)
    platform = {"os": "linux", "architecture": "amd64"}
    entry = {**manifest.descriptor.to_json(), "platform": platform}
    index = json_blob(DOCKER_INDEX, {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": [entry]})
    blobs = [PushedBlob(config.descriptor, config.data), *image.blobs[:1]]
    push_image(at(registry.address), index, [manifest], blobs, tags=["docker"])
    assert at(registry.address).manifest("docker") == index
    assert at(registry.address).manifest(manifest.descriptor.digest) == manifest


def test_a_manifest_is_found_without_being_read(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    assert at(flaky.address).find_manifest() == image.index.descriptor
    assert at(flaky.address).find_manifest("2") is None
    assert flaky.asked("manifest-get") == []
    flaky.fail("manifest-check", fault=with_header("docker-content-digest", ""))
    assert at(flaky.address).find_manifest("1") == image.index.descriptor
    assert len(flaky.asked("manifest-get")) == 1, "a registry that does not say the digest is asked for the whole"
    flaky.fail("manifest-check", fault=with_header("content-length", "0"))
    assert at(flaky.address).find_manifest("1") == image.index.descriptor


def test_an_empty_blob_can_be_sent(registry: Registry, tmp_path: Path) -> None:
    descriptor, path = layer_file(tmp_path, 0)
    at(registry.address).upload(descriptor, path)
    with at(registry.address).open_blob(descriptor) as stream:
        assert stream.read() == b""


# Referrers


def attachment(image: SampleImage, kind: str) -> tuple[Descriptor, bytes, Blob]:
    empty = json_blob(EMPTY, {})
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": empty.descriptor.to_json(),
        "layers": [empty.descriptor.to_json()],
        "subject": image.index.descriptor.to_json(),
        "annotations": {"kind": kind},
    }
    return empty.descriptor, empty.data, json_blob(MANIFEST, value)


def test_where_there_is_no_referrers_api_a_tag_stands_in_for_it(registry: Registry, image: SampleImage) -> None:
    push(at(registry.address), image, "1")
    subject = image.index.descriptor.digest
    assert at(registry.address).referrers(subject) == []
    made = {}
    for kind in ("application/spdx+json", "application/vnd.in-toto+json", "application/spdx+json"):
        descriptor, data, manifest = attachment(image, kind)
        repository = at(registry.address)
        repository.upload(descriptor, data)
        repository.attach(manifest, subject)
        made[kind] = manifest
    found = at(registry.address).referrers(subject)
    assert [one.artifact_type for one in found] == ["application/spdx+json", "application/vnd.in-toto+json"]
    assert found[0].annotations == {"kind": "application/spdx+json"}
    assert [one.digest for one in at(registry.address).referrers(subject, "application/vnd.in-toto+json")] == [
        made["application/vnd.in-toto+json"].descriptor.digest
    ]
    assert subject.replace(":", "-") in registry.tags("team/app")


@pytest.mark.parametrize(
    "answer",
    [
        status(400),
        status(405),
        status(406),
        status(501),
        status(200, b"<html>not here</html>", content_type="text/html"),
        status(200, b'{"manifests": []}', content_type="application/json"),
    ],
)
def test_registries_say_in_many_ways_that_they_have_no_referrers_api(
    flaky: FlakyRegistry, image: SampleImage, answer: Fault
) -> None:
    flaky.fail("referrers", fault=answer, times=99)
    repository = at(flaky.address)
    push(repository, image, "1")
    descriptor, data, manifest = attachment(image, "a/b")
    repository.upload(descriptor, data)
    repository.attach(manifest, image.index.descriptor.digest)
    found = at(flaky.address).referrers(image.index.descriptor.digest)
    assert [one.digest for one in found] == [manifest.descriptor.digest]


@pytest.mark.parametrize("which", ["index", "manifest"])
def test_a_registry_that_takes_the_tag_of_referrers_for_a_digest_has_none(
    flaky: FlakyRegistry, image: SampleImage, which: str
) -> None:
    repository = at(flaky.address)
    push(repository, image, "1")
    subject = image.index if which == "index" else image.manifests[0]
    digest, kind = subject.descriptor.digest, subject.descriptor.media_type
    alias = digest.replace(":", "-")
    flaky.fail("manifest-get", fault=status(200, subject.data, content_type=kind), match=alias, times=9)
    assert repository.referrers(digest) == []
    descriptor, data, manifest = attachment(image, "a/b")
    repository.upload(descriptor, data)
    with pytest.raises(RegistryRefusedError, match=rf"(?s)takes the tag {alias} for the image.*--no-attachments"):
        repository.attach(manifest, digest)
    assert [put.target for put in flaky.asked("manifest-put") if alias in put.target] == []


def test_what_others_said_under_the_tag_of_referrers_stays(registry: Registry, image: SampleImage) -> None:
    repository = at(registry.address)
    push(repository, image, "1")
    subject = image.index.descriptor.digest
    tag = subject.replace(":", "-")
    other = {**image.manifests[0].descriptor.to_json(), "urls": ["https://mirror.example/x"], "data": "e30="}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other], "annotations": {"whose": "theirs"}}
    repository.put_manifest(json_blob(INDEX, index), tag)
    descriptor, data, manifest = attachment(image, "a/b")
    repository.upload(descriptor, data)
    repository.attach(manifest, subject)
    kept = json.loads(at(registry.address).manifest(tag).data)
    assert kept["annotations"] == {"whose": "theirs"}
    assert kept["manifests"][0] == other
    assert kept["manifests"][1]["digest"] == manifest.descriptor.digest


def test_text_that_cannot_be_written_under_the_tag_of_referrers_is_an_error(
    flaky: FlakyRegistry, image: SampleImage
) -> None:
    repository = at(flaky.address)
    push(repository, image, "1")
    descriptor, data, manifest = attachment(image, "a/b")
    repository.upload(descriptor, data)
    body = b'{"manifests": [], "annotations": {"a": "\\ud800"}}'
    flaky.fail("manifest-get", fault=status(200, body, content_type=INDEX), match="sha256-")
    with pytest.raises(RegistryContentError, match="holds text that is none"):
        repository.attach(manifest, image.index.descriptor.digest)


def test_where_there_is_a_referrers_api_no_tag_is_written(image: SampleImage, tmp_path: Path) -> None:
    program = newer_root() / "opt" / "referrers-registry"
    if not program.exists():
        pytest.skip(f"{program} is missing; run tests/support/setup-newer.sh")
    subject = image.index.descriptor.digest
    with running_referrers_registry(tmp_path, program) as registry, flaky_registry(registry.url) as flaky:
        repository = at(flaky.address)
        push(repository, image, "1")
        descriptor, data, manifest = attachment(image, "a/b")
        repository.upload(descriptor, data)
        repository.attach(manifest, subject)
        assert [one.digest for one in at(flaky.address).referrers(subject)] == [manifest.descriptor.digest]
        assert registry.tags("team/app") == ["1"]
        flaky.forget()
        flaky.fail("manifest-put", fault=with_header("oci-subject", subject))
        repository.attach(manifest, subject)
        assert [exchange.kind for exchange in flaky.exchanges] == ["manifest-put"], "the header says it all"


def test_attachments_of_several_threads_are_all_listed(registry: Registry, image: SampleImage) -> None:
    repository = at(registry.address)
    push(repository, image, "1")
    subject = image.index.descriptor.digest
    manifests = []
    for number in range(4):
        descriptor, data, manifest = attachment(image, f"a/{number}")
        repository.upload(descriptor, data)
        manifests.append(manifest)
    threads = [threading.Thread(target=repository.attach, args=(manifest, subject)) for manifest in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.artifact_type for one in repository.referrers(subject)} == {"a/0", "a/1", "a/2", "a/3"}


# What goes wrong and ends well


@pytest.mark.parametrize(
    "fault",
    [hang_up, lose_answer, status(500), status(503, retry_after="0"), status(429, retry_after="0"), status(502)],
    ids=lambda fault: fault.__name__,
)
@pytest.mark.parametrize(
    "kind", ["blob-check", "upload-start", "upload-data", "upload-end", "manifest-put", "manifest-get", "blob-get"]
)
def test_a_request_that_fails_is_tried_again(
    flaky: FlakyRegistry, registry: Registry, image: SampleImage, tmp_path: Path, kind: str, fault: object
) -> None:
    at(flaky.address).tags  # noqa: B018  the connection is settled before anything fails
    flaky.fail(kind, fault=fault, times=2)  # type: ignore[arg-type]
    push(at(flaky.address), image, "1")
    at(flaky.address).manifest()
    at(flaky.address).fetch_blob(image.layer, Store(tmp_path / "store"))
    assert flaky.unmet == 0
    assert missing_children(registry, "team/app", "1") == []


@pytest.mark.parametrize("answer", ["first", "second"])
@pytest.mark.parametrize("kind", ["upload-start", "upload-data", "upload-end", "manifest-put"])
def test_requests_that_arrive_twice_do_no_harm(
    flaky: FlakyRegistry, registry: Registry, image: SampleImage, kind: str, answer: str
) -> None:
    flaky.fail(kind, fault=twice(answer=answer), times=3)  # type: ignore[arg-type]
    push(at(flaky.address), image, "1")
    assert missing_children(registry, "team/app", "1") == []
    assert at(registry.address).manifest() == image.index


def test_no_index_points_at_a_missing_child_at_any_moment(
    flaky: FlakyRegistry, registry: Registry, image: SampleImage
) -> None:
    missing: list[str] = []

    def look(exchange: object) -> None:
        if getattr(exchange, "kind", "") == "manifest-put" and registry.tags("team/app"):
            missing.extend(missing_children(registry, "team/app", "1"))

    flaky.after = look
    flaky.fail("upload-data", "upload-end", "manifest-put", fault=lose_answer, times=4)
    push(at(flaky.address), image, "1")
    assert missing == []
    assert missing_children(registry, "team/app", "1") == []


def test_an_upload_goes_on_after_the_last_request_that_came_through(flaky: FlakyRegistry, tmp_path: Path) -> None:
    descriptor, path = layer_file(tmp_path, 12 << 20)
    flaky.fail("upload-data", fault=hang_up, passing=1)
    at(flaky.address, chunk_bytes=4 << 20).upload(descriptor, path)
    assert at(flaky.address).has_blob(descriptor)
    assert len(flaky.asked("upload-start")) == 1, "it was not begun again"
    assert flaky.sent("upload-data") == 12 << 20


@pytest.mark.parametrize("fault", [break_request_after(5 << 20), lose_answer], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("chunk", [0, 4 << 20])
def test_an_upload_that_the_registry_forgets_is_begun_again(
    flaky: FlakyRegistry, tmp_path: Path, fault: object, chunk: int
) -> None:
    # docker-registry 2 gives an upload up when it holds more of it than the client was told.
    descriptor, path = layer_file(tmp_path, 12 << 20)
    flaky.fail("upload-data", fault=fault, times=2)  # type: ignore[arg-type]
    at(flaky.address, chunk_bytes=chunk).upload(descriptor, path)
    assert flaky.unmet == 0
    assert at(flaky.address).has_blob(descriptor)


class KeepingRegistry(BaseHTTPRequestHandler):
    """Uploads as the specification has them: what came before a connection broke is kept, and can be asked for."""

    protocol_version = "HTTP/1.1"
    held: bytearray
    cuts: list[int]
    asked: list[str]

    def do_POST(self) -> None:
        self._answer(202)

    def do_GET(self) -> None:
        self._answer(204)

    def do_PATCH(self) -> None:
        start = int(self.headers.get("Content-Range", "0-").partition("-")[0])
        self.asked.append(self.headers.get("Content-Range", ""))
        if start != len(self.held):
            self._answer(416)
            return
        length = int(self.headers["Content-Length"])
        cut = self.cuts.pop(0) if self.cuts else length
        self.held += self.rfile.read(min(cut, length))
        if cut < length:
            self.connection.shutdown(2)
            self.close_connection = True
        else:
            self._answer(202)

    def do_PUT(self) -> None:
        digest = f"sha256:{hashlib.sha256(self.held).hexdigest()}"
        self._answer(201 if digest in unquote(self.path) else 400)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Location", "/v2/team/app/blobs/uploads/one?state=x")
        self.send_header("Range", f"0-{max(0, len(self.held) - 1)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_an_upload_cut_in_the_middle_of_a_request_goes_on_where_it_was(tmp_path: Path) -> None:
    descriptor, path = layer_file(tmp_path, 12 << 20)

    class Keeping(KeepingRegistry):
        held = bytearray()
        cuts = [3_000_000, 0, 2_000_001]  # noqa: RUF012  one test's own
        asked: list[str] = []  # noqa: RUF012

    with serving(Keeping) as address:
        at(address).upload(descriptor, path)
    assert bytes(Keeping.held) == path.read_bytes()
    last = (12 << 20) - 1
    assert Keeping.asked == ["", f"3000000-{last}", f"3000000-{last}", f"5000001-{last}"]


@pytest.mark.parametrize("early", [False, True])
def test_requests_that_are_too_large_are_made_smaller(flaky: FlakyRegistry, tmp_path: Path, early: bool) -> None:
    descriptor, path = layer_file(tmp_path, 20 << 20)
    flaky.fail("upload-data", fault=status(413, early=early))
    at(flaky.address).upload(descriptor, path)
    assert at(flaky.address).has_blob(descriptor)
    chunks = [exchange.sent for exchange in flaky.asked("upload-data") if exchange.status == 202]
    assert chunks == [16 << 20, 4 << 20]


@pytest.mark.parametrize(
    ("chunk", "said"),
    [
        *((0, said) for said in ("0-0", "0-12582912", "nonsense", "")),
        *((4 << 20, said) for said in ("0-4194303", "0-0", "0-12582912", "bytes=0-5", "nonsense", "")),
    ],
)
def test_what_a_registry_took_is_not_sent_again_for_what_it_says_of_it(
    flaky: FlakyRegistry, tmp_path: Path, chunk: int, said: str
) -> None:
    # Some always say where the first part ended, some how long the last one is, some are off by one.
    descriptor, path = layer_file(tmp_path, 12 << 20)
    flaky.fail("upload-data", fault=with_header("range", said), times=9, passing=1 if chunk else 0)
    at(flaky.address, chunk_bytes=chunk).upload(descriptor, path)
    assert at(flaky.address).has_blob(descriptor)
    assert len(flaky.asked("upload-start")) == 1
    assert flaky.sent("upload-data") == 12 << 20


@pytest.mark.parametrize("answer", [status(403), status(405), status(501), with_header("range", "")])
def test_an_upload_is_begun_again_where_it_is_not_told_how_far_it_is(
    flaky: FlakyRegistry, tmp_path: Path, answer: Fault
) -> None:
    descriptor, path = layer_file(tmp_path, 12 << 20)
    flaky.fail("upload-data", fault=hang_up, passing=1)
    flaky.fail("upload-state", fault=answer)
    at(flaky.address, chunk_bytes=4 << 20).upload(descriptor, path)
    assert flaky.unmet == 0
    assert len(flaky.asked("upload-start")) == 2
    assert at(flaky.address).has_blob(descriptor)


def test_an_upload_that_is_lost_again_and_again_is_given_up(flaky: FlakyRegistry, tmp_path: Path) -> None:
    # Each time a little later than before: that must not make anybody send everything for ever.
    descriptor, path = layer_file(tmp_path, 12 << 20)
    for number in range(1, 11):
        flaky.fail("upload-data", fault=status(404), passing=number * (number + 1) // 2)
    with pytest.raises(RegistryNotFoundError, match="cannot push sha256:"):
        at(flaky.address, chunk_bytes=1 << 20, retries=2).upload(descriptor, path)
    assert len(flaky.asked("upload-start")) == 3


def test_a_header_without_a_value_claims_nothing(flaky: FlakyRegistry, image: SampleImage) -> None:
    flaky.fail("upload-end", "manifest-put", fault=with_header("docker-content-digest", " "), times=9)
    push(at(flaky.address), image, "1")
    assert at(flaky.address).manifest() == image.index


def test_a_download_that_breaks_off_goes_on_where_it_was(
    flaky: FlakyRegistry, image: SampleImage, tmp_path: Path
) -> None:
    push(at(flaky.address), image, "1")
    flaky.forget()
    flaky.fail("blob-get", fault=break_response_after(2 << 20), times=1)
    store = Store(tmp_path / "store")
    at(flaky.address).fetch_blob(image.layer, store)
    assert store.find(image.layer.sha256) is not None
    ranges = [exchange.headers.get("range", "") for exchange in flaky.asked("blob-get")]
    assert ranges[0] == ""
    assert ranges[1].startswith("bytes=")
    assert flaky.received("blob-get") < SIZE + (1 << 20)


def test_a_download_that_was_cut_or_changed_once_is_read_again(
    flaky: FlakyRegistry, image: SampleImage, tmp_path: Path
) -> None:
    push(at(flaky.address), image, "1")
    for number, fault in enumerate((cut_to(1000), other_bytes)):
        flaky.fail("blob-get", fault=fault)
        store = Store(tmp_path / f"store-{number}")
        at(flaky.address).fetch_blob(image.layer, store)
        assert store.find(image.layer.sha256) is not None


def test_a_tag_that_must_not_change_and_does_not_is_no_error(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    words = json.dumps({"errors": [{"code": "TAG_INVALID", "message": "tag is immutable"}]}).encode()
    flaky.fail("manifest-put", fault=status(400, words), match="manifests/1$")
    push(at(flaky.address), image, "1")
    assert flaky.unmet == 0


def test_blobs_that_vanish_before_the_manifest_comes_are_sent_again(
    flaky: FlakyRegistry, registry: Registry, image: SampleImage
) -> None:
    words = json.dumps({"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown"}]}).encode()
    flaky.fail("manifest-put", fault=status(404, words))
    push(at(flaky.address), image, "1")
    assert len(flaky.asked("blob-check")) == 10
    assert missing_children(registry, "team/app", "1") == []


# What goes wrong for good


def test_a_registry_that_fails_for_ever_is_an_error(flaky: FlakyRegistry, image: SampleImage) -> None:
    flaky.fail("upload-start", fault=status(503), times=99)
    with pytest.raises(RegistryError, match=r"(?s)cannot push sha256:.*503 Service Unavailable.*hint: "):
        push(at(flaky.address, retries=1), image, "1")
    assert flaky.asked("manifest-put") == []


def test_a_registry_that_wants_us_back_tomorrow_is_not_waited_for(flaky: FlakyRegistry) -> None:
    flaky.fail("manifest-get", fault=status(429, retry_after="86400"), times=99)
    with pytest.raises(RegistryError, match=r"(?s)429.*log in"):
        at(flaky.address).manifest()
    assert len(flaky.asked("manifest-get")) == 1


def test_a_registry_that_is_not_there_is_an_error(registry: Registry) -> None:
    from tests.support.registries import free_port

    with pytest.raises(RegistryError, match=r"(?s)cannot read .*team/app:1.*refused.*check that the registry"):
        at(f"127.0.0.1:{free_port()}", retries=1).manifest()


@pytest.mark.parametrize("address", ["localhost:99999", "registry.example:65536", "[:::::]:5000", "[::1]:70000"])
def test_a_registry_that_cannot_be_is_an_error(address: str) -> None:
    with pytest.raises(RegistryError, match=r"(?s)cannot read .*is no host, or has a port beyond 65535"):
        at(address).manifest()


def test_what_is_not_there_is_named(registry: Registry, image: SampleImage) -> None:
    push(at(registry.address), image, "1")
    with pytest.raises(RegistryNotFoundError, match="team/app:2"):
        at(registry.address).manifest("2")
    with pytest.raises(RegistryNotFoundError, match="no/such:1"):
        at(registry.address, "no/such:1").manifest()
    with pytest.raises(RegistryNotFoundError, match="no/such"):
        list(at(registry.address, "no/such:1").tags())
    missing = Descriptor(media_type=LAYER_GZIP, digest=f"sha256:{'0' * 64}", size=3)
    with pytest.raises(RegistryNotFoundError, match="000"):
        at(registry.address).small_blob(missing)
    with pytest.raises(RegistryNotFoundError, match=r"(?s)000.*not there any more"):
        push_image(at(registry.address), image.index, image.manifests, [PushedBlob(missing, None)])


@pytest.mark.parametrize("style", ["ecr", "harbor", "artifact-registry"])
def test_a_tag_that_must_not_change_is_an_error(
    flaky: FlakyRegistry, registry: Registry, image: SampleImage, tmp_path: Path, style: str
) -> None:
    push(at(flaky.address), image, "1")
    flaky.fail("manifest-put", fault=immutable_tags(style), times=9, match="manifests/1$")  # type: ignore[arg-type]
    with pytest.raises(RegistryRefusedError, match=r"(?s)team/app:1.*mmutab.*another tag"):
        push(at(flaky.address), sample_image(tmp_path, size=10, seed=2), "1")
    assert at(registry.address).manifest() == image.index


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(flaky: FlakyRegistry, image: SampleImage) -> None:
    push(at(flaky.address), image, "1")
    flaky.fail("manifest-get", fault=other_bytes, times=9)
    with pytest.raises(RegistryContentError, match="other content"):
        at(flaky.address).manifest(image.index.descriptor.digest)
    with pytest.raises(RegistryContentError, match=r"says sha256:.* and sends sha256:"):
        at(flaky.address).manifest("1")
    flaky.heal()
    flaky.fail("manifest-check", fault=with_header("docker-content-digest", f"sha256:{'1' * 64}"))
    with pytest.raises(RegistryContentError, match="1111"):
        at(flaky.address).find_manifest(image.index.descriptor.digest)
    flaky.fail("manifest-put", fault=with_header("docker-content-digest", f"sha256:{'1' * 64}"))
    with pytest.raises(RegistryContentError, match="says that it got 'sha256:1111"):
        at(flaky.address).put_manifest(image.index)


@pytest.mark.parametrize("fault", [other_bytes, cut_to(1000)], ids=lambda fault: fault.__name__)
def test_a_blob_that_is_never_what_it_should_be_is_refused(
    flaky: FlakyRegistry, image: SampleImage, tmp_path: Path, fault: object
) -> None:
    push(at(flaky.address), image, "1")
    flaky.fail("blob-get", fault=fault, times=99)  # type: ignore[arg-type]
    store = Store(tmp_path / "store")
    with pytest.raises(RegistryContentError, match=image.layer.digest):
        at(flaky.address, retries=1).fetch_blob(image.layer, store)
    assert store.find(image.layer.sha256) is None
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


def test_a_blob_longer_than_its_descriptor_says_is_refused(registry: Registry, image: SampleImage) -> None:
    push(at(registry.address), image, "1")
    short = Descriptor(media_type=LAYER_GZIP, digest=image.layer.digest, size=1000)
    with pytest.raises(RegistryContentError, match="3145728 bytes; it should have 1000"):
        at(registry.address, retries=0).small_blob(short)


@pytest.mark.parametrize("size", [1000, 5 << 20])
@pytest.mark.parametrize("change", ["another byte", "shorter", "longer", "gone"])
def test_a_damaged_file_is_never_pushed(flaky: FlakyRegistry, tmp_path: Path, size: int, change: str) -> None:
    descriptor, path = layer_file(tmp_path, size)
    data = path.read_bytes()
    path.write_bytes({"another byte": data[:-1] + b"?", "shorter": data[:-1], "longer": data + b"?"}.get(change, b""))
    if change == "gone":
        path.unlink()
    with pytest.raises(DamagedLayerError, match="in the cache is damaged") as caught:
        at(flaky.address).upload(descriptor, path)
    assert caught.value.digest == descriptor.digest
    assert not at(flaky.address).has_blob(descriptor)
    # What the registry does with that is its own: one that still hears the upload may keep a file for a while.
    assert len(flaky.asked("upload-cancel")) == len(flaky.asked("upload-start")), "the upload is cancelled"


def test_nothing_is_asked_offline(registry: Registry) -> None:
    offline = Registries(QUICK, offline=True, environ={}).repository(parse_reference(f"{registry.address}/a:1"))
    with pytest.raises(OfflineError, match=r"cannot read .*/a:1"):
        offline.manifest()


def test_a_redirect_is_not_followed_to_something_else_than_http(flaky: FlakyRegistry) -> None:
    flaky.fail("manifest-get", fault=redirect_to("file:///etc/passwd?"))
    with pytest.raises(RegistryContentError, match="which is not HTTPS"):
        at(flaky.address).manifest()


def test_redirects_in_a_circle_are_given_up(flaky: FlakyRegistry) -> None:
    flaky.fail("manifest-get", fault=redirect_to(flaky.url), times=99)
    with pytest.raises(RegistryContentError, match="more than 10 times"):
        at(flaky.address).manifest()


# A server that is no registry, or a hostile one


class Hostile(BaseHTTPRequestHandler):
    body = b""
    content_type = MANIFEST
    encoding = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.content_type)
        if self.encoding:
            self.send_header("Content-Encoding", self.encoding)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hostile() -> Iterator[tuple[type[Hostile], str]]:
    class Handler(Hostile):
        pass

    with serving(Handler) as address:
        yield Handler, address


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"<html>hello</html>", "text/html", "something else than a JSON object"),
        (b"[" * 100_000, MANIFEST, "something else than a JSON object"),
        (b'{"schemaVersion": 1, "name": "x"}', "application/json", "schema 1"),
        (b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        (b'{"manifests": [], "layers": [], "config": {}}', INDEX, "an index and an image's manifest at once"),
        (b'{"manifests": []}', MANIFEST, "has another form"),
        (b'{"layers": [], "config": {}, "mediaType": "%s"}' % INDEX.encode(), MANIFEST, "has another form"),
        (b'{"layers": [], "mediaType": "text/plain"}', MANIFEST, "media type is 'text/plain'"),
        (b'{"layers": [], "mediaType": []}', MANIFEST, "media type is no text"),
        (b'{"layers": [], "mediaType": 1}', MANIFEST, "media type is no text"),
        (b'{"blobs": []}', "application/vnd.oci.artifact.manifest.v1+json", "neither an index nor"),
        (b" " * ((4 << 20) + 1), MANIFEST, "more than 4194304 bytes"),
        (gzip.compress(b'{"layers": []}'), MANIFEST, "something else than a JSON object"),
    ],
)
def test_what_is_no_manifest_is_refused(
    hostile: tuple[type[Hostile], str], body: bytes, content_type: str, words: str
) -> None:
    handler, address = hostile
    handler.body, handler.content_type = body, content_type
    with pytest.raises(RegistryContentError, match=words):
        at(address).manifest()


def test_a_manifest_without_its_media_type_is_known_by_its_form(hostile: tuple[type[Hostile], str]) -> None:
    handler, address = hostile
    handler.content_type = "application/json"
    handler.body = b'{"layers": [], "config": {}}'
    assert at(address).manifest().descriptor.media_type == MANIFEST
    handler.body = b'{"manifests": []}'
    assert at(address).manifest().descriptor.media_type == INDEX
