"""An image for one platform."""

load(":app.bzl", "app_of", "is_python", "runfiles_path")
load(":app_layer_aspect.bzl", "AppLayerInfo", "app_layer_aspect")
load(":core.bzl", "CORE_ATTRS", "run_core")
load(":exceptions.bzl", "EXCEPTION_ATTRS", "exceptions_file")
load(":grouping.bzl", "GROUPINGS", "PROJECT_GROUPING")
load(":image_outputs.bzl", "image_output_groups")
load(":layers.bzl", "APP", "program_layer", "project_layer", "wheel_layers")
load(":project.bzl", "ProjectInfo")
load(":providers.bzl", "BaseInfo", "ImageInfo", "PyAppInfo")
load(":target.bzl", "TargetInfo", "require_target")
load(":transitions.bzl", "TARGET_ATTRS", "target_transition")

_PYTHON_MODULE = ["/app/.venv/bin/python", "-m"]

def _base_of(ctx, target, python):
    """The base an image stands on, or None for scratch."""
    base = ctx.attr.base[BaseInfo] if ctx.attr.base and (python or not ctx.attr.base_is_default) else None
    if base and base.problem:
        fail("%s: %s" % (ctx.label, base.problem))
    if not base or not base.metadata:
        if not python:
            return None
        if not ctx.attr.base:
            fail(("%s: %s is Python, but its language is given as another one, for which images stand on nothing\n" +
                  "  Write language = \"python\", or leave it out.") % (ctx.label, ctx.attr.binary.label))
        fail(("%s: an image of a Python application needs a base, and none is given\n" +
              "  Declare one with crossdock.base(name = \"debian_bookworm\", …) in MODULE.bazel, and write\n" +
              "  base = \"@debian_bookworm//:base\", or set --@crossdock//bazel/config:base for all images.") % ctx.label)
    if base.platform.split("+")[0] != target.platform:
        fail("%s is an image for %s, but its base %s is for %s: take a base that follows the platform, as crossdock.base makes" % (
            ctx.label,
            target.platform,
            ctx.attr.base.label,
            base.platform,
        ))
    return base

def _settings(ctx, entrypoint):
    settings = {
        "annotations": ctx.attr.annotations,
        "entrypoint": entrypoint,
        "env": ctx.attr.env,
        "labels": ctx.attr.labels,
        "ports": [int(port) if port.isdigit() else port for port in ctx.attr.ports],
        "user": ctx.attr.user,
    }
    file = ctx.actions.declare_file(ctx.label.name + ".settings.json")
    ctx.actions.write(file, json.encode_indent({key: value for key, value in settings.items() if value}) + "\n")
    return file

def _python_parts(ctx, target, app, project):
    """Layers of a Python application, and the arguments that say how it is started."""
    python = target.python_spelling
    grouping = ctx.attr.layers or (PROJECT_GROUPING if project else "wheel")
    layers = wheel_layers(ctx, app.wheels, grouping, python)
    if project:
        return layers + [project_layer(ctx, app.own_wheel, python)], None
    if not app.main and not app.main_module and not ctx.attr.entrypoint:
        fail(("%s: nothing says what of %s is to be run: it has no main\n" +
              "  Give a py_binary, or an entrypoint, as in entrypoint = [\"/app/.venv/bin/python\", \"-m\", \"app\"].") % (
            ctx.label,
            ctx.attr.binary.label,
        ))
    return layers + [ctx.attr.binary[AppLayerInfo].layer], app.main

def _program_parts(ctx):
    """The layer of a program in another language, and its path."""
    default = ctx.attr.binary[DefaultInfo]
    executable = default.files_to_run.executable if default.files_to_run else None
    if not executable:
        fail("%s: %s can neither be run nor is it Python: give a py_binary, or a program of any language that is built for %s" % (
            ctx.label,
            ctx.attr.binary.label,
            "the image's platform",
        ))
    return program_layer(ctx, executable, default.default_runfiles), "%s/%s" % (APP, executable.basename)

