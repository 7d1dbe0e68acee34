"""The repository of a wheel. It is fetched when the wheel is needed, by its hash."""

load("@bazel_tools//tools/build_defs/repo:utils.bzl", "read_user_netrc", "use_netrc")
load(":host_python.bzl", "run_core_command")

_WHEEL = Label("//bazel/private:wheel.bzl")

def _local(rctx):
    """Gives the path of a wheel that is a file beside the lock, or None."""
    if not rctx.attr.path:
        return None
    path = rctx.path(rctx.attr.anchor).dirname.get_child(*rctx.attr.path.split("/"))
    if not path.exists:
        fail("%s: %s is not there\n  why: %s names it for %s\n  hint: put it there, or make the lock again" %
             (rctx.attr.filename, path, rctx.attr.anchor, rctx.attr.distribution))
    rctx.watch(path)
    return path

def _fetch(rctx, filename):
    """Fetches the wheel; gives what is known of it then, or None."""
    local = _local(rctx)
    if local:
        # Not downloaded from a `file:` URL, in which few characters of paths mean themselves.
        rctx.symlink(local, filename)
        arguments = ["wheel-info", rctx.path(filename), "--sha256", rctx.attr.sha256]
        return json.decode(run_core_command(rctx, "Reading %s" % local, arguments))
    urls = rctx.attr.urls
    auth = use_netrc(read_user_netrc(rctx), urls, {})

    # Without a URL this finds what Bazel's cache of repositories has by the hash; no index is asked then.
    if rctx.download(url = urls, auth = auth, output = filename, sha256 = rctx.attr.sha256, allow_fail = True).success:
        return None

    # The lock does not say where it is, or it is not there any more, or only users whom the index knows may read it.
    arguments = ["url", "--name", rctx.attr.distribution, "--filename", filename, "--sha256", rctx.attr.sha256]
    for url in urls:
        arguments += ["--tried", url]
    if rctx.attr.lock:
        arguments += ["--lock", rctx.path(rctx.attr.lock)]
    if rctx.attr.project:
        arguments += ["--project", rctx.path(rctx.attr.project)]
    what = "Looking for %s" % filename
    if urls:
        what += ", which could not be had from %s (Bazel's warning above says why)," % " or ".join([_shown(url) for url in urls])
    answer = json.decode(run_core_command(rctx, what, arguments))
    url = answer["url"]
    auth = {url: answer["auth"]} if answer["auth"] else use_netrc(read_user_netrc(rctx), [url], {})
    rctx.download(url = [url], auth = auth, output = filename, sha256 = rctx.attr.sha256)
    return None

def _shown(url):
    """Leaves out of a URL what may be secret."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return scheme + separator + host.split("@")[-1] + slash + path

def is_pure(filename):
    """Says whether a wheel is the same for every platform, as its name has it (PEP 427).

    Args:
        filename: The file's name.

    Returns:
        Whether it is.
    """
    return filename.removesuffix(".whl").split("-")[-2:] == ["none", "any"]

def wheel_build(info):
    """Writes the BUILD file of a wheel.

    Args:
        info: What is known of it.

    Returns:
        The text.
    """
    lines = [
        "# A wheel of a lock file.",
        "load(%s, \"wheel_file\")" % json.encode(str(_WHEEL)),
        "package(default_visibility = [\"//visibility:public\"])",
        "exports_files([%s])" % json.encode(info["filename"]),
        "wheel_file(",
        "    name = \"wheel\",",
        "    src = %s," % json.encode(info["filename"]),
        "    distribution = %s," % json.encode(info["name"]),
        "    file_size = %s," % json.encode(str(int(info["size"]))),
        "    pure = %s," % bool(info["pure"]),
        "    sha256 = %s," % json.encode(info["sha256"]),
        "    version = %s," % json.encode(info["version"]),
    ]
    if info.get("scripts") != None:
        lines += ["    scripts = %s," % json.encode(sorted(info["scripts"])), "    scripts_known = True,"]
    return "\n".join(lines + [")", ""])

def _wheel_repo_impl(rctx):
    filename = rctx.attr.filename
    if "/" in filename or "\\" in filename or not filename.endswith(".whl"):
        fail("%r is not the name of a wheel: make the lock, or its checked-in JSON, again" % filename)
    info = _fetch(rctx, filename)
    if info == None and rctx.attr.file_size:
        info = {"pure": is_pure(filename), "size": rctx.attr.file_size}
    elif info == None:
        info = json.decode(run_core_command(rctx, "Reading %s" % filename, ["wheel-info", rctx.path(filename)]))

    # Names and versions as the lock has them: what is made of the wheel says them.
    info |= {
        "filename": filename,
        "name": rctx.attr.distribution,
        "sha256": rctx.attr.sha256,
        "version": rctx.attr.version,
    }
    rctx.file("BUILD.bazel", wheel_build(info), executable = False)

    # A link to a file of this checkout is of no use to others, whom Bazel would hand it from its cache of repositories.
    return getattr(rctx, "repo_metadata", lambda **_: None)(reproducible = not rctx.attr.path)

wheel_repo = repository_rule(
    implementation = _wheel_repo_impl,
    doc = "A wheel.",
    attrs = {
        "anchor": attr.label(doc = "What `path` is relative to: the lock, or its checked-in JSON."),
        "distribution": attr.string(mandatory = True, doc = "Its name, normalised (PEP 503)."),
        "file_size": attr.string(doc = "Its bytes, if they are known."),
        "filename": attr.string(mandatory = True, doc = "Its file name."),
        "lock": attr.label(doc = "The lock that names it, to ask the user's index by."),
        "path": attr.string(doc = "Where it is, relative to `anchor`, if it is a file."),
        "project": attr.label(doc = "The project, which may name indexes."),
        "sha256": attr.string(mandatory = True, doc = "Its SHA-256, in hex."),
        "urls": attr.string_list(doc = "Where it is, if the lock says."),
        "version": attr.string(mandatory = True, doc = "Its version."),
    },
)
