"""Making the layers of a finished image once more, from what they say they are made of, and comparing.

An image's annotations are the word of whoever pushed it. Here it is held against the wheels themselves: those of the
index, by the hashes that the annotations name; and with the project at hand, against everything its locks name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import CrossdockError
from crossdock.layers.cached import wheel_recipe
from crossdock.oci.layout_files import Layout, blob_path, parse_json, read_file
from crossdock.oci.model import INDEX_TYPES, LAYER_ZSTD, Descriptor
from crossdock.steps.environment import PREFIX
from crossdock.steps.fetching import fetch_inputs
from crossdock.steps.preparing import prepare
from crossdock.steps.registry_cache import DIFF_ID, FACTS, KEY, SEEN, RegistryCache
from crossdock.steps.stack import LayerForm
from crossdock.steps.wheel_facts import WheelFacts, read_wheel_facts
from crossdock.store.actions import canonical_json
from crossdock.verify.findings import Finding
from crossdock.verify.summary import write_summary
from crossdock.wheels.scheme import SCHEME_VERSION, posix_venv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.layers.cached import LayerRecipe
    from crossdock.plan import Plan
    from crossdock.services import Services
    from crossdock.verify.scan import LayerFacts
    from crossdock.wheels.bytecode import CompilerSpec
    from crossdock.wheels.scheme import Scheme

__all__ = ["Rederived", "rederive"]

_PYTHON = re.compile(rf"{re.escape(PREFIX)}/lib/python(3\.[0-9]+)/site-packages")
_MOST_WHEELS = 10_000
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


def rederive(layout: Layout, services: Services, plan: Plan | None = None) -> Rederived:
    """Make every layer of an image again that can be, and compare.

    Args:
        layout: The image, in which every digest was found to be right.
        services: The store, and what it is filled by. Nothing that any registry says of layers is believed.
        plan: The project's, if it is at hand; then every layer has to be one of its.

    Raises:
        CrossdockError: The plan's layers cannot be made; what cannot be had for a single layer is no error.
    """
    layers = {layer.descriptor.digest: layer for layer in _layers(layout)}
    planned = {} if plan is None else _planned(plan, list(layers.values()), services)
    same: list[str] = []
    others: dict[str, str] = {}
    findings: list[Finding] = []
    for digest, layer in layers.items():
        try:
            recipe = planned.get(layer.said.get(KEY, ""))
            found: list[Finding] = []
            if recipe is None:
                stated = _stated(layer)
                named = _bring(stated.wheels, services)
                found += _compare_facts(layer, stated, named, services)
                recipe = _recipe(layer, stated, named, services)
            found += _compare(layer, recipe, services)
        except (_NotPossible, CrossdockError) as error:
            others[digest] = str(error).partition("\n")[0]
            continue
        findings += found
        if not found:
            same.append(digest)
    if plan is not None:
        findings += [_unplanned(layers[digest], reason) for digest, reason in others.items()]
    elif not same and not findings:
        findings.append(_finding("nothing-rederived", "no layer could be made again", "that proves nothing"))
    return Rederived(same=tuple(same), others=others, findings=tuple(findings))


def _layers(layout: Layout) -> Iterator[_Layer]:
    """List the layers of every image; what is malformed was found when the image was proved, and is left out."""

    def document(descriptor: Descriptor) -> dict[str, Any]:
        name = blob_path(descriptor.digest) or ""
        return parse_json(read_file(layout, name), name=name)

    def manifests(index: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        for item in index.get("manifests") or ():
            child = Descriptor.from_json(item)
            if child.platform is not None and child.platform.get("os") == "unknown":
                continue
            if child.media_type not in INDEX_TYPES:
                yield document(child)
            elif depth:
                yield from manifests(document(child), depth - 1)

    for manifest in manifests(parse_json(read_file(layout, "index.json"), name="index.json"), 4):
        config = document(Descriptor.from_json(manifest.get("config")))
        diff_ids = (config.get("rootfs") or {}).get("diff_ids") or ()
        for item, diff_id in zip(manifest.get("layers") or (), diff_ids, strict=False):
            yield _Layer(Descriptor.from_json(item), str(diff_id))


def _planned(plan: Plan, layers: list[_Layer], services: Services) -> dict[str, LayerRecipe]:
    """Give the recipes of a project's layers by their keys, with all there that the wanted ones are made of."""
    zstd = any(layer.descriptor.media_type == LAYER_ZSTD and KEY in layer.said for layer in layers)
    bytecode = any("dev.crossdock.bytecode" in layer.said for layer in layers)
    form = LayerForm(compression="zstd" if zstd else "gzip", compile=bytecode)
    ready = prepare(plan, form, RegistryCache(), services)
    wanted = {layer.said.get(KEY) for layer in layers}
    parts = {part.recipe.key: part for stack in ready.stacks() for part in stack if part.recipe.key in wanted}
    ready.wheels.bring({wheel.sha256 for part in parts.values() for wheel in part.wheels})
    fetch_inputs([part.inputs for part in parts.values() if part.inputs is not None], plan.project, services)
    return {key: part.recipe for key, part in parts.items()}


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
    if (version := said.get("dev.crossdock.scheme", "")) != str(SCHEME_VERSION):
        raise _NotPossible(f"it was made by scheme {version[:20]!r}, not {SCHEME_VERSION}")
    try:
        wheels = [(item["name"], item["version"], item["sha256"]) for item in json.loads(said["dev.crossdock.wheels"])]
        facts = {sha256: WheelFacts.from_json(item) for sha256, item in json.loads(said.get(FACTS, "{}")).items()}
        textual = all(isinstance(text, str) for wheel in wheels for text in wheel)
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
            found = f"what the annotation {FACTS} of layer {layer.descriptor.digest} says of {filename} is not so"
            yield _finding("layer-annotation", found, "", _MADE_OTHERWISE)


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
            raise _NotPossible(f"{query.name} {query.version} is on no index by the hash it names")
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
            found = f"the annotation {name} of layer {digest} says {layer.said[name][:100]!r}"
            yield _finding("layer-annotation", found, f"it is {str(value)[:100]!r}", _MADE_OTHERWISE)
    if layer.diff_id != f"sha256:{made.diff_id}":
        yield _finding("layer-diff-id", f"layer {digest} has the diff_id sha256:{made.diff_id}", "the config differs")


def _unplanned(layer: _Layer, reason: str) -> Finding:
    return _finding(
        "layer-unplanned",
        f"layer {layer.descriptor.digest} is none of those that the project's locks give: {reason}",
        "",
        "check out the state of the project that the image was built from, or find out who pushed the image",
    )


def _finding(code: str, found: str, wanted: str, hint: str = "") -> Finding:
    return Finding(code=code, severity="error", found=found, wanted=wanted, hint=hint)