def _image_impl(ctx):
    target = require_target(ctx, ctx.attr._target)
    if target.os != "linux":
        fail("%s is an image for %s, and images are for Linux: take one of linux/amd64, linux/arm64, …" % (ctx.label, target.platform))
    python = is_python(ctx.attr.binary)
    base = _base_of(ctx, target, python)
    project = ctx.attr.binary[ProjectInfo] if ProjectInfo in ctx.attr.binary else None
    args = ctx.actions.args()
    inputs = []
    if python:
        app = app_of(ctx.attr.binary, target, str(ctx.label))
        layers, main = _python_parts(ctx, target, app, project)
        entrypoint = ctx.attr.entrypoint or (_PYTHON_MODULE + [app.main_module] if app.main_module else [])
        if main and not entrypoint:
            args.add("--main", runfiles_path(main))
    else:
        layer, program = _program_parts(ctx)
        layers, entrypoint = [layer], ctx.attr.entrypoint or [program]
        args.add("--no-python")
    if project:
        args.add("--project", project.pyproject)
        inputs.append(project.pyproject)
        if not ctx.attr.layers:
            args.add("--layers", PROJECT_GROUPING)
    else:
        args.add("--name", ctx.attr.image_name or ctx.label.name)
    if base:
        args.add("--base", base.metadata)
        args.add_all([layer.metadata for layer in base.layers], before_each = "--base-layer")
        inputs.extend([base.metadata] + [layer.metadata for layer in base.layers])
    else:
        args.add("--platform", target.spelling)
    args.add_all([layer.metadata for layer in layers], before_each = "--layer")
    settings = _settings(ctx, entrypoint)
    args.add("--settings", settings)
    exceptions = exceptions_file(ctx)
    args.add_all(exceptions, before_each = "--exceptions")
    outputs = [ctx.actions.declare_file("%s.%s.json" % (ctx.label.name, part)) for part in ("manifest", "config", "image")]
    for option, file in zip(["--manifest", "--config", "--image"], outputs):
        args.add(option, file)
    run_core(
        ctx,
        "image",
        args,
        inputs = depset(inputs + [settings] + exceptions + [layer.metadata for layer in layers]),
        outputs = outputs,
        mnemonic = "CrossdockImage",
        progress_message = "Putting together and proving image %{label}",
    )
    info = ImageInfo(
        config = outputs[1],
        layers = (base.layers if base else []) + layers,
        manifest = outputs[0],
        metadata = outputs[2],
        platform = target.platform,
    )
    return [
        DefaultInfo(files = depset(outputs)),
        info,
        image_output_groups(ctx, info, None),
    ]

image = rule(
    implementation = _image_impl,
    cfg = target_transition,
    doc = "An image for one platform: base, interpreter, wheels and configuration all follow that platform.",
    attrs = TARGET_ATTRS | CORE_ATTRS | EXCEPTION_ATTRS | {
        "annotations": attr.string_dict(doc = "Annotations of manifest and index."),
        "base": attr.label(providers = [BaseInfo], doc = "What the image stands on; without it, nothing (not for Python)."),
        "base_is_default": attr.bool(doc = "Whether `base` was not asked for, and counts for Python only."),
        "binary": attr.label(
            mandatory = True,
            aspects = [app_layer_aspect],
            providers = [[PyAppInfo], [DefaultInfo]],
            doc = "What is run: a py_binary, a py_project, or a program of any language.",
        ),
        "entrypoint": attr.string_list(doc = "What is run when a container starts, in place of the binary's main file."),
        "env": attr.string_dict(doc = "Environment variables."),
        "image_name": attr.string(doc = "Title of the image; the target's name if left out."),
        "labels": attr.string_dict(doc = "Labels of the configuration."),
        "layers": attr.string(
            values = [""] + GROUPINGS,
            doc = "`wheel`: a layer for each wheel, `grouped`: small wheels together; left out: `grouped` for a py_project, else `wheel`.",
        ),
        "ports": attr.string_list(doc = "Ports that the application listens on, as in `8000` or `53/udp`."),
        "stem": attr.string(doc = "What names of layers start with; the target's name if left out."),
        "tag": attr.string(doc = "Name and tag in archives; the target's name and `latest` if left out."),
        "user": attr.string(doc = "User and group it runs as."),
        "_target": attr.label(default = Label("//bazel/private:target"), providers = [TargetInfo]),
    },
)
