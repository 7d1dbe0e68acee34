"""What rules read of an application."""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":app_aspect.bzl", "is_unpacked_wheel")
load(":artifact.bzl", "check_built_for")
load(":providers.bzl", "PyAppInfo")

def distinct_wheels(wheels, where):
    """Lists wheels, and refuses two of one distribution.

    Args:
        wheels: depset[WheelInfo].
        where: str: the target they are for.

    Returns:
        A list of `WheelInfo`, by name.
    """
    by_name = {}
    for wheel in wheels.to_list():
        other = by_name.get(wheel.name)
        if other and other.sha256 != wheel.sha256:
            fail(("%s needs two wheels of %s, of which only one can be installed: %s and %s\n" +
                  "  They come from different hubs or locks: make all its dependencies take that package from one hub.") % (
                where,
                wheel.name,
                other.filename,
                wheel.filename,
            ))
        by_name[wheel.name] = wheel
    return [by_name[name] for name in sorted(by_name)]

def is_python(target):
    """Tells whether a target that the aspect has seen is a Python application.

    Args:
        target: Target.

    Returns:
        A bool.
    """
    return PyInfo in target or bool(target[PyAppInfo].main or target[PyAppInfo].own_wheel)

def app_files(binary):
    """Reads an application's own files.

    Args:
        binary: Target that the aspect has seen.

    Returns:
        A struct with `programs` and `sources` (depset of File) and `imports` (list of str).
    """
    app = binary[PyAppInfo]
    return struct(
        imports = [path for path in app.imports.to_list() if not is_unpacked_wheel(path)],
        programs = getattr(app, "programs", depset()),
        sources = app.sources,
    )

def app_of(binary, target, where):
    """Reads an application.

    Args:
        binary: Target that the aspect has seen.
        target: `TargetInfo` of what is made of it.
        where: str: label of that, for errors.

    Returns:
        A struct with `main` (File or None), `own`, `own_wheel` (as in `PyAppInfo`), `programs` and `sources` (depset of
        File), `imports` (list of str) and `wheels` (list of `WheelInfo`).
    """
    check_built_for(binary, target, where)
    app = binary[PyAppInfo]
    files = app_files(binary)
    return struct(
        imports = files.imports,
        main = app.main,
        own = app.own,
        own_wheel = app.own_wheel,
        programs = files.programs,
        sources = files.sources,
        wheels = distinct_wheels(app.wheels, where),
    )

def runfiles_path(file):
    """Finds the path of a file below the runfiles' root.

    Args:
        file: File.

    Returns:
        A string, as in `_main/app/main.py`.
    """
    path = file.short_path
    return path[3:] if path.startswith("../") else "_main/" + path

def _outside(file):
    """The other repository that a file is in, whose root is imported from as well."""
    path = file.short_path
    return path[3:].split("/")[0] if path.startswith("../") and path.endswith(".py") else None

def _row(file):
    return "%s\t%s" % (runfiles_path(file), file.path)

def add_files(args, app, modes = False):
    """Adds first-party files and what is imported from to a command's arguments.

    Args:
        args: Args.
        app: what `app_of` gives.
        modes: bool: whether the command is told which files are programs.
    """
    programs = {file.short_path: None for file in app.programs.to_list()} if modes else {}
    if programs:
        args.add_all(
            app.sources,
            before_each = "--file",
            allow_closure = True,
            map_each = lambda file: _row(file) + ("\tx" if file.short_path in programs else ""),
        )
    else:
        args.add_all(app.sources, before_each = "--file", map_each = _row)
    args.add_all(app.imports, before_each = "--import")
    args.add_all(app.sources, before_each = "--import", map_each = _outside, uniquify = True)
