"""PEX files for one platform or several."""

load("@bazel_skylib//lib:shell.bzl", "shell")
load(":app.bzl", "add_files", "app_of", "runfiles_path")
load(":app_aspect.bzl", "app_aspect")
load(":artifact.bzl", "ArtifactInfo")
load(":core.bzl", "CORE_ATTRS", "run_core")
load(":exceptions.bzl", "EXCEPTION_ATTRS", "encoded_exceptions", "exceptions_file")
load(":pex_runtime.bzl", "INHERIT_PATHS", "PexRuntimeInfo")
load(":project.bzl", "ProjectInfo")
load(":target.bzl", "TargetInfo", "require_target")
load(":transitions.bzl", "TARGET_ATTRS", "target_transition")
load(":variants.bzl", "by_platform")

# As rules_py has it.
_SHEBANG = "#!/usr/bin/env python3"

def _add_options(ctx, args, project):
    """Says how it behaves; what is not set is left to a project's own settings."""
    for name, value in ctx.attr.inject_env.items():
        args.add("--inject-env", "%s=%s" % (name, value))

    # In one word with the option, whatever they begin with; what is given is split as a shell does.
    args.add_all([shell.quote(text) for text in ctx.attr.inject_args], format_each = "--inject-args=%s")
    args.add_all(ctx.attr.python_interpreter_constraints, before_each = "--interpreter-constraint")
    if ctx.attr.inherit_path:
        args.add("--inherit-path", ctx.attr.inherit_path)
    if ctx.attr.python_shebang or not project:
        args.add("--python-shebang", ctx.attr.python_shebang or _SHEBANG)

def _add_entry(ctx, args, app):
    """Says what the PEX runs; a project's settings say it themselves."""
    if ctx.attr.entrypoint:
        args.add("--entry-point", ctx.attr.entrypoint)
    elif ctx.attr.script:
        args.add("--script", ctx.attr.script)
    elif app.main:
        args.add("--main", runfiles_path(app.main))
    elif app.main_module:
        args.add("--entry-point", app.main_module)
    elif not app.own_wheel:
        fail(("%s: nothing says what of %s is to be run: it has no main\n" +
              "  Give a py_binary, or entrypoint = \"package.module:function\", or script = \"name\".") % (ctx.label, ctx.attr.binary.label))

def _pex_impl(ctx):
    target = require_target(ctx, ctx.attr._target)
    app = app_of(ctx.attr.binary, target, str(ctx.label))
    runtime = ctx.attr.runtime[PexRuntimeInfo]
    output = ctx.actions.declare_file(ctx.label.name + ".pex")
    args = ctx.actions.args()
    args.add("--target", "%s %s" % (target.spelling, target.python_spelling))
    args.add_all([wheel.file for wheel in app.wheels], before_each = "--wheel")
    inputs = [wheel.file for wheel in app.wheels] + [runtime.archive, runtime.metadata]
    project = ctx.attr.binary[ProjectInfo] if ProjectInfo in ctx.attr.binary else None
    if project:
        args.add("--project", project.pyproject)
        args.add_all([project.wheel], before_each = "--own-wheel")

        # Its settings may ask for another start than the one that is there.
        args.add("--pex-wheel", ctx.file._pex)
        inputs.extend([project.pyproject, project.wheel, ctx.file._pex])
    else:
        args.add("--name", ctx.label.name)
        add_files(args, app)
    _add_entry(ctx, args, app)
    _add_options(ctx, args, project)
    exceptions = exceptions_file(ctx)
    args.add_all(exceptions, before_each = "--exceptions")
    args.add_all("--runtime", [runtime.metadata, runtime.archive])
    args.add("--out", output)
    run_core(
        ctx,
        "pex",
        args,
        inputs = depset(inputs + exceptions, transitive = [app.sources]),
        outputs = [output],
        mnemonic = "CrossdockPex",
        progress_message = "Writing PEX %{label}",
    )
    return [
        DefaultInfo(executable = output, files = depset([output])),
        ArtifactInfo(
            exceptions = exceptions + ([project.pyproject] if project else []),
            file = output,
            target = "%s %s" % (target.spelling, target.python_spelling),
        ),
    ]

pex_binary = rule(
    implementation = _pex_impl,
    cfg = target_transition,
    executable = True,
    doc = "A PEX file for one platform, written on the Python of the machine that builds, which resolves nothing anew.",
    attrs = TARGET_ATTRS | CORE_ATTRS | EXCEPTION_ATTRS | {
        "binary": attr.label(mandatory = True, aspects = [app_aspect], doc = "A py_binary, py_library or py_project."),
        "entrypoint": attr.string(doc = "Module, or `module:function`, to run in place of the binary's main file."),
        "inherit_path": attr.string(values = [""] + INHERIT_PATHS, doc = "Whether packages of the machine's Python are seen."),
        "inject_args": attr.string_list(doc = "Arguments before those of the command line."),
        "inject_env": attr.string_dict(doc = "Environment variables that are set where they are not."),
        "python_interpreter_constraints": attr.string_list(
            doc = "Pythons it runs on, `CPython=={major}.{minor}.*` if left out; `{major}`, `{minor}` and `{patch}` are those of the platform's Python.",
        ),
        "python_shebang": attr.string(doc = "Its first line, `#!/usr/bin/env python3` if left out."),
        "runtime": attr.label(mandatory = True, providers = [PexRuntimeInfo], doc = "What it starts by."),
        "script": attr.string(doc = "Console script of any of its packages to run in place of the binary's main file."),
        "_pex": attr.label(default = Label("@crossdock_pex//:pex.whl"), allow_single_file = [".whl"]),
        "_target": attr.label(default = Label("//bazel/private:target"), providers = [TargetInfo]),
    },
)

def py_pex_binary(name, binary, platform = None, platforms = None, inherit_path = "", env = {}, inject_env = {}, exceptions = [], visibility = None, **kwargs):
    """A PEX file, or one for each of several platforms.

    It is written on the exec platform's Python from wheels that the lock chose for the platform: nothing is resolved, and
    nothing of the target is run. It starts only where its wheels fit, and says so elsewhere.

    Args:
        name: Name of the target; the file is `<name>.pex`. With `platforms`: of a group of `<name>_linux_amd64`, ….
        binary: A py_binary (or py_library with `entrypoint`, or py_project).
        platform: Platform to build for, as in `linux/arm64`; if left out, that of `--platforms`.
        platforms: Several; a list of spellings, or a dict from endings of names to platforms.
        inherit_path: `false`, `fallback` or `prefer`: whether packages of the machine's Python are seen, after or before
            the PEX file's own.
        env: The same as `inject_env`.
        inject_env: Environment variables that are set where they are not.
        exceptions: Exceptions to the proof: see container_image.
        visibility: Who may depend on it.
        **kwargs: `entrypoint`, `script`, `inject_args`, `python_interpreter_constraints`, `python_shebang`, `python_version`,
            `freethreaded`, `glibc`, `musl`, `macos`, and what all rules take.
    """
    where = "py_pex_binary(name = %r) in //%s" % (name, native.package_name())
    by_platform(
        name = name,
        make = pex_binary,
        binary = binary,
        platform = platform,
        platforms = platforms,
        where = where,
        exceptions = encoded_exceptions(exceptions, where),
        inherit_path = inherit_path,
        inject_env = env | inject_env,
        runtime = Label("//bazel/private:pex_runtime_" + (inherit_path or "false")),
        visibility = visibility,
        **kwargs
    )
