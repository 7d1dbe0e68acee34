"""Making the layers of a finished image once more, from what they say they are made of, and comparing.

An image's annotations are the word of whoever pushed it. Here it is held against the wheels themselves: those of the
index, by the hashes that the annotations name; and with the project at hand, against everything its locks name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import CrossdockError, LayoutUnreadableError
from crossdock.layers.cached import wheel_recipe
from crossdock.oci.layout_files import Layout, blob_path, parse_json, read_file
from crossdock.oci.model import CONFIG, DOCKER_CONFIG, INDEX_TYPES, LAYER_ZSTD, Descriptor
from crossdock.steps.describing import facts_text
from crossdock.steps.environment import PREFIX
from crossdock.steps.fetching import fetch_inputs
from crossdock.steps.preparing import prepare
from crossdock.steps.registry_cache import DIFF_ID, FACTS, KEY, SEEN, RegistryCache, described_by
from crossdock.steps.stack import LayerForm
from crossdock.steps.wheel_facts import WheelFacts, read_wheel_facts
from crossdock.store.actions import canonical_json
from crossdock.verify.finding import Finding
from crossdock.verify.platforms import Platform
from crossdock.verify.summary import write_summary
from crossdock.wheels.scheme import SCHEME_VERSION, posix_venv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.layers.cached import LayerRecipe
    from crossdock.plan import Plan
    from crossdock.services import Services
    from crossdock.steps.gathering import Wheels
    from crossdock.steps.stack import Part
    from crossdock.targets import Target
    from crossdock.verify.scan import LayerFacts
    from crossdock.wheels.bytecode import CompilerSpec
    from crossdock.wheels.scheme import Scheme

__all__ = ["Rederived", "rederive"]

_PYTHON = re.compile(rf"{re.escape(PREFIX)}/lib/python(3\.[0-9]+)/site-packages")
_MOST_WHEELS = 10_000
_LONGEST_NAME = 255
#: As deep as the proof goes.
_DEEPEST = 8
_CONFIG_TYPES = frozenset({CONFIG, DOCKER_CONFIG})
_MADE_OTHERWISE = "whoever pushed this image put something else there: do not run it, and find out who it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rederived:
    """What came of making layers again.

    Attributes:
        same: Digests of the layers that came out the same.
        others: Those that could not be made again, each with the reason.
        findings: What is not as it is said to be.
    """

    same: tuple[str, ...]
    others: Mapping[str, str]
    findings: tuple[Finding, ...]


class _NotPossible(Exception):  # noqa: N818  says why a layer cannot be made again; no user sees it as an exception
    pass


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer as a manifest and a config name it."""

    descriptor: Descriptor
    diff_id: str

    @property
    def said(self) -> Mapping[str, str]:
        return self.descriptor.annotations

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from others: two manifests may say different things of one blob, and each is looked at."""
        one = self.descriptor
        said = canonical_json(dict(one.annotations)).decode()
        return one.digest, one.media_type, str(one.size), self.diff_id, said


def rederive(layout: Layout, services: Services, plan: Plan | None = None) -> Rederived:
    """Make every layer of an image again that can be, and compare.

    Args:
        layout: The image, in which every digest was found to be right.
        services: The store, and what it is filled by. Nothing that any registry says of layers is believed.
        plan: The project's, if it is at hand; then every layer has to be one of its.

    Raises:
        CrossdockError: The plan's layers cannot be made; what cannot be had for a single layer is no error.
    """
    layers = list({layer.identity: layer for layer in _layers(layout)}.values())
    planned = None if plan is None else _planned(plan, layers, services)
    others: dict[str, str] = {}
    findings: list[Finding] = []
    wrong: set[str] = set()
    for layer in layers:
        digest = layer.descriptor.digest
        try:
            found = list(_check(layer, services) if planned is None else _check_planned(layer, planned, services))
        except (_NotPossible, CrossdockError) as error:
            others[digest] = str(error).partition("\n")[0]
            continue
        findings += found
        wrong |= {digest} if found else set()
    digests = dict.fromkeys(layer.descriptor.digest for layer in layers)
    same = tuple(digest for digest in digests if digest not in wrong and digest not in others)
    if planned is not None:
        findings += [_unplanned(digest, reason) for digest, reason in others.items()]
    elif not same and not findings:
        findings.append(_finding("nothing-rederived", "no layer could be made again", "that proves nothing"))
    return Rederived(same=same, others=others, findings=tuple(dict.fromkeys(findings)))


def _layers(layout: Layout) -> Iterator[_Layer]:
    """List the layers of every image that `crossdock.verify.image` proves, and of no attestation or other artifact.

    Raises:
        LayoutUnreadableError: Something is malformed that the proof lets pass.
    """
    index = parse_json(read_file(layout, "index.json"), name="index.json")
    for manifest in _manifests(layout, index, set()):
        rootfs = _document(layout, manifest.get("config")).get("rootfs")
        diff_ids = _list(rootfs if isinstance(rootfs, dict) else {}, "diff_ids")
        layers = _list(manifest, "layers")
        if len(diff_ids) != len(layers):
            raise LayoutUnreadableError(f"an image has {len(layers)} layers and {len(diff_ids)} diff_ids")
        for item, diff_id in zip(layers, diff_ids, strict=True):
            try:
                yield _Layer(Descriptor.from_json(item), str(diff_id)[:200])
            except ValueError as error:
                raise LayoutUnreadableError("a layer's descriptor is malformed", why=str(error)) from None


def _manifests(
    layout: Layout, index: Mapping[str, Any], seen: set[tuple[str, Platform | None]], depth: int = 0
) -> Iterator[dict[str, Any]]:
    if depth > _DEEPEST:
        raise LayoutUnreadableError(f"an index is nested more than {_DEEPEST} deep")
    for item in _list(index, "manifests"):
        content = _document(layout, item)
        spelled = item.get("platform")
        platform = Platform.from_json(spelled) if isinstance(spelled, dict) else None
        if (item["digest"], platform) in seen:
            continue
        seen.add((item["digest"], platform))
        if item.get("mediaType") in INDEX_TYPES:
            yield from _manifests(layout, content, seen, depth + 1)
        elif _is_image(content, platform):
            yield content


def _document(layout: Layout, descriptor: Any) -> dict[str, Any]:  # noqa: ANN401  it is whatever somebody wrote
    name = blob_path(descriptor.get("digest") if isinstance(descriptor, dict) else None)
    if name is None:
        raise LayoutUnreadableError("a descriptor in the layout has no sha256 digest")
    return parse_json(read_file(layout, name), name=name)


def _list(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _is_image(manifest: Mapping[str, Any], platform: Platform | None) -> bool:
    if platform is not None:
        return not platform.is_unknown
    config = manifest.get("config")
    return isinstance(config, dict) and config.get("mediaType") in _CONFIG_TYPES


@dataclass(frozen=True, slots=True)
class _Planned:
    """The layers of a project's images that the image may be made of, with all there that they are made of."""

    parts: list[tuple[Part, Target]]
    wheels: Wheels

    def candidates(self, layer: _Layer) -> list[tuple[Part, Target]]:
        """Give those that a layer may be: that of its key, else, as not every layer has one, all described like it."""
        by_key = [item for item in self.parts if item[0].recipe.key == layer.said.get(KEY)]
        return by_key or [item for item in self.parts if dict(item[0].annotations) == described_by(layer.said)]


