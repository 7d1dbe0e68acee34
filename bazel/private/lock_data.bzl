"""What a lock says, as the module extension reads it: from the lock, or from checked-in JSON."""

load(":host_python.bzl", "run_core_command")
load(":hub_targets.bzl", "settings_of", "with_defaults")

_VERSION = 1

def read_lock(mctx, tag):
    """Reads what hub.json says of a lock.

    Args:
        mctx: module_ctx.
        tag: The tag `lock`.

    Returns:
        What it holds, checked; or fails.
    """
    where = "crossdock.lock(name = %r)" % tag.name
    if tag.json:
        data = json.decode(mctx.read(tag.json))
        if tag.targets or tag.extras or tag.groups:
            fail("%s has `json`, which says what it is for: leave `targets`, `extras` and `groups` out, " % where +
                 "and give them to `crossdock bazel lock`")
    elif not tag.lock:
        fail("%s needs `lock`, a lock file, or `json`, what `crossdock bazel lock` has written of one" % where)
    elif not tag.targets:
        fail("%s needs `targets`: what is built for, as in [\"linux/amd64\", \"linux/arm64\"]" % where)
    else:
        data = _run_hub(mctx, tag, where)
    return check_data(data, where)

def _run_hub(mctx, tag, where):
    mctx.watch(tag.lock)
    out = mctx.path("%s.hub.json" % tag.name)
    arguments = ["hub", "--lock", mctx.path(tag.lock), "--out", out]
    if tag.project:
        mctx.watch(tag.project)
        arguments += ["--project", mctx.path(tag.project)]
    for target in tag.targets:
        arguments += ["--target", with_defaults(target)]
    for option, values in {"--extra": tag.extras, "--group": tag.groups}.items():
        for value in values:
            arguments += [option, value]
    run_core_command(mctx, where, arguments)
    return json.decode(mctx.read(out, watch = "no"))

def check_data(data, where):
    """Checks what was read.

    Args:
        data: What hub.json holds.
        where: Who wants it, for messages.

    Returns:
        The data; or fails.
    """
    if type(data) != "dict" or data.get("version") != _VERSION:
        fail("%s: the JSON is not of version %d: write it again with `crossdock bazel lock`" % (where, _VERSION))
    for part in ["files", "packages", "targets"]:
        if type(data.get(part)) != "dict":
            fail("%s: the JSON has no %r: write it again with `crossdock bazel lock`" % (where, part))
    for name, package in data["packages"].items():
        for key, sha256 in package.get("wheels", {}).items():
            if sha256 and sha256 not in data["files"]:
                fail("%s: the JSON has no file for %s on %s: write it again with `crossdock bazel lock`" % (where, name, key))
    settings_of(data["targets"])
    return data

def wheel_files(locks):
    """Joins the wheels of all locks: one for each SHA-256.

    Args:
        locks: structs of `tag` and `data`.

    Returns:
        dict: for each SHA-256 a struct for `wheel_repo`.
    """
    found = {}
    for lock in locks:
        for sha256, file in lock.data["files"].items():
            known = found.get(sha256)
            url = file.get("url")
            found[sha256] = struct(
                name = known.name if known else file["name"],
                version = known.version if known else file["version"],
                filename = known.filename if known else file["filename"],
                anchor = known.anchor if known else lock.tag.lock or lock.tag.json,
                lock = known.lock if known else lock.tag.lock,
                project = known.project if known else lock.tag.project,
                path = known.path if known else file.get("path") or "",
                size = known.size if known else str(file["size"]) if file.get("size") else "",
                urls = (known.urls if known else []) + ([url] if url and not (known and url in known.urls) else []),
            )
    return found
