"""What targets, files and repositories are called."""

# Platforms by the ending of names: `app_linux_arm64` is `app` for `//platforms:linux_arm64`.
PLATFORMS = {
    "linux_amd64": Label("//platforms:linux_x86_64"),
    "linux_amd64_musl": Label("//platforms:linux_x86_64_musl"),
    "linux_arm64": Label("//platforms:linux_arm64"),
    "linux_arm64_musl": Label("//platforms:linux_arm64_musl"),
    "macos_amd64": Label("//platforms:macos_x86_64"),
    "macos_arm64": Label("//platforms:macos_arm64"),
    "windows_amd64": Label("//platforms:windows_x86_64"),
}

DEFAULT_PLATFORMS = ["linux/amd64", "linux/arm64"]

def platform_name(spelling):
    """Finds the name of a platform by one of its spellings.

    Args:
        spelling: `linux/arm64`, `linux_arm64`, `linux/aarch64`, `linux/amd64+musl`, `macos/arm64`, …

    Returns:
        A key of `PLATFORMS`, or None.
    """
    name = spelling.lower().replace("/", "_").replace("+", "_")
    name = name.replace("x86_64", "amd64").replace("aarch64", "arm64")
    if name.startswith("darwin_"):
        name = "macos_" + name[len("darwin_"):]
    return name if name in PLATFORMS else None

def _label(platform):
    """The label of a platform, and what is wrong."""
    if type(platform) != "string":
        return platform, None
    name = platform_name(platform)
    if name:
        return PLATFORMS[name], None
    if platform.startswith("//") or platform.startswith("@") or platform.startswith(":"):
        return platform, None
    return None, "there is no platform %r; take one of %s, or the label of a `platform` target" % (
        platform,
        ", ".join(sorted(PLATFORMS)),
    )

def platform_label(platform, where):
    """Finds the label of a platform.

    Args:
        platform: str or Label: a spelling, or the label of any `platform` target.
        where: str: the target and attribute that name it, for the error.

    Returns:
        A label; one that was given as a string stays one.
    """
    label, problem = _label(platform)
    if problem:
        fail("%s: %s" % (where, problem))
    return label

def find_variants(platforms):
    """Finds what names end in for some platforms.

    Args:
        platforms: list of spellings; or a dict from endings to spellings or labels, for platforms of one's own.

    Returns:
        A dict from endings, as in `linux_arm64`, to labels of platforms; and what is wrong, or None.
    """
    if not platforms:
        return {}, "it is empty: name at least one platform, as in %r" % DEFAULT_PLATFORMS
    named = type(platforms) == "dict"
    variants = {}
    for ending, platform in (platforms.items() if named else [(platform_name(str(item)), item) for item in platforms]):
        label, problem = _label(platform)
        if problem:
            return {}, problem
        if not ending:
            return {}, "what are names for %s to end in? Say it by a dict, as in {\"linux_mine\": %r}" % (platform, str(platform))
        if ending in variants:
            return {}, "%r is there twice" % ending
        variants[ending] = label
    return variants, None

def platform_variants(platforms, where):
    """Finds what names end in for some platforms, or fails.

    Args:
        platforms: as `find_variants` takes them.
        where: str: the target and attribute that name them, for errors.

    Returns:
        A dict from endings to labels of platforms.
    """
    variants, problem = find_variants(platforms)
    if problem:
        fail("%s: %s" % (where, problem))
    return variants

# buildifier: disable=unnamed-macro
def local_name(binary):
    """Finds the name of a target, if it is of the package whose BUILD file is read.

    Args:
        binary: str or Label, however it is spelled.

    Returns:
        A string, or None if it is another package's.
    """
    label = native.package_relative_label(binary)
    return label.name if label == native.package_relative_label(":" + label.name) else None

def platform_binary_name(name, ending, existing):
    """Finds what multiplatform_py_binary has made of a name for a platform.

    Args:
        name: str: the name.
        ending: str: the platform's, as in `platform_variants`.
        existing: dict: the rules that the package has so far, by name.

    Returns:
        A string, or None if it has made nothing of it.
    """
    own = "%s_%s" % (name, ending)
    return own if own in existing and existing[own]["kind"] == "platform_binary" else None

# buildifier: disable=unnamed-macro
def binary_for(binary, ending):
    """Finds the binary for a platform: what multiplatform_py_binary has made of the name, if it stands above in this package.

    If not, it is built for the platform as it is, which gives the same files, but takes toolchains of that platform.

    Args:
        binary: str or Label: the binary that is asked for.
        ending: str or None: the platform's, as in `platform_variants`.

    Returns:
        A label.
    """
    name = local_name(binary)
    if not name or not ending or name.endswith("_" + ending):
        # Nor is it looked for, which Bazel allows in no symbolic macro.
        return binary
    own = platform_binary_name(name, ending, native.existing_rules())
    return ":" + own if own else binary

def image_ending(ending):
    """Shortens a platform's ending for images, which are for Linux: `linux_arm64` becomes `arm64`.

    Args:
        ending: str: as in `platform_variants`.

    Returns:
        A string.
    """
    return ending[len("linux_"):] if ending.startswith("linux_") else ending

def clean_name(binary):
    """Finds the name of an application by that of its binary.

    Args:
        binary: str or Label: the binary, perhaps one of a platform's.

    Returns:
        The target's name without the platform's ending.
    """
    name = str(binary).split(":")[-1].split("/")[-1]
    for ending in sorted(PLATFORMS, key = len, reverse = True):
        if name.endswith("_" + ending):
            return name[:-len(ending) - 1]
    return name

def find_main(name, srcs, main = None):
    """Finds the file that a binary runs.

    That is the first one called `main.py`, `<name>.py` or `…_main.py`; else the only one there is.

    Args:
        name: str: the binary's name.
        srcs: list of labels.
        main: label, if one was given.

    Returns:
        A label, and what is wrong, or None.
    """
    if main:
        return main, None
    if type(srcs) not in ("list", "tuple"):
        return None, "main is not given, and srcs is a %s, in which it cannot be looked for: name it, as in main = \"main.py\"" % type(srcs)
    for src in srcs:
        base = str(src).split(":")[-1].split("/")[-1]
        if base in ("main.py", name + ".py") or base.endswith("_main.py"):
            return src, None
    if len(srcs) == 1:
        return srcs[0], None
    if not srcs:
        return None, "there is nothing to run, since srcs is empty: list the file in srcs, as in srcs = [\"main.py\"]"
    return None, "which of these is run is not clear: %s; none is called main.py or %s.py. Name it, as in main = %r" % (
        ", ".join([str(src) for src in srcs]),
        name,
        str(srcs[0]),
    )

def infer_main(name, srcs, main, where):
    """Finds the file that a binary runs, or fails.

    Args:
        name: str: as `find_main` takes it.
        srcs: likewise.
        main: likewise.
        where: str: what the target is called in an error.

    Returns:
        A label.
    """
    found, problem = find_main(name, srcs, main)
    if problem:
        fail("%s: %s" % (where, problem))
    return found
