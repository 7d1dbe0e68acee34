"""The repositories of crossdock's own program: the zipapp, and what is fetched for it by hash."""

load(":host_python.bzl", "HOST_CORE", "run_python")

_BOOTSTRAP = Label("//bazel/private:bootstrap.py")
_PREBUILT = "crossdock.pyz"

def _source(rctx):
    """Gives the folder of this module's source."""
    return rctx.path(_BOOTSTRAP).dirname.dirname.dirname.get_child("src")

def _cached(rctx, requirements):
    """Takes wheels by their hashes from Bazel's cache of repositories; gives their paths, or None if it has not all."""
    paths = []
    for line in rctx.read(requirements).splitlines():
        if not line or line.startswith("#"):
            continue
        parts = line.split(" --hash=sha256:")
        path = "wheels/%s.whl" % parts[0].replace("==", "-")

        # Which of several hashes is that of this machine's wheel is for its name to say, which an index knows.
        if len(parts) != 2 or not rctx.download(url = [], output = path, sha256 = parts[1], allow_fail = True).success:
            return None
        paths.append(path)
    return paths

def _fetch(rctx, requirements, host = None):
    """Fetches wheels by hash from the user's index into the folder `wheels`; gives their paths."""
    rctx.watch(_BOOTSTRAP)
    rctx.watch(requirements)
    cached = _cached(rctx, requirements)
    if cached:
        return cached
    arguments = [
        rctx.path(_BOOTSTRAP),
        "resolve",
        "--requirements",
        rctx.path(requirements),
        "--source",
        _source(rctx),
    ]
    answer = run_python(rctx, "Looking for wheels of crossdock", arguments + (["--host", host] if host else []))
    paths = []
    for file in json.decode(answer):
        path = "wheels/%s.whl" % file["requirement"].replace("==", "-")
        rctx.download(
            url = [file["url"]],
            auth = {file["url"]: file["auth"]} if file["auth"] else {},
            output = path,
            sha256 = file["sha256"],
        )
        paths.append(path)
    return paths

def _reproducible(rctx, reproducible = True):
    return getattr(rctx, "repo_metadata", lambda **_: None)(reproducible = reproducible)

def _core_wheels_repo_impl(rctx):
    _fetch(rctx, Label("//bazel/private:core.requirements.txt"))
    rctx.file("BUILD.bazel", "# Wheels that the zipapp is made of.\n", executable = False)
    return _reproducible(rctx)

core_wheels_repo = repository_rule(
    implementation = _core_wheels_repo_impl,
    doc = "The wheels that the zipapp is made of.",
)

def _watch_sources(rctx, top):
    """Lets the repository be made again when a source file changes, comes or goes; bytecode is none."""
    folders = [top]
    for place in range(10000):
        if place == len(folders):
            return
        for path in folders[place].readdir(watch = "yes"):
            if path.basename == "__pycache__" or path.basename.startswith("."):
                continue
            if path.is_dir:
                folders.append(path)
            else:
                rctx.watch(path)

def _compile_for_host(rctx):
    """Makes a copy with bytecode for what runs on this machine at repository time; no action sees it."""
    script = rctx.path(Label("//bazel/private:compile_core.py"))
    rctx.watch(script)
    run_python(rctx, "Compiling crossdock", ["-S", script, rctx.path("crossdock.pyz"), rctx.path(HOST_CORE)])

def _core_repo_impl(rctx):
    prebuilt = rctx.path(_BOOTSTRAP).dirname.get_child(_PREBUILT)
    if prebuilt.exists:
        rctx.watch(prebuilt)
        rctx.symlink(prebuilt, "crossdock.pyz")
    else:
        wheels = rctx.path(Label("@crossdock_core_wheels//:BUILD.bazel")).dirname.get_child("wheels")
        requirements = Label("//bazel/private:core.requirements.txt")
        rctx.watch(_BOOTSTRAP)
        rctx.watch(requirements)
        _watch_sources(rctx, _source(rctx).get_child("crossdock"))
        run_python(rctx, "Making crossdock.pyz", [
            rctx.path(_BOOTSTRAP),
            "pack",
            "--requirements",
            rctx.path(requirements),
            "--source",
            _source(rctx),
            "--wheels",
            wheels,
            "--out",
            rctx.path("crossdock.pyz"),
        ])
        _compile_for_host(rctx)
    rctx.file(
        "BUILD.bazel",
        "exports_files([\"crossdock.pyz\"], visibility = [\"//visibility:public\"])\n",
        executable = False,
    )

    # A link to another repository of this output base is of no use to others.
    return _reproducible(rctx, not prebuilt.exists)

core_repo = repository_rule(
    implementation = _core_repo_impl,
    doc = "crossdock.pyz: the one of a release archive, or made of this module's source.",
)

def _pex_repo_impl(rctx):
    path = _fetch(rctx, Label("//bazel/private:pex.requirements.txt"))[0]
    rctx.file(
        "BUILD.bazel",
        "\n".join([
            "package(default_visibility = [\"//visibility:public\"])",
            "exports_files([%r])" % path,
            "alias(name = \"pex.whl\", actual = %r)" % path,
            "",
        ]),
        executable = False,
    )
    return _reproducible(rctx)

pex_repo = repository_rule(
    implementation = _pex_repo_impl,
    doc = "The wheel of pex whose runtime PEX files boot by.",
)

def _deflate_repo_impl(rctx):
    core = rctx.path(Label("@crossdock_core//:crossdock.pyz"))
    path = _fetch(rctx, Label("//bazel/private:deflate.requirements.txt"), host = core)[0]
    rctx.symlink(path, "deflate.zip")  # the name says how it is packed
    rctx.extract("deflate.zip", output = "site")
    rctx.file("BUILD.bazel", "# The encoder, for this machine's Python.\n", executable = False)

deflate_repo = repository_rule(
    implementation = _deflate_repo_impl,
    doc = "The encoder that repositories of bases need, unpacked for the host's Python in the folder `site`.",
    configure = True,
)
