"""The repository of a lock: a target for each distribution, extra, group and console script.

Its files are text and nothing else: making it fetches no wheel. Each target selects, by what is built for, one of the
packages below `_targets`, so that only that one is loaded.
"""

load(":hub_nodes.bzl", "PROJECT", "extra_name", "group_name", "nodes_of", "wheel_name")
load(":hub_targets.bzl", "settings_of", "slug")

_HEADER = "# Made by crossdock's module extension of a lock file.\n"
_BZL = Label("//bazel/private:hub_repo.bzl")

def _load(file, symbols):
    return "load(%s, %s)\n" % (_quoted(str(_BZL.same_package_label(file))), ", ".join([_quoted(symbol) for symbol in symbols]))

def _quoted(text):
    return json.encode(text)

def _list(items):
    return "[%s]" % ", ".join([_quoted(item) for item in items])

def _label(short):
    """Spells a label of this module, or of one it knows, so that it means the same everywhere."""
    return str(Label(short))

def root_build(data, slugs):
    """Writes the hub's own BUILD file.

    Args:
        data: What hub.json holds.
        slugs: dict: for each key of a target its name.

    Returns:
        The text.
    """
    lines = [
        _HEADER,
        _load("missing.bzl", ["no_target"]),
        'package(default_visibility = ["//visibility:public"])\n',
    ]
    for key, setting in settings_of(data["targets"]).items():
        flags = {_label("//bazel/config:" + name): value for name, value in setting.flags.items()}
        lines.append("config_setting(name = %s, constraint_values = %s, flag_values = %s)\n" % (
            _quoted("is_" + slugs[key]),
            _list([_label(constraint) for constraint in setting.constraints]),
            json.encode(flags),
        ))
    left_out = data.get("left_out", {})
    for group in sorted(data.get("groups", {}) | left_out.get("groups", {})):
        lines.append(_choice("group_" + group, group_name(group), slugs))
    for extra in sorted(data.get("extras", {}) | left_out.get("extras", {})):
        lines.append(_choice("extra_" + extra, extra_name("", extra), slugs))
    lines.append(_choice("project", PROJECT, slugs))
    return "".join(lines)

def _choice(name, node, slugs):
    branches = {"//:is_" + name_of: "//_targets/%s:%s" % (name_of, node) for name_of in slugs.values()}
    branches["//conditions:default"] = ":no_target"
    return "alias(name = %s, actual = select(%s))\n" % (_quoted(name), json.encode(branches))

def _no_target(hub, what, slugs):
    return "no_target(name = \"no_target\", attribute = %s, targets = %s, visibility = [\"//visibility:private\"], what = %s)\n" % (
        _quoted("`targets` of crossdock.lock(name = \"%s\")" % hub),
        _list(slugs),
        _quoted(what),
    )

def package_build(hub, name, package, scripts, slugs):
    """Writes the BUILD file of a distribution.

    Args:
        hub: The hub's name.
        name: The distribution's name.
        package: What hub.json says of it.
        scripts: Names of console scripts.
        slugs: dict: for each key of a target its name.

    Returns:
        The text.
    """
    extras = sorted(package.get("extras", {}))
    lines = [
        _HEADER,
        _load("console_script.bzl", ["console_script"]),
        _load("missing.bzl", ["no_target"]),
        'package(default_visibility = ["//visibility:public"])\n',
        _choice(name, name, slugs),
        _choice("wheel", wheel_name(name), slugs) if name != "wheel" else "",
        _no_target(hub, "@%s//%s" % (hub, name), slugs),
    ]
    lines += [_choice("extra_" + extra, extra_name(name, extra), slugs) for extra in extras]
    for script in scripts:
        lines.append("console_script(name = %s, distribution = %s, package = %s, script = %s, tags = [\"manual\"])\n" % (
            _quoted("bin/" + script),
            _quoted(name),
            _quoted(":" + name),
            _quoted(script),
        ))
    return "".join(lines)

def target_build(nodes, repositories):
    """Writes the BUILD file of a target: all there is for it.

    Args:
        nodes: As `nodes_of` gives them.
        repositories: dict: for each SHA-256 the name of its wheel's repository.

    Returns:
        The text.
    """
    lines = [
        _HEADER,
        _load("missing.bzl", ["missing_wheel"]),
        _load("wheel_library.bzl", ["wheel_library"]),
        'package(default_visibility = ["//:__subpackages__"])\n',
    ]
    for name, node in sorted(nodes.items()):
        if node.missing:
            lines.append("missing_wheel(name = %s, message = %s)\n" % (_quoted(name), _quoted(node.missing)))
            continue
        attributes = ["name = " + _quoted(name)]
        if node.wheel:
            attributes.append("wheel = " + _quoted("@%s//:wheel" % repositories[node.wheel]))
        if node.deps:
            attributes.append("deps = " + _list([":" + dep for dep in node.deps]))
        lines.append("wheel_library(%s)\n" % ", ".join(attributes))
    return "".join(lines)

def scripts_of(name, listed):
    """Gives the names of console scripts that a distribution gets targets for.

    A lock does not say which ones there are; the wheel does, but looking would fetch it. Its own name is the likely one.

    Args:
        name: The distribution's name.
        listed: What the user names.

    Returns:
        Sorted names.
    """
    return sorted({script: None for script in [name, name.replace("-", "_")] + listed}.keys())

def _hub_repo_impl(rctx):
    data = json.decode(rctx.attr.data)
    hub = rctx.attr.hub
    slugs = {key: slug(key) for key in sorted(data["targets"])}
    rctx.file("BUILD.bazel", root_build(data, slugs) + _no_target(hub, "@%s" % hub, slugs), executable = False)
    for name, package in data["packages"].items():
        scripts = scripts_of(name, rctx.attr.scripts.get(name, []))
        rctx.file(name + "/BUILD.bazel", package_build(hub, name, package, scripts, slugs), executable = False)
    for key, name in slugs.items():
        nodes = nodes_of(hub, data, key)
        rctx.file("_targets/%s/BUILD.bazel" % name, target_build(nodes, rctx.attr.repositories), executable = False)
    return getattr(rctx, "repo_metadata", lambda **_: None)(reproducible = True)

hub_repo = repository_rule(
    implementation = _hub_repo_impl,
    doc = "The targets of a lock.",
    attrs = {
        "data": attr.string(mandatory = True, doc = "What hub.json holds."),
        "hub": attr.string(mandatory = True, doc = "The name users know this repository by."),
        "repositories": attr.string_dict(mandatory = True, doc = "For each SHA-256 of a wheel, the name of its repository."),
        "scripts": attr.string_list_dict(doc = "Names of further console scripts, for names of distributions."),
    },
)
