"""What hub.json may hold: it may be checked in, and then anybody may have changed it."""

load(":hub_targets.bzl", "settings_of")

_VERSION = 1
_AGAIN = "write it again with `crossdock bazel lock`"
_HEX = "0123456789abcdef"
_NAME = "abcdefghijklmnopqrstuvwxyz0123456789.-_"

# After a name, where one has several versions: NAME@VERSION, in which an epoch and a local label may be (PEP 440).
_VERSIONED = _NAME + "@+!~"

def check_data(data, where, folder = []):
    """Checks what was read.

    Args:
        data: What hub.json holds.
        where: Who wants it, for messages.
        folder: list: the folders that paths start from, from the root of the repository.

    Returns:
        The data; or fails.
    """
    if type(data) != "dict" or data.get("version") != _VERSION:
        fail("%s: the JSON is not of version %d: %s" % (where, _VERSION, _AGAIN))
    problem = data_problem(data, folder)
    if problem:
        fail("%s: in the JSON %s: %s" % (where, problem, _AGAIN))
    settings_of(data["targets"])
    return data

def data_problem(data, folder):
    """Says what is wrong with what was read: names become those of folders and targets, and places are read from.

    Args:
        data: What hub.json holds.
        folder: As in `check_data`.

    Returns:
        What is wrong, or None.
    """
    for part in ["files", "packages", "targets"]:
        if type(data.get(part)) != "dict":
            return "is no %r" % part
    for part in ["extras", "groups", "left_out", "lock", "project"]:
        if type(data.get(part, {})) != "dict":
            return "%r is not an object" % part
    for key, facts in data["targets"].items():
        if type(facts) != "dict" or [name for name in ["cpu", "os", "python"] if type(facts.get(name)) != "string"]:
            return "the target %r does not say its os, cpu and python" % key
    for sha256, file in data["files"].items():
        problem = _file_problem(sha256, file, folder)
        if problem:
            return "the file %r %s" % (sha256, problem)
    for name, package in data["packages"].items():
        problem = _package_problem(data, name, package)
        if problem:
            return "the package %r %s" % (name, problem)
    left_out = data.get("left_out", {})
    for part in [data.get("extras", {}), data.get("groups", {}), left_out.get("extras", {}), left_out.get("groups", {})]:
        for name in part:
            if not _is_name(name, _NAME):
                return "%r is not the name of an extra or group" % name
    return None

def _is_name(text, characters):
    if type(text) != "string" or not text or text[0] not in _NAME[:36] or ".." in text:
        return False
    return all([character in characters for character in text.elems()])

def _file_problem(sha256, file, folder):
    if len(sha256) != 64 or [digit for digit in sha256.elems() if digit not in _HEX]:
        return "is not named by a SHA-256"
    if type(file) != "dict" or not _is_name(file.get("name"), _NAME) or type(file.get("version")) != "string":
        return "has no name or version"
    filename = file.get("filename")
    if type(filename) != "string" or not filename.endswith(".whl") or "/" in filename or "\\" in filename:
        return "is called %r, and that is not the name of a wheel" % filename
    url = file.get("url")
    if url != None and (type(url) != "string" or not url.startswith(("http://", "https://"))):
        return "is at %r, and that is not a URL of the web" % url
    if type(file.get("size") or 0) != "int":
        return "has %r bytes" % file["size"]
    path = file.get("path")
    if path != None and (type(path) != "string" or not _is_inside(path, len(folder))):
        return "is at %r, and that is not within the repository" % path
    return None

def _is_inside(path, depth):
    """Whether a path does not leave the repository, from so many folders below its root."""
    if not path or path.startswith("/") or "\\" in path or ":" in path.partition("/")[0]:
        return False
    for part in path.split("/"):
        depth += -1 if part == ".." else 0 if part in ["", "."] else 1
        if depth < 0:
            return False
    return True

def _package_problem(data, name, package):
    if not _is_name(name, _VERSIONED) or type(package) != "dict":
        return "is not named as a package"
    for part in ["deps", "extras", "missing", "wheels"]:
        if type(package.get(part, {})) != "dict":
            return "has %s that are no object" % part
    for extra in package.get("extras", {}):
        if not _is_name(extra, _NAME):
            return "has an extra that is called %r" % extra
    for key, sha256 in package.get("wheels", {}).items():
        if key not in data["targets"]:
            return "has a wheel for %r, which is no target" % key
        if sha256 and sha256 not in data["files"]:
            return "has a wheel for %s that is not among the files" % key
    return None
