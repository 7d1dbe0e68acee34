"""What the targets of a hub are, for each target that is built for: which wheel, and what it needs.

hub.json has no circles: where distributions need one another, each names the others' wheels alone.
"""

def extra_name(package, extra):
    """Names the target of an extra; distributions' names have no two underscores (PEP 503).

    Args:
        package: The distribution; empty for the project itself.
        extra: Its extra.

    Returns:
        The name.
    """
    return "%s__extra_%s" % (package, extra)

def group_name(group):
    """Names the target of a group.

    Args:
        group: The group.

    Returns:
        The name.
    """
    return "__group_%s" % group

def wheel_name(package):
    """Names the target of a wheel without what it needs.

    Args:
        package: The distribution.

    Returns:
        The name.
    """
    return "%s__wheel" % package

# The target of what the project itself needs.
PROJECT = "__project"

def ascii(text):
    """Gives a text without characters that Bazel's releases write in different ways (`legacy_utf8`).

    Args:
        text: The text.

    Returns:
        The text with three dots in place of each run of other characters than ASCII's.
    """
    pieces = []
    for character in text.elems():
        if character <= "~":
            pieces.append(character)
        elif not pieces or pieces[-1] != "...":
            pieces.append("...")
    return "".join(pieces)

def _node(wheel = None, deps = [], missing = None):
    return struct(deps = deps, missing = ascii(missing) if missing else None, wheel = wheel)

def nodes_of(hub, data, key):
    """Says what there is for a target.

    Args:
        hub: The hub's name, for messages.
        data: What hub.json holds.
        key: The target's key.

    Returns:
        dict: for each name a struct: `wheel` (SHA-256 or None), `deps` (list of names) and `missing` (message or None).
    """
    packages = data["packages"]
    nodes = {}
    for name, package in packages.items():
        sha256 = package.get("wheels", {}).get(key)
        missing = package.get("missing", {}).get(key)
        if missing and not sha256:
            nodes[name] = _node(missing = missing)
            nodes[wheel_name(name)] = _node(missing = missing)
        else:
            nodes[name] = _node(wheel = sha256, deps = _names(hub, packages, name, package.get("deps", {}).get(key, [])))
            nodes[wheel_name(name)] = _node(wheel = sha256)
        for extra, needed in package.get("extras", {}).items():
            further = _names(hub, packages, "%s[%s]" % (name, extra), needed.get(key, []))
            nodes[extra_name(name, extra)] = _node(deps = _unique([name] + further))
    for extra, needed in data.get("extras", {}).items():
        nodes[extra_name("", extra)] = _node(deps = _names(hub, packages, "the extra %s" % extra, needed.get(key, [])))
    for group, needed in data.get("groups", {}).items():
        nodes[group_name(group)] = _node(deps = _names(hub, packages, "the group %s" % group, needed.get(key, [])))
    for extra, message in data.get("left_out", {}).get("extras", {}).items():
        nodes[extra_name("", extra)] = _node(missing = message)
    for group, message in data.get("left_out", {}).get("groups", {}).items():
        nodes[group_name(group)] = _node(missing = message)
    nodes[PROJECT] = _node(deps = _names(hub, packages, "the project", data.get("project", {}).get(key, [])))
    return nodes

def _names(hub, packages, whose, needed):
    """Gives the names of targets for needs as hub.json has them: `NAME`, `NAME[EXTRA]`, and `=NAME`, a wheel alone."""
    names = []
    for text in needed:
        name, _, rest = text.removeprefix("=").partition("[")
        if name not in packages:
            fail("@%s: %s needs %s, which the lock does not have: make the lock, or its checked-in JSON, again" %
                 (hub, whose, name))
        if text.startswith("="):
            names.append(wheel_name(name))
            continue
        names.append(name)
        extra = rest.removesuffix("]")

        # An extra that a distribution does not have is nothing, as for pip.
        if extra in packages[name].get("extras", {}):
            names.append(extra_name(name, extra))
    return _unique(names)

def _unique(names):
    return {name: None for name in names}.keys()
