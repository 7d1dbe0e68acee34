"""The targets of a hub: what they are called, and how `select()` tells them from one another."""

_OS = {"darwin": "osx", "linux": "linux", "macos": "osx", "windows": "windows"}
_CPU = {
    "386": "x86_32",
    "aarch64": "aarch64",
    "amd64": "x86_64",
    "arm": "armv7",
    "arm64": "aarch64",
    "armv7": "armv7",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "x86_32": "x86_32",
    "x86_64": "x86_64",
}
_LIBC = ["glibc", "musl"]

def slug(key):
    """Makes a target's name of its key.

    Args:
        key: As in hub.json: `linux/arm64+glibc2.28 cp311`.

    Returns:
        `linux_arm64_glibc2.28_cp311`.
    """
    return "".join([c if c.isalnum() or c in ".-" else "_" for c in key.elems()])

def setting_of(key, facts):
    """Says what `select()` tells a target by.

    Args:
        key: The target's key.
        facts: What hub.json says of it.

    Returns:
        A struct of `constraints`, short labels, and `flags`, a dict; or fails.
    """
    if facts.get("implementation", "cpython") != "cpython":
        fail("the target %r is not of CPython, and only that can be built for with Bazel" % key)
    if facts["os"] not in _OS or facts["cpu"] not in _CPU:
        fail("the target %r has %s/%s, which @platforms has no names for" % (key, facts["os"], facts["cpu"]))
    constraints = ["@platforms//cpu:" + _CPU[facts["cpu"]], "@platforms//os:" + _OS[facts["os"]]]
    flags = {"freethreaded": str(bool(facts.get("freethreaded"))), "python_version": facts["python"]}
    kind = "macos" if _OS[facts["os"]] == "osx" else facts.get("libc")
    if kind in _LIBC:
        constraints.append("//platforms/libc:" + kind)
    if kind and facts.get("floor"):
        flags[kind] = facts["floor"]
    return struct(constraints = sorted(constraints), flags = flags)

def settings_of(targets):
    """Says what `select()` tells targets by; fails if it cannot tell two of them apart.

    Args:
        targets: dict: hub.json's.

    Returns:
        dict: for each key its setting.
    """
    settings = {}
    keys = {}
    for key, facts in sorted(targets.items()):
        setting = setting_of(key, facts)
        same = keys.get(repr(setting))
        if same:
            fail("the targets %r and %r are one to Bazel: both are chosen by %s and %s. Keep one of them." %
                 (same, key, ", ".join(setting.constraints), ", ".join(["%s=%s" % flag for flag in sorted(setting.flags.items())])))
        keys[repr(setting)] = key
        settings[key] = setting
    return settings

def constraints_of_platform(platform):
    """Says which constraints stand for a platform of a base.

    Args:
        platform: `linux/arm64`, with a C library if it is to be told by that, too: `linux/arm64+musl`.

    Returns:
        A list of labels; or fails.
    """
    name, _, floor = platform.lower().partition("+")
    parts = name.split("/")
    if len(parts) not in [2, 3] or parts[0] not in _OS or parts[1] not in _CPU:
        fail("%r is not a platform of a base: write linux/amd64, linux/arm64, say, with +musl if it has that C library" % platform)
    constraints = ["@platforms//cpu:" + _CPU[parts[1]], "@platforms//os:" + _OS[parts[0]]]
    return constraints + ["//platforms/libc:" + kind for kind in _LIBC if floor.startswith(kind)]
