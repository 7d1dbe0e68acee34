"""The layers above a base, but that of a Python application's own files."""

load(":app.bzl", "add_runfiles", "runfiles_path")
load(":core.bzl", "run_core")
load(":grouping.bzl", "group_wheels")
load(":providers.bzl", "LayerInfo")

# Where programs that are not Python's are in an image.
APP = "/app"

def _declare(ctx, part):
    # Images of one application for several platforms use one name, so that path mapping makes equal actions one.
    stem = "%s.layers/%s" % (ctx.attr.stem or ctx.label.name, part)
    return LayerInfo(
        blob = ctx.actions.declare_file(stem + ".tar.gz"),
        metadata = ctx.actions.declare_file(stem + ".json"),
    )

def _write(ctx, command, args, inputs, layer, mnemonic, what):
    args.add("--out", layer.blob)
    args.add("--metadata", layer.metadata)
    run_core(
        ctx,
        command,
        args,
        inputs = inputs,
        outputs = [layer.blob, layer.metadata],
        mnemonic = mnemonic,
        progress_message = "Writing the layer of %s for %%{label}" % what,
    )
    return layer

def _group_layer(ctx, wheels, python):
    part = "pure" if wheels[0].pure else "platform"
    args = ctx.actions.args()
    args.add("--python", python)
    for wheel in wheels:
        args.add("--wheel", wheel.file)
        args.add("--distribution", "%s==%s" % (wheel.name, wheel.version))
    return _write(
        ctx,
        "layer",
        args,
        depset([wheel.file for wheel in wheels]),
        _declare(ctx, part),
        "CrossdockGroupLayer",
        "%d small wheels" % len(wheels),
    )

def wheel_layers(ctx, wheels, grouping, python):
    """Gives the layers of wheels: those that are there for a wheel alone, and new ones where several share one.

    Args:
        ctx: context of a rule with `CORE_ATTRS`.
        wheels: list of `WheelInfo`.
        grouping: as in `group_wheels`.
        python: str: the Python version they are installed for.

    Returns:
        A list of `LayerInfo`, lowest first.
    """
    return [
        group[0].layer if len(group) == 1 else _group_layer(ctx, group, python)
        for group in group_wheels(wheels, grouping)
    ]

def project_layer(ctx, own_wheel, python):
    """Writes the layer of a project's own wheel.

    Args:
        ctx: context of a rule with `CORE_ATTRS`.
        own_wheel: File: folder that holds the wheel alone.
        python: str: the Python version it is installed for.

    Returns:
        A `LayerInfo`.
    """
    args = ctx.actions.args()
    args.add("--python", python)
    args.add("--kind", "project")
    args.add_all([own_wheel], before_each = "--wheel")
    return _write(ctx, "layer", args, depset([own_wheel]), _declare(ctx, "project"), "CrossdockAppLayer", "the project")

def _data_row(file):
    return "%s\t%s" % (runfiles_path(file), file.path)

def program_layer(ctx, executable, runfiles):
    """Writes the layer of a program in any language, with its data.

    Args:
        ctx: context of a rule with `CORE_ATTRS`.
        executable: File: the program.
        runfiles: runfiles or None: what it needs when it runs.

    Returns:
        A `LayerInfo`.
    """
    args = ctx.actions.args()
    args.add_all([executable], before_each = "--file", map_each = _program_row)
    inputs = [executable]
    if runfiles:
        data = [file for file in runfiles.files.to_list() if file != executable]
        args.add_all(data, before_each = "--file", map_each = _data_row)
        add_runfiles(args, runfiles)
        inputs += data + [entry.target_file for entry in runfiles.symlinks.to_list() + runfiles.root_symlinks.to_list()]
    return _write(ctx, "app-layer", args, depset(inputs), _declare(ctx, "app"), "CrossdockAppLayer", "the program")

def _program_row(file):
    return "%s/%s\t%s\tx" % (APP, file.basename, file.path)
