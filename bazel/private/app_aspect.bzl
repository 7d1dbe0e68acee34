"""What a Python application is made of, found by following its dependencies.

Wheels come as they are, by what hub targets say of themselves. Everything else is first-party code and data, which
keeps its place below the runfiles' root. Neither an interpreter nor an unpacked wheel is ever among it, so no image
waits for one.
"""

load("@bazel_skylib//lib:paths.bzl", "paths")
load("@rules_python//python:py_info.bzl", "PyInfo")
load(":providers.bzl", "PyAppInfo")

# A wheel that was unpacked to be run on this machine ends so.
_UNPACKED = ".whl.d"

# Where what is needed is named. Of rules_py are `venv` and `external_venv`, which stand behind a binary and have its code
# and its dependencies, and `resolutions`, which say what `virtual_deps` are.
_ATTRIBUTES = ["deps", "data", "actual", "binary", "venv", "external_venv", "resolutions"]

# Whose own code is what `srcs` and `main` name, no more and no less. All others' is told by PyInfo and runfiles.
_KNOWN = ["py_binary", "py_library", "py_test", "py_venv", "py_venv_exec", "py_venv_exec_test"]

def is_unpacked_wheel(path):
    """Tells whether a path is in a wheel that was unpacked to be run on this machine.

    Args:
        path: str: path of a file or folder.

    Returns:
        A bool.
    """
    return path.endswith(_UNPACKED) or (_UNPACKED + "/") in path

def missing_wheels(imports, wheels):
    """Finds wheels that are imported from and that nobody brings.

    Args:
        imports: list of str, as in PyInfo.
        wheels: list of `WheelInfo`.

    Returns:
        A list of names of distributions.
    """
    known = {wheel.name: None for wheel in wheels}
    parts = [part for path in imports if is_unpacked_wheel(path) for part in path.split("/") if part.endswith(_UNPACKED)]
    return [part.removesuffix(_UNPACKED) for part in parts if part.removesuffix(_UNPACKED) not in known]

def _targets(rule, attribute):
    value = getattr(rule.attr, attribute, None)
    if type(value) == "Target":
        return [value]
    if type(value) in ("list", "dict"):
        return [item for item in value if type(item) == "Target"]
    return []

def _kind(rule):
    return rule.kind.lstrip("_")

def _is_python(target, rule):
    """Whether a target is Python: by PyInfo; or as rules_py, from its version 2 on, has a PyInfo of its own, by its form."""
    if PyInfo in target:
        return True
    return _kind(rule).startswith("py_") and hasattr(rule.attr, "srcs") and (hasattr(rule.attr, "imports") or hasattr(rule.attr, "venv"))

def _is_known(rule):
    return _kind(rule) in _KNOWN and hasattr(rule.files, "srcs")

def _own_imports(target, rule):
    """Folders to import from, of a target whose PyInfo is not to be read."""
    repository = target.label.repo_name or "_main"
    return [
        paths.normalize("/".join([repository, target.label.package, folder]))
        for folder in getattr(rule.attr, "imports", [])
    ]

def _without_wheels(files):
    return [file for file in files.to_list() if not is_unpacked_wheel(file.path)]

def _python_sources(target, rule):
    """First-party files that a Python target itself adds."""
    named = getattr(rule.files, "srcs", []) + getattr(rule.files, "main", [])
    if PyInfo not in target or _is_known(rule):
        return named

    # A rule of somebody's: `srcs` may be what code is generated from.
    sources = _without_wheels(target[PyInfo].transitive_sources) + getattr(rule.files, "main", [])
    default = target[DefaultInfo]
    if default.files_to_run.executable or not default.default_runfiles:
        # An interpreter is in its runfiles.
        return sources
    programs = {}
    for dependency in _targets(rule, "data"):
        if PyInfo in dependency and dependency[DefaultInfo].files_to_run.executable:
            programs |= {file: None for file in dependency[DefaultInfo].default_runfiles.files.to_list()}
    return sources + [file for file in _without_wheels(default.default_runfiles.files) if file not in programs]

