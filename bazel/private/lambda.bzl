"""Zips for functions: AWS Lambda and others."""

load(":app.bzl", "add_files", "app_of")
load(":app_aspect.bzl", "app_aspect")
load(":artifact.bzl", "ArtifactInfo")
load(":core.bzl", "CORE_ATTRS", "run_core")
load(":exceptions.bzl", "EXCEPTION_ATTRS", "encoded_exceptions", "exceptions_file")
load(":project.bzl", "ProjectInfo", "add_project_files")
load(":target.bzl", "TargetInfo", "require_target")
load(":transitions.bzl", "TARGET_ATTRS", "target_transition")
load(":variants.bzl", "by_platform")

_KINDS = ["function", "layer", "deps", "app"]

def _zip_target(ctx, target):
    """The runtime that the zip is for, as the core spells it."""
    if target.os != "linux":
        fail("%s: functions run on Linux, not on %s: set platform to linux/amd64 or linux/arm64" % (ctx.label, target.platform))
    if ctx.attr.runtime:
        return "%s/%s" % (ctx.attr.runtime, target.arch)
    return "%s %s" % (target.platform, target.python_spelling)

def _zip_impl(ctx):
    target = require_target(ctx, ctx.attr._target)
    app = app_of(ctx.attr.binary, target, str(ctx.label))
    output = ctx.actions.declare_file(ctx.label.name + ".zip")
    spelled = _zip_target(ctx, target)
    args = ctx.actions.args()
    args.add("--kind", ctx.attr.kind)
    args.add("--target", spelled)
    args.add_all([wheel.file for wheel in app.wheels], before_each = "--wheel")
    inputs = [wheel.file for wheel in app.wheels]
    exceptions = exceptions_file(ctx)
    project = ctx.attr.binary[ProjectInfo] if ProjectInfo in ctx.attr.binary else None
    if project:
        args.add("--project", project.pyproject)
        args.add_all([project.wheel], before_each = "--own-wheel")
        inputs.extend([project.pyproject, project.wheel])

        # Which of them are included is in its settings, which no rule can read.
        add_project_files(args, project.files, project.folder)
    else:
        args.add("--name", ctx.label.name)
        add_files(args, app)
    if ctx.attr.handler:
        args.add("--handler", ctx.attr.handler)
    if ctx.attr.without_boto3:
        args.add("--without-boto3")
    if ctx.attr.direct_upload:
        args.add("--direct-upload")
    args.add_all(exceptions, before_each = "--exceptions")
    args.add("--out", output)
    run_core(
        ctx,
        "zip",
        args,
        inputs = depset(inputs + exceptions, transitive = [app.sources] + ([project.files] if project else [])),
        outputs = [output],
        mnemonic = "CrossdockZip",
        progress_message = "Writing zip %{label}",
    )
    return [
        DefaultInfo(files = depset([output])),
        ArtifactInfo(
            exceptions = exceptions + ([project.pyproject] if project else []),
            file = output,
            target = spelled if ctx.attr.runtime else "aws-lambda-python%s/%s" % (target.python_spelling, target.arch),
        ),
    ]

lambda_zip = rule(
    implementation = _zip_impl,
    cfg = target_transition,
    doc = "A zip for one runtime of a cloud.",
    attrs = TARGET_ATTRS | CORE_ATTRS | EXCEPTION_ATTRS | {
        "binary": attr.label(mandatory = True, aspects = [app_aspect], doc = "A py_library, py_binary or py_project."),
        "direct_upload": attr.bool(doc = "Refuse a zip that is too large to be uploaded directly."),
        "handler": attr.string(doc = "What the runtime calls, as in `app.web.handler`."),
        "kind": attr.string(
            values = _KINDS,
            default = "function",
            doc = "A whole `function`, a `layer` of everything, a layer of the dependencies (`deps`), or the function without them (`app`).",
        ),
        "runtime": attr.string(doc = "Runtime, as in `aws-lambda-python3.13`; AWS Lambda with the flag's Python if left out."),
        "without_boto3": attr.bool(doc = "Leave the AWS SDK to the runtime."),
        "_target": attr.label(default = Label("//bazel/private:target"), providers = [TargetInfo]),
    },
)

def _python_of(runtime, where):
    """The Python of a runtime by its name: of `aws-lambda-python3.13` and `google-cloud-run-python313`."""
    digits = runtime.rpartition("python")[2]
    if digits.startswith("3.") and digits[2:].isdigit():
        return digits
    if digits.startswith("3") and len(digits) > 1 and digits.isdigit():
        return "3." + digits[1:]
    fail("%s: runtime is %r, in which no Python version is named: take one as in \"aws-lambda-python3.13\"" % (where, runtime))

def py_lambda_zip(name, binary, platform = None, platforms = None, runtime = "", python_version = "", exceptions = [], visibility = None, **kwargs):
    """A zip of a function or layer, or one for each of several platforms.

    Args:
        name: Name of the target; the file is `<name>.zip`. With `platforms`: of a group of `<name>_linux_amd64`, ….
        binary: What it holds: a py_library, py_binary or py_project.
        platform: Platform to build for: `linux/amd64` or `linux/arm64`; if left out, that of `--platforms`.
        platforms: Several of them.
        runtime: The cloud's name of its runtime, as in `aws-lambda-python3.13`, `google-cloud-run-python313` or
            `azure-functions-python3.12`. If left out: AWS Lambda, with the Python of `python_version` or the flag.
        python_version: Python version; that of `runtime` if left out.
        exceptions: Exceptions to the proof: see container_image.
        visibility: Who may depend on it.
        **kwargs: `handler`, `kind`, `without_boto3`, `direct_upload`, `glibc`, and what all rules take.
    """
    where = "py_lambda_zip(name = %r) in //%s" % (name, native.package_name())
    series = _python_of(runtime, where) if runtime else python_version
    if python_version and series != python_version:
        fail("%s: python_version is %s, but its runtime %s has Python %s: leave python_version out" % (
            where,
            python_version,
            runtime,
            series,
        ))
    by_platform(
        name = name,
        make = lambda_zip,
        binary = binary,
        platform = platform,
        platforms = platforms,
        where = where,
        exceptions = encoded_exceptions(exceptions, where),
        python_version = series,
        runtime = runtime,
        visibility = visibility,
        **kwargs
    )
