"""What rules read of an application."""

load(":app_aspect.bzl", "is_unpacked_wheel", "missing_wheels")
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
    app = target[PyAppInfo]
    return bool(app.is_python or app.main or app.main_module or app.own_wheel)

def app_files(binary):
    """Reads an application's own files.

    Args:
        binary: Target that the aspect has seen.

    Returns:
        A struct with `files`, `programs` (depset of File) and `imports` (list of str), with `symlinks` and `root_symlinks`
        (as in `PyAppInfo`), and with `sources`: all files that are read (depset of File).
    """
    app = binary[PyAppInfo]
    linked = [entry.target_file for entry in app.symlinks.to_list() + app.root_symlinks.to_list()]
    return struct(
        files = app.sources,
        imports = [path for path in app.imports.to_list() if not is_unpacked_wheel(path)],
        programs = app.programs,
        root_symlinks = app.root_symlinks,
        sources = depset(linked, transitive = [app.sources]) if linked else app.sources,
        symlinks = app.symlinks,
    )

def app_of(binary, target, where):
    """Reads an application.

    Args:
        binary: Target that the aspect has seen.
        target: `TargetInfo` of what is made of it.
        where: str: label of that, for errors.

    Returns:
        A struct with all of `app_files`, with `main`, `main_module` and `own_wheel` (as in `PyAppInfo`) and `wheels` (list of
        `WheelInfo`).
    """
    check_built_for(binary, target, where)
    app = binary[PyAppInfo]
    files = app_files(binary)
    wheels = distinct_wheels(app.wheels, where)
    missing = missing_wheels(app.imports.to_list(), wheels)
    if missing:
        fail(("%s imports %s, which it has by none of deps, data, actual, binary, venv, external_venv and resolutions\n" +
              "  What a rule needs by other attributes is not followed: add the packages to deps of %s as well.") % (
            where,
            ", ".join(missing),
            binary.label,
        ))
    return struct(
        files = files.files,
        imports = files.imports,
        main = app.main,
        main_module = app.main_module,
        own_wheel = app.own_wheel,
        programs = files.programs,
        root_symlinks = files.root_symlinks,
        sources = files.sources,
        symlinks = files.symlinks,
        wheels = wheels,
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

def _root_row(entry):
    return "%s\t%s" % (entry.path, entry.target_file.path)

def _main_row(entry):
    return "_main/" + _root_row(entry)

def add_runfiles(args, runfiles):
    """Adds what is elsewhere in runfiles than its path says to a command's arguments.

    Args:
        args: Args.
        runfiles: whatever has `symlinks` and `root_symlinks`, as runfiles have.
    """
    args.add_all(runfiles.symlinks, before_each = "--file", map_each = _main_row)
    args.add_all(runfiles.root_symlinks, before_each = "--file", map_each = _root_row)

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
            app.files,
            before_each = "--file",
            allow_closure = True,
            map_each = lambda file: _row(file) + ("\tx" if file.short_path in programs else ""),
        )
    else:
        args.add_all(app.files, before_each = "--file", map_each = _row)
    add_runfiles(args, app)
    args.add_all(app.imports, before_each = "--import")
    args.add_all(app.files, before_each = "--import", map_each = _outside, uniquify = True)