def _sources(target, rule, python, below):
    """First-party files that a target itself adds, as a list and a list of depsets."""
    if python:
        return _python_sources(target, rule), []

    # What it needs when it runs. Python targets in turn may be behind it.
    runfiles = target[DefaultInfo].default_runfiles
    if not runfiles:
        return [], []
    if any([_has_code(dependency) for _, dependency in below]):
        return _without_wheels(runfiles.files), []
    return [], [runfiles.files]

def _has_code(dependency):
    return PyAppInfo in dependency and bool(dependency[PyAppInfo].is_python or dependency[PyAppInfo].wheels)

def _main(rule):
    """The file that a binary runs, found as rules_python finds it: by the end of its path; else, as rules_py does, the only one."""
    if not hasattr(rule.attr, "main") or getattr(rule.attr, "main_module", None):
        return None
    main = getattr(rule.files, "main", [])
    if main:
        return main[0]
    sources = getattr(rule.files, "srcs", [])
    wanted = "/%s.py" % rule.attr.name
    for source in sources:
        if ("/" + source.short_path).endswith(wanted):
            return source
    return sources[0] if len(sources) == 1 else None

def _check_told(target, below):
    """Refuses packages of which only rules_py knows where they are imported from."""
    for attribute, dependency in below:
        if attribute != "deps" or _has_code(dependency):
            continue
        if [file for file in dependency[DefaultInfo].files.to_list() if file.is_directory or file.extension in ("py", "whl")]:
            fail(("%s needs %s, which does not tell where it is imported from: it gives no PyInfo of rules_python\n" +
                  "  Take the package from a hub of crossdock.lock, or a rule that gives one; rules_py's do with the flag\n" +
                  "  --@aspect_rules_py//py:emit_rules_python_providers.") % (target.label, dependency.label))

def _app_aspect_impl(target, ctx):
    if PyAppInfo in target:
        return []
    rule = ctx.rule
    python = _is_python(target, rule)
    below = [(attribute, dependency) for attribute in _ATTRIBUTES for dependency in _targets(rule, attribute)]
    files, transitive = _sources(target, rule, python, below)
    imports = []
    if PyInfo in target:
        imports = [target[PyInfo].imports]
    elif python:
        _check_told(target, below)
    programs, symlinks, root_symlinks, wheels = [], [], [], []
    runfiles = target[DefaultInfo].default_runfiles
    if runfiles and not (python and (_is_known(rule) or target[DefaultInfo].files_to_run.executable)):
        symlinks.append(runfiles.symlinks)
        root_symlinks.append(runfiles.root_symlinks)
    main = _main(rule) if python else None
    main_module = getattr(rule.attr, "main_module", "") if python else ""
    for attribute, dependency in below:
        if PyAppInfo in dependency:
            app = dependency[PyAppInfo]
            wheels.append(app.wheels)
            transitive.append(app.sources)
            programs.append(app.programs)
            symlinks.append(app.symlinks)
            root_symlinks.append(app.root_symlinks)
            if PyInfo not in target:
                imports.append(app.imports)
            if attribute in ("actual", "binary") and not main_module:
                main = main or app.main
                main_module = "" if main else app.main_module
        if attribute == "data" and PyInfo not in dependency:
            transitive.append(dependency[DefaultInfo].files)
            program = dependency[DefaultInfo].files_to_run.executable
            if program and not program.is_source:
                programs.append(depset([program]))
    return [PyAppInfo(
        imports = depset(_own_imports(target, rule) if python and PyInfo not in target else [], transitive = imports),
        is_python = python,
        main = main,
        main_module = main_module,
        programs = depset(transitive = programs),
        root_symlinks = depset(transitive = root_symlinks),
        sources = depset(files, transitive = transitive),
        symlinks = depset(transitive = symlinks),
        wheels = depset(transitive = wheels),
    )]

app_aspect = aspect(
    implementation = _app_aspect_impl,
    attr_aspects = _ATTRIBUTES,
    doc = "Collects a Python application's wheels, first-party files and imports into `PyAppInfo`.",
)
