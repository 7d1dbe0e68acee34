"""Bases of images: a repository for each platform, and one that selects."""

load(":host_python.bzl", "run_core_command")
load(":hub_targets.bzl", "constraints_of_platform", "slug")

_BZL = Label("//bazel/private:base_repo.bzl")
_TIMEOUT = 3600

def _load(file, symbol):
    return "load(%s, %s)\n" % (json.encode(str(_BZL.same_package_label(file))), json.encode(symbol))

def base_build(base):
    """Writes the BUILD file of a base for one platform.

    Args:
        base: What base.json holds.

    Returns:
        The text.
    """
    return "".join([
        "# A base of images.\n",
        _load("base_files.bzl", "base_files"),
        "base_files(\n",
        "    name = \"base\",\n",
        "    blobs = %s,\n" % json.encode(["base/" + layer["blob"] for layer in base["layers"]]),
        "    layers = %s,\n" % json.encode(["base/" + layer["metadata"] for layer in base["layers"]]),
        "    metadata = \"base/base.json\",\n",
        # Spelled in one way, whichever users take: `linux/arm64/v8` is `linux/arm64`.
        "    platform = %s,\n" % json.encode(base["target"].partition("+")[0]),
        "    visibility = [\"//visibility:public\"],\n",
        ")\n",
    ])

def _base_repo_impl(rctx):
    arguments = ["base", "--lock", rctx.path(rctx.attr.lock), "--platform", rctx.attr.platform, "--out", rctx.path("base")]
    rctx.watch(rctx.attr.lock)
    if rctx.attr.project:
        rctx.watch(rctx.attr.project)
        arguments += ["--project", rctx.path(rctx.attr.project)]
    else:
        arguments += ["--base", rctx.attr.base]
    rctx.watch(Label("//bazel/private:deflate.requirements.txt"))  # another encoder writes other bytes
    site = rctx.path(Label("@crossdock_deflate//:BUILD.bazel")).dirname.get_child("site")
    what = "The base %s for %s" % (rctx.attr.hub, rctx.attr.platform)
    run_core_command(rctx, what, arguments + ["--encoder", site], timeout = _TIMEOUT)
    rctx.file("BUILD.bazel", base_build(json.decode(rctx.read("base/base.json"))), executable = False)
    return getattr(rctx, "repo_metadata", lambda **_: None)(reproducible = True)

base_repo = repository_rule(
    implementation = _base_repo_impl,
    doc = "A base for one platform: its layers, an interpreter's and the environment's, and what is known of them.",
    attrs = {
        "base": attr.string(doc = "The base, as in crossdock.lock; or `project`."),
        "hub": attr.string(mandatory = True, doc = "The name users know the base by."),
        "lock": attr.label(mandatory = True, doc = "crossdock.lock."),
        "platform": attr.string(mandatory = True, doc = "The platform, as in `linux/arm64`."),
        "project": attr.label(doc = "pyproject.toml, which names the base."),
    },
)

def _constraints(platform):
    """Tells a platform by its C library, too: one for Linux that does not say which has glibc, as everywhere."""
    linux = platform.lower().startswith("linux/") and "+" not in platform
    return sorted(constraints_of_platform(platform + "+glibc" if linux else platform))

def base_hub_build(hub, repositories):
    """Writes the BUILD file that selects a base by what is built for.

    Args:
        hub: The name users know it by.
        repositories: dict: for each platform the name of its repository.

    Returns:
        The text.
    """
    lines = [
        "# Made by crossdock's module extension.\n",
        _load("no_base.bzl", "no_base_here"),
    ]
    branches = {"//conditions:default": ":no_base_here"}
    known = {}
    for platform, repository in sorted(repositories.items()):
        constraints = _constraints(platform)
        if repr(constraints) in known:
            fail("crossdock.base(name = %r): %s and %s are one platform to Bazel: keep one of them in `platforms`" %
                 (hub, known[repr(constraints)], platform))
        known[repr(constraints)] = platform
        lines.append("config_setting(name = %s, constraint_values = %s)\n" % (
            json.encode("is_" + slug(platform)),
            json.encode([str(Label(constraint)) for constraint in constraints]),
        ))
        branches[":is_" + slug(platform)] = "@%s//:base" % repository
    lines.append("no_base_here(name = \"no_base_here\", attribute = %s, targets = %s, what = %s)\n" % (
        json.encode("`platforms` of crossdock.base(name = \"%s\")" % hub),
        json.encode(sorted(repositories)),
        json.encode("@%s//:base" % hub),
    ))
    lines.append("alias(name = \"base\", actual = select(%s), visibility = [\"//visibility:public\"])\n" % json.encode(branches))
    return "".join(lines)

def _base_hub_repo_impl(rctx):
    rctx.file("BUILD.bazel", base_hub_build(rctx.attr.hub, rctx.attr.repositories), executable = False)
    return getattr(rctx, "repo_metadata", lambda **_: None)(reproducible = True)

base_hub_repo = repository_rule(
    implementation = _base_hub_repo_impl,
    doc = "Selects a base by what is built for.",
    attrs = {
        "hub": attr.string(mandatory = True, doc = "The name users know it by."),
        "repositories": attr.string_dict(mandatory = True, doc = "For each platform the name of its repository."),
    },
)
