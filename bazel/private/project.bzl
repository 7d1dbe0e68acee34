"""A project with a pyproject.toml, whose own wheel is built by its own backend."""

load(":app_aspect.bzl", "app_aspect")
load(":core.bzl", "CORE_ATTRS", "run_core")
load(":providers.bzl", "PyAppInfo")
load(":transitions.bzl", "ALLOWLIST", "canonical_transition")

ProjectInfo = provider(
    doc = "A project's own part of an application.",
    fields = {
        "files": "depset[File]: the files of its folder.",
        "folder": "str: its folder, as in short paths; empty or with a slash at its end.",
        "pyproject": "File: its pyproject.toml.",
        "wheel": "File: folder that holds its wheel alone.",
    },
)

# What lies about in a project's folder and is none of it.
_NO_SOURCES = [
    "**/__pycache__/**",
    ".git/**",
    ".venv/**",
    "BUILD",
    "BUILD.bazel",
    "bazel-*/**",
    "dist/**",
]

def add_project_files(args, files, folder):
    """Adds the files of a project to a command's arguments, by where they are in its folder.

    Args:
        args: Args.
        files: list or depset of File.
        folder: as in `ProjectInfo`.
    """
    args.add_all(
        files,
        before_each = "--file",
        allow_closure = True,
        map_each = lambda file: "%s\t%s" % (file.short_path[len(folder):], file.path),
        expand_directories = False,
    )

def _wheel_impl(ctx):
    folder = ctx.file.pyproject.dirname
    short_folder = ctx.file.pyproject.short_path[:-len(ctx.file.pyproject.basename)]
    for file in ctx.files.srcs:
        if not file.short_path.startswith(short_folder):
            fail("%s: %s is not below %s, where the project is: list only files of the project's own folder in srcs" % (
                ctx.label,
                file.short_path,
                folder or "the repository's root",
            ))
    wheel = ctx.actions.declare_directory(ctx.label.name + ".wheel")
    args = ctx.actions.args()
    args.add("--pyproject", ctx.file.pyproject)
    files = [file for file in ctx.files.srcs if file != ctx.file.pyproject]
    add_project_files(args, files, short_folder)
    locks = [ctx.file.lock] if ctx.file.lock else []
    if locks:
        args.add("--lock", ctx.file.lock)
    builders = depset(transitive = [dependency[PyAppInfo].wheels for dependency in ctx.attr.build_deps]).to_list()
    args.add_all([builder.file for builder in builders], before_each = "--build-wheel")
    args.add_all([wheel], before_each = "--out", expand_directories = False)
    run_core(
        ctx,
        "own-wheel",
        args,
        inputs = depset([ctx.file.pyproject] + locks + ctx.files.srcs + [builder.file for builder in builders]),
        outputs = [wheel],
        mnemonic = "CrossdockOwnWheel",
        progress_message = "Building the wheel of project %{label}",
    )
    return [
        DefaultInfo(files = depset([wheel])),
        ProjectInfo(files = depset(files), folder = short_folder, pyproject = ctx.file.pyproject, wheel = wheel),
    ]

project_wheel = rule(
    implementation = _wheel_impl,
    cfg = canonical_transition,
    doc = "The wheel of a project, built once for all platforms.",
    attrs = ALLOWLIST | CORE_ATTRS | {
        "build_deps": attr.label_list(
            cfg = "exec",
            aspects = [app_aspect],
            doc = "The project's build backend and what it needs, for the machine that builds.",
        ),
        "lock": attr.label(allow_single_file = True, doc = "crossdock.lock, which pins the build backend."),
        "pyproject": attr.label(mandatory = True, allow_single_file = [".toml"], doc = "The project's pyproject.toml."),
        "srcs": attr.label_list(allow_files = True, doc = "All files that its backend reads."),
    },
)

def _project_impl(ctx):
    own = ctx.attr.wheel[ProjectInfo]
    apps = [dependency[PyAppInfo] for dependency in ctx.attr.deps]
    return [
        DefaultInfo(files = depset([own.wheel])),
        own,
        PyAppInfo(
            own_wheel = own.wheel,
            wheels = depset(transitive = [app.wheels for app in apps]),
        ),
    ]

project = rule(
    implementation = _project_impl,
    doc = "A project with the wheels it needs.",
    attrs = {
        "deps": attr.label_list(aspects = [app_aspect], doc = "The wheels it needs, from a hub."),
        "wheel": attr.label(mandatory = True, providers = [ProjectInfo], doc = "Its own wheel."),
    },
)

def py_project(name, pyproject = "pyproject.toml", srcs = None, deps = [], build_deps = [], lock = None, **kwargs):
    """A project as `crossdock image` sees it, to be the `binary` of images, PEX files and zips.

    Its wheel is built by its own backend, offline, on the machine's Python; entry point, variables and the like come from
    `[tool.crossdock]`. Images have the digest that the command line's have.

    Args:
        name: Name of the target. `<name>_wheel` is the wheel alone.
        pyproject: The project's pyproject.toml.
        srcs: The files its backend reads; all of the package's folder if left out.
        deps: What it needs, as in `["@pypi//fastapi"]`: its dependencies, which bring theirs.
        build_deps: What its backend needs, as in `["@pypi//hatchling"]`.
        lock: `crossdock.lock`, if that pins the build backend.
        **kwargs: What all rules take: `visibility`, `tags`, `testonly`, …
    """
    if srcs == None:
        srcs = native.glob(["**"], exclude = _NO_SOURCES, allow_empty = True)
    common = {key: value for key, value in kwargs.items() if key in ("visibility", "testonly", "target_compatible_with")}
    project_wheel(
        name = name + "_wheel",
        pyproject = pyproject,
        srcs = srcs,
        build_deps = build_deps,
        lock = lock,
        tags = kwargs.get("tags", []),
        **common
    )
    project(
        name = name,
        wheel = ":" + name + "_wheel",
        deps = deps,
        **kwargs
    )