def _planned(plan: Plan, layers: list[_Layer], services: Services) -> _Planned:
    zstd = any(layer.descriptor.media_type == LAYER_ZSTD and "dev.crossdock.scheme" in layer.said for layer in layers)
    bytecode = any("dev.crossdock.bytecode" in layer.said for layer in layers)
    single = all(_is_single(layer.said.get("dev.crossdock.wheels", "[]")) for layer in layers)
    form = LayerForm(
        compression="zstd" if zstd else "gzip", compile=bytecode, grouping="wheel" if single else "grouped"
    )
    ready = prepare(plan, form, RegistryCache(), services)
    targets = [part.target for part in ready.plan.targets]
    parts = [(part, target) for stack, target in zip(ready.stacks(), targets, strict=True) for part in stack]
    every = _Planned(parts, ready.wheels)
    wanted = {part.recipe.key: part for layer in layers for part, _ in every.candidates(layer)}
    ready.wheels.bring({wheel.sha256 for part in wanted.values() for wheel in part.wheels})
    fetch_inputs([part.inputs for part in wanted.values() if part.inputs is not None], plan.project, services)
    return every


def _is_single(wheels: str) -> bool:
    """Say whether a layer names one wheel, or none."""
    try:
        return len(json.loads(wheels)) <= 1
    except (TypeError, ValueError, RecursionError):
        return False


