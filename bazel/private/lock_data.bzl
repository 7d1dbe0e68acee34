"""What a lock says, as the module extension reads it: from the lock, or from checked-in JSON."""

load(":flags.bzl", "FLAG_DEFAULTS")
load(":host_python.bzl", "run_core_command")
load(":hub_json.bzl", "check_data")

_MOST_INCLUDED = 1000

def read_lock(mctx, tag, overrides = {}):
    """Reads what hub.json says of a lock.

    Args:
        mctx: module_ctx.
        tag: The tag `lock`.
        overrides: dict: for names of packages what is set for them.

    Returns:
        What it holds, checked; or fails.
    """
    where = "crossdock.lock(name = %r)" % tag.name
    if tag.json:
        if tag.targets or tag.extras or tag.groups:
            fail("%s has `json`, which says what it is for: leave `targets`, `extras` and `groups` out, " % where +
                 "and give them to `crossdock bazel lock`")
        if overrides:
            fail("%s has `json`, which has the dependencies in it: write what crossdock.override sets for %s " % (where, ", ".join(overrides)) +
                 "to [tool.crossdock.packages] in pyproject.toml, and run `crossdock bazel lock`")
        if not mctx.path(tag.json).exists:
            fail("%s: there is no %s: write it by `crossdock bazel lock`, and commit it" % (where, mctx.path(tag.json)))
        data = json.decode(mctx.read(tag.json), default = None)
    elif not tag.lock:
        fail("%s needs `lock`, a lock file, or `json`, what `crossdock bazel lock` has written of one" % where)
    elif not tag.targets:
        fail("%s needs `targets`: what is built for, as in [\"linux/amd64\", \"linux/arm64\"]" % where)
    else:
        data = _run_hub(mctx, tag, overrides, where)
    return check_data(data, where, _folder(tag.lock or tag.json))

def _folder(label):
    """Gives the folders that a file is in, from the root of its repository."""
    return [part for part in (label.package + "/" + label.name).split("/")[:-1] if part]

def _run_hub(mctx, tag, overrides, where):
    _watch_lock(mctx, mctx.path(tag.lock))
    out = mctx.path("%s.hub.json" % tag.name)
    arguments = ["hub", "--lock", mctx.path(tag.lock), "--out", out, "--python", FLAG_DEFAULTS["python_version"]]
    if tag.project:
        mctx.watch(tag.project)
        arguments += ["--project", mctx.path(tag.project)]
    if overrides:
        settings = mctx.path("%s.overrides.json" % tag.name)
        mctx.file(settings, json.encode(overrides), executable = False)
        arguments += ["--overrides", settings]
        where += ", with what crossdock.override sets for %s in the place of [tool.crossdock.packages]," % ", ".join(overrides)
    for option, values in {"--extra": tag.extras, "--group": tag.groups, "--target": tag.targets}.items():
        for value in values:
            arguments += [option, value]
    run_core_command(mctx, where, arguments)
    data = json.decode(mctx.read(out, watch = "no"))
    for file in data["files"].values():
        if file["path"]:
            mctx.watch(mctx.path(tag.lock).dirname.get_child(*file["path"].split("/")))
    return data

def _watch_lock(mctx, lock):
    """Watches a lock, and the files that a requirements file includes; whether it may is the program's to say."""
    todo = [lock]
    for number in range(_MOST_INCLUDED):
        if number == len(todo):
            break
        path = todo[number]
        mctx.watch(path)
        if path.basename.endswith((".lock", ".toml")) or not path.exists:
            continue
        for included in included_files(mctx.read(path)):
            other = path.dirname.get_child(*included.split("/"))
            if str(other) not in [str(known) for known in todo]:
                todo.append(other)

def included_files(text):
    """Finds what a requirements file includes.

    Args:
        text: The file's content.

    Returns:
        A list of paths, as they are written.
    """
    found = []
    for line in text.splitlines():
        line = line.partition(" #")[0].strip()
        for option in ["--requirement", "--constraint", "-r", "-c"]:
            path = line.removeprefix(option).lstrip("= \t").strip("\"'")
            if line.startswith(option) and path and not path.startswith("/") and "://" not in path:
                found.append(path)
                break
    return found

def is_made_offline(data):
    """Says whether all that is known of a lock is from files of the repository.

    Args:
        data: What hub.json holds.

    Returns:
        Whether it is; else an index was asked.
    """
    return data.get("lock", {}).get("inputs") == None

def overrides_of(modules):
    """Collects the tags `override`.

    Args:
        modules: list of `bazel_module`.

    Returns:
        dict: for each name of a hub a dict from names of packages to what is set for them; or fails.
    """
    hubs = {tag.name: module for module in modules for tag in module.tags.lock}
    found = {}
    for module in modules:
        for tag in module.tags.override:
            where = "crossdock.override(hub = %r, package = %r)" % (tag.hub, tag.package)
            if tag.hub not in hubs:
                fail("%s: there is no crossdock.lock of that name; there is %s" % (where, ", ".join(sorted(hubs)) or "none"))
            if not module.is_root and hubs[tag.hub].name != module.name:
                fail("%s: the module %s may set nothing for a hub of the module %s: only that one and the root module may" %
                     (where, module.name, hubs[tag.hub].name))
            if tag.package in found.get(tag.hub, {}):
                fail("%s is there twice: keep one, with all that is to be set" % where)
            settings = {"dependencies": tag.dependencies, "ignore-dependencies": tag.ignore_dependencies}
            found.setdefault(tag.hub, {})[tag.package] = {key: value for key, value in settings.items() if value}
    return found

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
