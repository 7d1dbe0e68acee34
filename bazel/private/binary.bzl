"""Binaries for several platforms from the same sources."""

load("@bazel_skylib//lib:shell.bzl", "shell")
load("@rules_python//python:py_binary.bzl", "py_binary")
load("@rules_python//python:py_info.bzl", "PyInfo")
load("@rules_python//python:py_library.bzl", "py_library")
load(":app.bzl", "runfiles_path")
load(":app_layer_aspect.bzl", "AppLayerInfo", "app_layer_aspect")
load(":artifact.bzl", "BuiltForInfo")
load(":naming.bzl", "DEFAULT_PLATFORMS", "infer_main", "platform_variants")
load(":providers.bzl", "PyAppInfo")
load(":target.bzl", "TargetInfo", "require_target")
load(":transitions.bzl", "TARGET_ATTRS", "target_transition")

def _repository_root(file):
    return runfiles_path(file).split("/")[0]

def _platform_binary_impl(ctx):
    target = require_target(ctx, ctx.attr._target)
    library = ctx.attr.library
    app = library[PyAppInfo]
    executable = ctx.actions.declare_file(ctx.label.name)
    roots = {"_main": None} | {_repository_root(file): None for file in app.sources.to_list()}
    folders = roots.keys() + library[PyInfo].imports.to_list()
    main = [ctx.file.main] if ctx.file.main else []
    marker = shell.quote(runfiles_path((main + [executable])[0]))
    ctx.actions.expand_template(
        template = ctx.file._stub,
        output = executable,
        substitutions = {
            "%{imports}": " ".join([shell.quote(folder) for folder in folders]),
            "%{marker}": marker,
            "%{python}": shell.quote("python" + target.python_spelling),
            "%{start}": '"$runfiles/"' + marker if ctx.file.main else "-m " + shell.quote(ctx.attr.main_module),
        },
        is_executable = True,
    )
    return [
        DefaultInfo(
            executable = executable,
            files = depset([executable]),
            runfiles = ctx.runfiles(main).merge(library[DefaultInfo].default_runfiles),
        ),
        PyAppInfo(
            imports = app.imports,
            main = ctx.file.main,
            main_module = ctx.attr.main_module,
            programs = app.programs,
            root_symlinks = app.root_symlinks,
            sources = depset(main, transitive = [app.sources]),
            symlinks = app.symlinks,
            wheels = app.wheels,
        ),
        library[AppLayerInfo],
        BuiltForInfo(python = target.python_spelling, target = target.spelling),
        library[PyInfo],
        RunEnvironmentInfo(environment = {
            name: ctx.expand_location(value, ctx.attr.data)
            for name, value in ctx.attr.env.items()
        }),
    ]

platform_binary = rule(
    implementation = _platform_binary_impl,
    cfg = target_transition,
    executable = True,
    doc = """A Python application as it is for one platform, with that platform's wheels.

It needs no toolchain for the platform, so no interpreter and no compiler is fetched for it. It starts on machines of the
platform that have its Python on PATH.
""",
    attrs = TARGET_ATTRS | {
        "data": attr.label_list(allow_files = True, doc = "What `args` and `env` may name by `$(rootpath)`; the library has it as well."),
        "env": attr.string_dict(doc = "Environment variables that `bazel run` sets."),
        "library": attr.label(mandatory = True, aspects = [app_layer_aspect], providers = [PyInfo], doc = "Its files and dependencies."),
        "main": attr.label(allow_single_file = [".py"], doc = "The file that is run."),
        "main_module": attr.string(doc = "The module that is run in place of a file."),
        "_stub": attr.label(default = Label("//bazel/private:binary.sh.tpl"), allow_single_file = True),
        "_target": attr.label(default = Label("//bazel/private:target"), providers = [TargetInfo]),
    },
)

# What the library below takes of what the macro is given, and what the binary of a platform takes.
_LIBRARY = ["data", "imports", "testonly", "target_compatible_with", "compatible_with", "restricted_to", "features"]
_VARIANT = ["args", "compatible_with", "data", "deprecation", "env", "features", "main_module", "restricted_to", "tags", "target_compatible_with", "testonly"]

def multiplatform_py_binary(name, srcs = [], main = None, deps = [], visibility = None, platforms = DEFAULT_PLATFORMS, python_version = None, **kwargs):
    """A Python binary for several platforms, each with the wheels of that platform.

    Makes `<name>_linux_amd64` and `<name>_linux_arm64` (or those of `platforms`), each with the wheels of its platform,
    which need no toolchain of it; and `<name>`, a py_binary for the machine that builds, to be run and debugged there.

    Args:
        name: Name of the targets.
        srcs: Python files.
        main: The file that is run. If left out: the first of `srcs` called `main.py`, `<name>.py` or `…_main.py`, else the
            only one.
        deps: What it needs: py_library targets, wheels of a hub, …
        visibility: Who may depend on it.
        platforms: Which platforms to build for: spellings like `linux/arm64`, or a dict from endings of names to
            platforms, as in `{"linux_mine": "//:my_platform"}`.
        python_version: Python version of the platforms' binaries; that of `//bazel/config:python_version` if left out.
        **kwargs: All else that py_binary takes.
    """
    where = "multiplatform_py_binary(name = %r) in //%s" % (name, native.package_name())
    main_module = kwargs.get("main_module", "")
    if main and main_module:
        fail("%s: main and main_module are both given: the file %s or the module %s?" % (where, main, main_module))
    if not main_module:
        main = infer_main(name, srcs, main, where)
    variants = platform_variants(platforms, where + ": platforms")
    py_binary(
        name = name,
        srcs = srcs,
        main = main,
        deps = deps,
        visibility = visibility,
        **kwargs
    )
    py_library(
        name = name + "_platform_sources",
        srcs = srcs if type(srcs) != "list" or not main or main in srcs else srcs + [main],
        deps = deps,
        tags = ["manual"],
        visibility = ["//visibility:private"],
        **{key: kwargs[key] for key in _LIBRARY if key in kwargs}
    )
    for ending, platform in variants.items():
        platform_binary(
            name = "%s_%s" % (name, ending),
            library = ":%s_platform_sources" % name,
            main = main,
            platform = platform,
            python_version = python_version or "",
            visibility = visibility,
            **{key: kwargs[key] for key in _VARIANT if key in kwargs}
        )