def _check_planned(layer: _Layer, planned: _Planned, services: Services) -> Iterator[Finding]:
    """Compare a layer with that of the project which it says it is."""
    candidates = planned.candidates(layer)
    if not candidates:
        raise _NotPossible("it does not say that it is one of them")
    recipes = {part.recipe.key: part.recipe for part, _ in candidates}
    digest = layer.descriptor.digest
    key = next((key for key, item in recipes.items() if f"sha256:{item.make(services.store).digest}" == digest), None)
    yield from _compare(layer, recipes[key] if key else next(iter(recipes.values())), services)
    said = layer.said
    parts = [(part, target) for part, target in candidates if part.recipe.key == key]
    if key and all(described_by(said) != dict(part.annotations) for part, _ in parts):
        yield _lie(layer, "dev.crossdock.*", "names other things than it is made of")
    if key and FACTS in said and all(said[FACTS] != facts_text(part, planned.wheels, item) for part, item in parts):
        yield _lie(layer, FACTS, "is not so")


def _check(layer: _Layer, services: Services) -> Iterator[Finding]:
    """Compare a layer with what the wheels give that it names."""
    stated = _stated(layer)
    named = _bring(stated.wheels, services)
    yield from _compare_facts(layer, stated, named, services)
    yield from _compare(layer, _recipe(layer, stated, named, services), services)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a layer of wheels says it is made of.

    Attributes:
        wheels: Name, version and SHA-256 of each, in their order.
        facts: What it says of each, by SHA-256.
        scheme: How they are installed.
    """

    wheels: list[tuple[str, str, str]]
    facts: Mapping[str, WheelFacts]
    scheme: Scheme


def _stated(layer: _Layer) -> _Stated:
    said = layer.said
    kind = said.get("dev.crossdock.layer")
    if kind not in ("wheels", "project"):
        what = f"a layer of the kind {kind[:20]!r}" if kind else "nothing that says what it is made of"
        raise _NotPossible(f"it is {what}, not made of wheels alone")
    if kind == "project" and "dev.crossdock.wheels" not in said:  # as Bazel's rules make it
        raise _NotPossible("it holds the application's own files, which are on no index, not wheels")
    if (version := said.get("dev.crossdock.scheme", "")) != str(SCHEME_VERSION):
        raise _NotPossible(f"it was made by scheme {version[:20]!r}, not {SCHEME_VERSION}")
    try:
        wheels = [(item["name"], item["version"], item["sha256"]) for item in json.loads(said["dev.crossdock.wheels"])]
        facts = {sha256: WheelFacts.from_json(item) for sha256, item in json.loads(said.get(FACTS, "{}")).items()}
        # Longer ones are no names or versions; Python would not even read numbers of thousands of digits.
        textual = all(isinstance(text, str) and len(text) <= _LONGEST_NAME for wheel in wheels for text in wheel)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise _NotPossible("what it says of its wheels cannot be read") from None
    pythons = {match[1] for item in facts.values() if (match := _PYTHON.fullmatch(item.site_packages))}
    if len(pythons) != 1 or not textual or not 0 < len(wheels) <= _MOST_WHEELS:
        raise _NotPossible("it does not say which wheels it is made of, and for which Python")
    return _Stated(wheels, facts, posix_venv(PREFIX, pythons.pop()))


def _compare_facts(
    layer: _Layer, stated: _Stated, named: list[tuple[str, str]], services: Services
) -> Iterator[Finding]:
    for filename, sha256 in named:
        if read_wheel_facts(services.store, filename, sha256, stated.scheme) != stated.facts.get(sha256):
            yield _lie(layer, FACTS, f"is not so for {filename}")
    if stated.facts.keys() - {sha256 for _, sha256 in named}:
        yield _lie(layer, FACTS, "is about wheels that are not in it")


def _recipe(layer: _Layer, stated: _Stated, named: list[tuple[str, str]], services: Services) -> LayerRecipe:
    """Give the recipe of a layer of wheels, which are in the store."""
    compiler = _compiler(layer.said, stated.scheme.site_packages)
    recipe = wheel_recipe(services.store, named, stated.scheme, compile=compiler)
    if layer.descriptor.media_type != LAYER_ZSTD:
        return recipe
    from crossdock.layers.zstd import zstd_recipe

    return zstd_recipe(recipe, services.store)


def _bring(wheels: list[tuple[str, str, str]], services: Services) -> list[tuple[str, str]]:
    """Find wheels on the configured indexes by their hashes; gives file name and SHA-256 of each, in their order."""
    from crossdock.store.config import load_index_config
    from crossdock.store.downloads import FileRequest, fetch
    from crossdock.store.index import HashQuery, find_many

    config = load_index_config()
    http = services.http(config)
    queries = [HashQuery(name=name, version=version, sha256s=(sha256,)) for name, version, sha256 in wheels]
    found = find_many(services.store, http, config, queries)
    files = []
    for query, answers in zip(queries, found, strict=True):
        if not answers or answers[0].url is None:
            raise _NotPossible(f"{query.name[:100]} {query.version[:100]} is on no index by the hash it names")
        files.append(answers[0])
    requests = [FileRequest(name=item.filename, url=str(item.url), sha256=str(item.sha256)) for item in files]
    fetch(services.store, requests, http=http, progress=services.progress)
    return [(item.filename, str(item.sha256)) for item in files]


def _compiler(said: Mapping[str, str], site_packages: str) -> CompilerSpec | None:
    """Give the interpreter that a layer's bytecode was compiled by, or one like it."""
    if "dev.crossdock.bytecode" not in said:
        return None
    from crossdock.steps.compiling import find_compiler
    from crossdock.targets import parse_python

    match = _PYTHON.fullmatch(site_packages)
    compiler = find_compiler(parse_python(match[1] if match else ""))
    if canonical_json(compiler.key).decode() != said["dev.crossdock.bytecode"]:
        raise _NotPossible(f"its bytecode is of another interpreter than {compiler.path}")
    return compiler


