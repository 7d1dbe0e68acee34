"""What MODULE.bazel uses: locks and bases as repositories.

    crossdock = use_extension("@crossdock//bazel:extensions.bzl", "crossdock")
    crossdock.lock(
        name = "pypi",
        lock = "//:uv.lock",
        project = "//:pyproject.toml",
        targets = ["linux/amd64", "linux/arm64"],
    )
    crossdock.base(
        name = "debian_bookworm",
        base = "debian:bookworm",
        lock = "//:crossdock.lock",
        platforms = ["linux/amd64", "linux/arm64"],
    )
    use_repo(crossdock, "debian_bookworm", "pypi")
"""

load("//bazel/private:base_repo.bzl", "base_hub_repo", "base_repo")
load("//bazel/private:core_repo.bzl", "core_repo", "core_wheels_repo", "deflate_repo", "pex_repo")
load("//bazel/private:host_python.bzl", "host_python_repo")
load("//bazel/private:hub_repo.bzl", "hub_repo")
load("//bazel/private:hub_targets.bzl", "slug")
load("//bazel/private:lock_data.bzl", "is_made_offline", "overrides_of", "read_lock", "wheel_files")
load("//bazel/private:wheel_repo.bzl", "wheel_repo")

_lock = tag_class(
    doc = "Makes a repository of a lock file: `@NAME//DISTRIBUTION`, `@NAME//DISTRIBUTION:extra_EXTRA`, " +
          "`@NAME//DISTRIBUTION:bin/SCRIPT`, and of the project itself `@NAME//:project`, `@NAME//:group_GROUP`, `@NAME//:extra_EXTRA`.",
    attrs = {
        "extras": attr.string_list(doc = "Extras of the project that are meant, where some exclude each other."),
        "groups": attr.string_list(doc = "Groups that are meant, where some exclude each other."),
        "json": attr.label(
            doc = "What `crossdock bazel lock` has written of the lock. With it, no Python is run to read the lock.",
        ),
        "lock": attr.label(doc = "The lock: uv.lock, pylock.toml, poetry.lock, pdm.lock, requirements with hashes."),
        "name": attr.string(mandatory = True, doc = "Name of the repository."),
        "project": attr.label(doc = "The pyproject.toml the lock is of: overrides and settings in it count."),
        "scripts": attr.string_list_dict(
            doc = "Console scripts to make targets for, beside those named as their distribution: " +
                  "`{\"celery\": [\"celery-worker\"]}`.",
        ),
        "targets": attr.string_list(
            doc = "What is built for: platforms, with the oldest C library and the Python where they differ from the " +
                  "defaults of //bazel/config: `linux/arm64`, `linux/amd64+musl`, `linux/arm64+glibc2.31 3.12`.",
        ),
    },
)

_override = tag_class(
    doc = "Sets for a package of a lock what [tool.crossdock.packages] in pyproject.toml would.",
    attrs = {
        "dependencies": attr.string_list(
            doc = "What it needs beyond what the lock says, all of it locked: `NAME`, `NAME[EXTRA]`, `NAME; MARKER`.",
        ),
        "hub": attr.string(mandatory = True, doc = "Name of the lock's repository."),
        "ignore_dependencies": attr.string_list(doc = "Names of what it does not need after all."),
        "package": attr.string(mandatory = True, doc = "Name of the package."),
    },
)

_base = tag_class(
    doc = "Makes a base of images: `@NAME//:base`.",
    attrs = {
        "base": attr.string(doc = "The base, as in `debian:bookworm` or `python:3.12-slim`; or `project`."),
        "lock": attr.label(mandatory = True, doc = "crossdock.lock, which pins it."),
        "name": attr.string(mandatory = True, doc = "Name of the repository."),
        "platforms": attr.string_list(mandatory = True, doc = "For which platforms: `linux/amd64`, `linux/arm64`."),
        "project": attr.label(doc = "The pyproject.toml that names the base in [tool.crossdock]; or `base`."),
    },
)

def _make_wheels(locks):
    """Declares the wheels' repositories: one for each file, however many locks have it."""
    repositories = {}
    for sha256, file in wheel_files(locks).items():
        # Names of distributions are kept, so that queries can be searched for them.
        name = "whl_%s_%s" % (file.name.replace("-", "_"), sha256[:16])
        repositories[sha256] = name
        wheel_repo(
            name = name,
            anchor = file.anchor,
            distribution = file.name,
            filename = file.filename,
            lock = file.lock,
            path = file.path,
            project = file.project,
            sha256 = sha256,
            file_size = file.size,
            urls = file.urls,
            version = file.version,
        )
    return repositories

