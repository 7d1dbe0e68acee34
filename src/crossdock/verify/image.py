"""Proves all images of an OCI image layout, whoever made it.

Follows "Image Index", "Image Manifest" and "Image Configuration" of the OCI image specification 1.1, and Docker's
media types for the same things.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from crossdock.errors import CrossdockError, LayerUnreadableError, LayerUnsupportedError, LayoutUnreadableError
from crossdock.oci.layout_files import Layout, blob_path, open_layout, parse_json, read_file, sha256_of
from crossdock.verify.claim import Claim, ImageConfig
from crossdock.verify.finding import Finding
from crossdock.verify.manifests import LayerClaim
from crossdock.verify.platforms import Platform
from crossdock.verify.proof import prove_image
from crossdock.verify.report import ImageReport, OtherManifest, Report
from crossdock.verify.scan import LayerFacts, scan_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from crossdock.verify.exceptions import Allowance

__all__ = ["ScanCache", "SeenImage", "verify_layout", "verify_opened"]

_INDEX_TYPES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
_CONFIG_TYPES: Final = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
_MAX_DEPTH: Final = 8
_MAX_MANIFESTS: Final = 10_000
_REBUILD: Final = "copy or build the image again"


class ScanCache(Protocol):
    """Keeps what is known of layers, by their digest."""

    def get(self, digest: str) -> LayerFacts | None:
        """Return what was put, or None."""

    def put(self, digest: str, facts: LayerFacts) -> None:
        """Keep facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenImage:
    """An image that was read.

    Attributes:
        platform: From its config.
        digest: Of its manifest.
        manifest: Its manifest.
        config: Its config.
        layers: What is in its layers, lowest first.
    """

    platform: Platform
    digest: str
    manifest: dict[str, Any]
    config: dict[str, Any]
    layers: tuple[LayerFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A manifest that an index names."""

    digest: str
    platform: Platform | None
    manifest: dict[str, Any]


def verify_layout(
    path: Path,
    *,
    scan_cache: ScanCache | None = None,
    allow: Sequence[Allowance] = (),
    claims: Sequence[Claim] = (),
) -> Report:
    """Prove every image in a layout.

    Every blob that index, manifests and configs name must be there with its size and digest; all files of all layers
    are looked at, and judged by the platform of the image's own config, which must agree with its entry in the index.

    Args:
        path: A layout directory, or a tar archive of one.
        scan_cache: Spares reading layers that are known; their blobs are hashed all the same.
        allow: Exceptions to the rules.
        claims: What the image is said to be: each has to be there, and is compared with the image for its platform.

    Raises:
        LayoutUnreadableError: There is no layout at all, or its ``index.json`` cannot be read. Everything else that is
            wrong is a finding.
    """
    return verify_opened(open_layout(path), str(path), scan_cache=scan_cache, allow=allow, claims=claims)


def verify_opened(
    layout: Layout,
    subject: str,
    *,
    scan_cache: ScanCache | None = None,
    allow: Sequence[Allowance] = (),
    claims: Sequence[Claim] = (),
    checked: Collection[str] = (),
    watch: Callable[[SeenImage], object] = lambda _: None,
) -> Report:
    """Prove every image in a layout that is open.

    All is like `verify_layout`, beside these:

    Args:
        layout: The layout.
        subject: Names it.
        scan_cache: See `verify_layout`.
        allow: See `verify_layout`.
        claims: See `verify_layout`.
        checked: Digests of layers that are there as they should be, as somebody saw already: of these nothing is read
            if the cache knows them.
        watch: Is given each image that could be read whole.
    """
    index = parse_json(read_file(layout, "index.json"), name="index.json")
    run = _Run(layout, scan_cache, allow, claims, checked, watch)
    run.index(index, depth=0)
    if run.images:
        run.findings += _missing(claims, [*(image.platform for image in run.images), *run.broken])
    elif not run.findings:
        run.findings.append(_error("no-image", "the layout holds no image that was proved", hint=_REBUILD))
    return Report(
        subject=subject,
        images=tuple(run.images),
        others=tuple(run.others),
        findings=tuple(run.findings),
    )


class _Run:
    """One walk through a layout; collects what is found."""

    def __init__(
        self,
        layout: Layout,
        cache: ScanCache | None,
        allow: Sequence[Allowance],
        claims: Sequence[Claim],
        checked: Collection[str],
        watch: Callable[[SeenImage], object],
    ) -> None:
        self._layout = layout
        self._cache = cache
        self._allow = allow
        self._checked = checked
        self._watch = watch
        self._claims = claims
        self._scanned: dict[tuple[str, str], LayerFacts | Finding] = {}
        self._seen: set[tuple[str, Platform | None]] = set()
        self.images: list[ImageReport] = []
        self.broken: list[Platform | None] = []
        self.others: list[OtherManifest] = []
        self.findings: list[Finding] = []

    def index(self, index: dict[str, Any], *, depth: int) -> None:
        """Go through an index and those nested in it."""
        manifests = index.get("manifests")
        if not isinstance(manifests, list) or depth > _MAX_DEPTH:
            found = f"nested more than {_MAX_DEPTH} deep" if depth > _MAX_DEPTH else "without a list of manifests"
            self.findings.append(_error("index-malformed", f"there is an index {found}", hint=_REBUILD))
            return
        if depth:
            self.findings += _twice(manifests)
        for descriptor in manifests:
            if len(self._seen) > _MAX_MANIFESTS:
                self.findings.append(_error("index-malformed", f"there are more than {_MAX_MANIFESTS:,} manifests"))
                return
            try:
                self._descriptor(descriptor, depth)
            except _Broken as broken:
                self.findings.append(broken.finding)
                self.broken.append(_platform_of(descriptor))

    def _descriptor(self, descriptor: object, depth: int) -> None:
        if not isinstance(descriptor, dict):
            raise _Broken(_error("index-malformed", "an entry of an index is no object", hint=_REBUILD))
        content = self._json(descriptor, what="manifest")
        digest = str(descriptor["digest"])
        platform = _platform_of(descriptor)
        if (digest, platform) in self._seen:
            return
        self._seen.add((digest, platform))
        _check_kind(digest, descriptor.get("mediaType"), content)
        if descriptor.get("mediaType") in _INDEX_TYPES:
            self.index(content, depth=depth + 1)
        else:
            self._manifest(_Entry(digest=digest, platform=platform, manifest=content))

    def _manifest(self, entry: _Entry) -> None:
        config = entry.manifest.get("config")
        layers = entry.manifest.get("layers")
        if not isinstance(config, dict) or not isinstance(layers, list):
            raise _Broken(_error("manifest-malformed", f"manifest {entry.digest} has no config or no layers"))
        if reason := _not_an_image(entry, config):
            for blob in (config, *layers):
                self._check_blob(blob, what="blob")
            self.others.append(OtherManifest(digest=entry.digest, reason=reason))
            return
        if config.get("mediaType") not in _CONFIG_TYPES:
            raise _Broken(
                _error(
                    "not-an-image",
                    f"manifest {entry.digest} has a config of media type {str(config.get('mediaType'))[:100]!r}",
                    wanted=f"the index offers it as an image for {entry.platform}",
                )
            )
        self.images.append(self._image(entry, config, layers))

    def _image(self, entry: _Entry, config_descriptor: dict[str, Any], layers: list[Any]) -> ImageReport:
        report = ImageReport(
            platform=None, digest=entry.digest, layers=0, files=0, packages=0, machines={}, findings=()
        )
        try:
            config = self._json(config_descriptor, what="config")
        except _Broken as broken:
            return replace(report, platform=entry.platform, findings=(broken.finding,))
        platform = Platform.from_json(config)
        if platform is None:
            finding = _error("config-malformed", f"config {config_descriptor['digest']} names no os or architecture")
            return replace(report, platform=entry.platform, findings=(finding,))
        rootfs = config.get("rootfs")
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if not isinstance(diff_ids, list) or len(diff_ids) != len(layers):
            count = len(diff_ids) if isinstance(diff_ids, list) else "no"
            wanted = f"the config has {count} diff_ids"
            finding = _error("layer-count", f"the manifest has {len(layers)} layers", wanted=wanted, hint=_REBUILD)
            return replace(report, platform=platform, findings=(finding,))
        facts, claims, problems = self._layers(layers, diff_ids)
        if problems and not facts:
            return replace(report, platform=platform, findings=tuple(problems))
        if problems:
            # Nothing can be missed that may be in a layer which could not be read.
            facts = [replace(layer, contents=replace(layer.contents, whole=False)) for layer in facts]
        else:
            self._watch(
                SeenImage(
                    platform=platform,
                    digest=entry.digest,
                    manifest=entry.manifest,
                    config=config,
                    layers=tuple(facts),
                )
            )
        report = prove_image(
            self._claim(platform, config),
            facts,
            claims=claims,
            entry=entry.platform,
            digest=entry.digest,
            allow=self._allow,
        )
        return replace(report, findings=(*problems, *report.findings))

    def _claim(self, platform: Platform, config: dict[str, Any]) -> Claim:
        machine = (platform.os, platform.architecture)
        alike = [claim for claim in self._claims if (claim.platform.os, claim.platform.architecture) == machine]
        # Of two for variants of an architecture, the image's own.
        alike.sort(key=lambda claim: not claim.platform.same_machine(platform))
        said = alike[0] if alike else Claim(platform=platform, subject="image")
        return replace(said, platform=platform, subject="image", config=_run_config(config))

    def _layers(
        self, layers: list[Any], diff_ids: list[Any]
    ) -> tuple[list[LayerFacts], list[LayerClaim], list[Finding]]:
        facts: list[LayerFacts] = []
        claims: list[LayerClaim] = []
        problems: list[Finding] = []
        for descriptor, diff_id in zip(layers, diff_ids, strict=True):
            result = self._layer(descriptor)
            if isinstance(result, Finding):
                problems.append(result)
            else:
                facts.append(result)
                claims.append(LayerClaim(digest=descriptor["digest"], diff_id=str(diff_id)[:200]))
        return facts, claims, problems

    def _layer(self, descriptor: object) -> LayerFacts | Finding:
        try:
            name, digest, _ = _locate(self._layout, descriptor, what="layer")
        except _Broken as broken:
            return broken.finding
        assert isinstance(descriptor, dict)  # noqa: S101  _locate saw to it
        media_type = str(descriptor.get("mediaType"))
        key = (digest, media_type)
        if key not in self._scanned:
            self._scanned[key] = self._scan(name, digest, media_type)
        return self._scanned[key]

    def _scan(self, name: str, digest: str, media_type: str) -> LayerFacts | Finding:
        known = self._cache.get(digest) if self._cache else None
        try:
            if known and (known.digest, known.media_type) == (digest, media_type):
                if digest not in self._checked:
                    self._check_digest(name, digest, what="layer")
                return known
            with self._layout.open(name) as stream:
                facts = scan_layer(stream, media_type=media_type)
        except (LayerUnreadableError, LayerUnsupportedError) as error:
            return self._unreadable(name, digest, error)
        except (OSError, tarfile.TarError) as error:
            return _error("blob-unreadable", f"layer {digest} cannot be read: {error}", hint=_REBUILD)
        except _Broken as broken:
            return broken.finding
        # A blob that is not what its name says is reported by judge_layers, and must not be remembered.
        if self._cache and facts.digest == digest:
            self._cache.put(digest, facts)
        return facts

    def _unreadable(self, name: str, digest: str, error: CrossdockError) -> Finding:
        try:
            self._check_digest(name, digest, what="layer")
        except _Broken as broken:
            return broken.finding  # the reason for all else that is wrong with it
        code = "layer-unsupported" if isinstance(error, LayerUnsupportedError) else "layer-unreadable"
        reason = f"{error.what}: {error.why}" if error.why else error.what
        return _error(code, f"layer {digest} cannot be looked at: {reason}", hint=error.hint or _REBUILD)

    def _json(self, descriptor: dict[str, Any], *, what: str) -> dict[str, Any]:
        name, digest, _ = _locate(self._layout, descriptor, what=what)
        self._check_digest(name, digest, what=what)
        try:
            return parse_json(read_file(self._layout, name), name=f"{what} {digest}")
        except LayoutUnreadableError as error:
            reason = f"{error.what}: {error.why}" if error.why else error.what
            raise _Broken(_error(f"{what}-malformed", reason, hint=_REBUILD)) from None

    def _check_blob(self, descriptor: object, *, what: str) -> None:
        name, digest, _ = _locate(self._layout, descriptor, what=what)
        self._check_digest(name, digest, what=what)

    def _check_digest(self, name: str, digest: str, *, what: str) -> None:
        try:
            with self._layout.open(name) as stream:
                actual = sha256_of(stream)
        except (OSError, tarfile.TarError) as error:
            raise _Broken(_error("blob-unreadable", f"{what} {digest} cannot be read: {error}")) from None
        if actual != digest:
            found = f"the blob of {what} {digest} has another digest: {actual}"
            raise _Broken(_error("blob-digest", found, hint=_REBUILD))


def _twice(manifests: list[Any]) -> list[Finding]:
    """Tell which platforms an index has two images for, of which each engine takes another (or any)."""
    found: dict[str, str] = {}
    findings = []
    for descriptor in manifests:
        spelled = descriptor.get("platform") if isinstance(descriptor, dict) else None
        if not isinstance(spelled, dict):
            continue
        platform = Platform.from_json(spelled)
        if platform is None or platform.is_unknown:
            continue
        key = str([platform.canonical, spelled.get("os.version"), spelled.get("os.features")])
        digest = str(descriptor.get("digest"))[:100]
        if found.setdefault(key, digest) != digest:
            wanted = f"{found[key]} is for that platform as well"
            hint = "leave one of them out: which of them is run is anybody's guess"
            findings.append(_error("platform-twice", f"{digest} is for {platform}", wanted=wanted, hint=hint))
    return findings


def _platform_of(descriptor: object) -> Platform | None:
    spelled = descriptor.get("platform") if isinstance(descriptor, dict) else None
    return Platform.from_json(spelled) if isinstance(spelled, dict) else None


def _missing(claims: Sequence[Claim], platforms: Sequence[Platform | None]) -> list[Finding]:
    """Tell which platforms are wanted that no image is for, not even one that cannot be read."""
    there = [platform for platform in platforms if platform is not None]
    return [
        _error(
            "platform-missing",
            f"there is no image for {claim.platform}",
            wanted=f"it is wanted, and there are: {', '.join(map(str, there)) or 'none'}",
            hint="build it for that platform as well, or name another",
        )
        for claim in claims
        if not any(platform.same_machine(claim.platform) for platform in there)
    ]


class _Broken(Exception):  # noqa: N818  carries a finding to where it is collected; no user sees it
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.found)
        self.finding = finding


def _locate(layout: Layout, descriptor: object, *, what: str) -> tuple[str, str, int]:
    """Find the blob of a descriptor: its path in the layout, digest and size."""
    fields = descriptor if isinstance(descriptor, dict) else {}
    digest, size = fields.get("digest"), fields.get("size")
    name = blob_path(digest)
    if name is None or not isinstance(size, int):
        found = f"the descriptor of a {what} has no size or no sha256 digest: {str(digest)[:100]!r}"
        raise _Broken(_error("descriptor-malformed", found, hint=_REBUILD))
    actual = layout.size(name)
    if actual is None:
        raise _Broken(_error("blob-missing", f"{what} {digest} is not in the layout", hint=_REBUILD))
    if actual != size:
        found = f"the blob of {what} {digest} has {actual:,} bytes"
        raise _Broken(_error("blob-size", found, wanted=f"its descriptor says {size:,}", hint=_REBUILD))
    return name, str(digest), size


def _check_kind(digest: str, media_type: object, content: dict[str, Any]) -> None:
    """Refuse what one reader takes for an index and another for a manifest (OCI image specification, "mediaType")."""
    is_index = media_type in _INDEX_TYPES
    own = content.get("mediaType", media_type)
    if own != media_type or ("layers" if is_index else "manifests") in content:
        found = f"{digest} can be read as an index and as a manifest"
        wanted = f"its descriptor says {str(media_type)[:100]}"
        raise _Broken(_error("manifest-ambiguous", found, wanted=wanted, hint=_REBUILD))


def _not_an_image(entry: _Entry, config: dict[str, Any]) -> str:
    """Say why a manifest is not to be judged as an image; empty if it is."""
    if entry.platform is not None and entry.platform.is_unknown:
        return "an attestation or the like: its platform is unknown/unknown"
    if entry.platform is None and config.get("mediaType") not in _CONFIG_TYPES:
        kind = entry.manifest.get("artifactType") or config.get("mediaType")
        return f"an artifact of type {str(kind)[:100]}, no image"
    return ""


def _run_config(config: dict[str, Any]) -> ImageConfig:
    """Read how an image is run; what is not of the form it has to be is left out."""
    run = config.get("config")
    run = run if isinstance(run, dict) else {}

    def texts(key: str) -> list[str]:
        value = run.get(key)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def text(key: str) -> str:
        value = run.get(key)
        return value if isinstance(value, str) else ""

    return ImageConfig(
        env={name: value for name, _, value in (item.partition("=") for item in texts("Env"))},
        entrypoint=(*texts("Entrypoint"), *texts("Cmd")),
        user=text("User"),
        working_dir=text("WorkingDir"),
    )


def _error(code: str, found: str, *, wanted: str = "", hint: str = "") -> Finding:
    return Finding(code=code, severity="error", found=found, wanted=wanted, hint=hint)