def _compare(layer: _Layer, recipe: LayerRecipe, services: Services) -> Iterator[Finding]:
    """Make a layer and tell where it is not what was pushed, or not what is said of it."""
    from crossdock.steps.making import seen_in

    digest = layer.descriptor.digest
    made = recipe.make(services.store)
    if f"sha256:{made.digest}" != digest:
        yield _finding(
            "layer-rederived",
            f"layer {digest} is not what it says it is made of",
            f"that gives sha256:{made.digest}",
            _MADE_OTHERWISE,
        )
        return
    seen: LayerFacts = seen_in(made, recipe.media_type, services.store)
    truth = {KEY: recipe.key, DIFF_ID: f"sha256:{made.diff_id}", SEEN: write_summary(seen)}
    for name, value in truth.items():
        if name in layer.said and layer.said[name] != value:
            yield _lie(layer, name, f"is {layer.said[name][:100]!r}", f"it is {str(value)[:100]!r}")
    if layer.diff_id != f"sha256:{made.diff_id}":
        yield _finding("layer-diff-id", f"layer {digest} has the diff_id sha256:{made.diff_id}", "the config differs")


def _lie(layer: _Layer, name: str, found: str, wanted: str = "") -> Finding:
    found = f"what the annotation {name} of layer {layer.descriptor.digest} says {found}"
    return _finding("layer-annotation", found, wanted, _MADE_OTHERWISE)


def _unplanned(digest: str, reason: str) -> Finding:
    return _finding(
        "layer-unplanned",
        f"layer {digest} is none of those that the project's locks give: {reason}",
        "",
        "check out the state of the project that the image was built from, or find out who pushed the image",
    )


def _finding(code: str, found: str, wanted: str, hint: str = "") -> Finding:
    return Finding(code=code, severity="error", found=found, wanted=wanted, hint=hint)