def _make_base(tag):
    if bool(tag.base) == bool(tag.project):
        fail("crossdock.base(name = %r) needs one of `base`, the base's name, and `project`, a pyproject.toml" % tag.name)
    repositories = {}
    for platform in tag.platforms:
        repositories[platform] = "%s__%s" % (tag.name, slug(platform))
        base_repo(
            name = repositories[platform],
            base = tag.base,
            hub = tag.name,
            lock = tag.lock,
            platform = platform,
            project = tag.project,
        )
    base_hub_repo(name = tag.name, hub = tag.name, repositories = repositories)

def _check_name(names, name, module):
    if name in names:
        fail("\n".join([
            "%r is asked for twice, by the module %s" % (name, module if names[name] == module else "%s and the module %s" % (names[name], module)),
            "  why: repositories that crossdock makes have one name for all modules of a build",
            "  hint: choose another name in your own module; modules that others depend on put theirs before it, as in " +
            "name = \"%s_%s\"" % (module, name),
        ]))
    names[name] = module

def _crossdock_impl(mctx):
    names = {}
    locks = []
    direct = {True: [], False: []}
    overrides = overrides_of(mctx.modules)
    for module in mctx.modules:
        for tag in module.tags.lock + module.tags.base:
            _check_name(names, tag.name, module.name)
            if module.is_root:
                direct[mctx.is_dev_dependency(tag)].append(tag.name)
        for tag in module.tags.lock:
            locks.append(struct(tag = tag, data = read_lock(mctx, tag, overrides.get(tag.name, {}))))
        for tag in module.tags.base:
            _make_base(tag)
    repositories = _make_wheels(locks)
    for lock in locks:
        hub_repo(
            name = lock.tag.name,
            # Where files are is their own repositories' concern.
            data = json.encode({part: value for part, value in lock.data.items() if part not in ["files", "lock"]}),
            hub = lock.tag.name,
            repositories = {sha256: repositories[sha256] for sha256 in lock.data["files"]},
            scripts = lock.tag.scripts,
        )
    return mctx.extension_metadata(
        # What an index says may change; MODULE.bazel.lock keeps it then.
        reproducible = all([lock.tag.json or is_made_offline(lock.data) for lock in locks]),
        root_module_direct_deps = direct[False],
        root_module_direct_dev_deps = direct[True],
    )

crossdock = module_extension(
    implementation = _crossdock_impl,
    doc = "Locks and bases as repositories.",
    tag_classes = {"base": _base, "lock": _lock, "override": _override},
)

_python = tag_class(
    doc = "Names the Python that reads locks and makes repositories; the root module's counts. " +
          "The environment variable CROSSDOCK_PYTHON has precedence.",
    attrs = {
        "interpreter": attr.label(doc = "A file of another repository, as in `@python_3_12_host//:python`."),
        "path": attr.string(doc = "A path, or a name in PATH."),
    },
)

_CORE_REPOSITORIES = [
    "crossdock_core",
    "crossdock_core_wheels",
    "crossdock_deflate",
    "crossdock_host",
    "crossdock_pex",
]

def _crossdock_core_impl(mctx):
    tags = [tag for module in mctx.modules if module.is_root for tag in module.tags.python]
    if len(tags) > 1:
        fail("crossdock_core.python is there %d times, but there is one Python: keep one of them" % len(tags))
    for tag in tags:
        if bool(tag.interpreter) == bool(tag.path):
            fail("crossdock_core.python needs one of `interpreter`, a label, and `path`")
    host_python_repo(
        name = "crossdock_host",
        interpreter = tags[0].interpreter if tags else None,
        path = tags[0].path if tags else "",
    )
    core_wheels_repo(name = "crossdock_core_wheels")
    core_repo(name = "crossdock_core")
    deflate_repo(name = "crossdock_deflate")
    pex_repo(name = "crossdock_pex")

    # These are for this module alone.
    own = any([module.is_root and module.name == "crossdock" for module in mctx.modules])
    return mctx.extension_metadata(
        reproducible = True,
        root_module_direct_deps = _CORE_REPOSITORIES if own else [],
        root_module_direct_dev_deps = [],
    )

crossdock_core = module_extension(
    implementation = _crossdock_core_impl,
    doc = "crossdock's own program, and the Python that runs it on this machine.",
    tag_classes = {"python": _python},
)
