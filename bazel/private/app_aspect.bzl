"""What a Python application is made of, found by following its dependencies.

Wheels come as they are, by what hub targets say of themselves. Everything else is first-party code and data, which
keeps its place below the runfiles' root. Neither an interpreter nor an unpacked wheel is ever among it, so no image
waits for one.
"""

load("@rules_python//python:py_info.bzl", "PyInfo")
load(":providers.bzl", "PyAppInfo")

# A wheel that was unpacked to be run on this machine ends so.
_UNPACKED = ".whl.d"

_ATTRIBUTES = ["deps", "data", "actual", "binary"]

def is_unpacked_wheel(path):
    """Tells whether a path is in a wheel that was unpacked to be run on this machine.

    Args:
        path: str: path of a file or folder.

    Returns:
        A bool.
    """
    return path.endswith(_UNPACKED) or (_UNPACKED + "/") in path

def _targets(rule, attribute):
    value = getattr(rule.attr, attribute, None)
    if type(value) == "Target":
        return [value]
    if type(value) == "list":
        return [item for item in value if type(item) == "Target"]
    return []

def _own_sources(target, rule):
    """First-party files that a target itself adds, as lists and depsets."""
    if PyInfo not in target:
        # Not Python: what it needs when it runs. Python targets in turn may be behind it.
        runfiles = target[DefaultInfo].default_runfiles
        if not runfiles:
            return [], []
        if not _below_is_python(rule):
            return [], [runfiles.files]
        return [file for file in runfiles.files.to_list() if not is_unpacked_wheel(file.path)], []
    if hasattr(rule.files, "srcs"):
        return rule.files.srcs + getattr(rule.files, "main", []), []

    # A rule of somebody's, whose code is known by its provider alone.
    sources = target[PyInfo].transitive_sources.to_list()
    return [file for file in sources if not is_unpacked_wheel(file.path)], []

def _below_is_python(rule):
    for attribute in _ATTRIBUTES:
        for dependency in _targets(rule, attribute):
            if PyAppInfo in dependency and (PyInfo in dependency or dependency[PyAppInfo].wheels):
                return True
    return False

def _main(target, rule):
    """The file that a binary runs, found as rules_python finds it."""
    if PyInfo not in target or not hasattr(rule.attr, "main"):
        return None
    main = getattr(rule.files, "main", [])
    if main:
        return main[0]
    sources = getattr(rule.files, "srcs", [])
    wanted = target.label.name.split("/")[-1] + ".py"
    for source in sources:
        if source.basename == wanted:
            return source
    return sources[0] if len(sources) == 1 else None

def _app_aspect_impl(target, ctx):
    if PyAppInfo in target:
        return []
    rule = ctx.rule
    files, transitive = _own_sources(target, rule)
    wheels = []
    imports = [target[PyInfo].imports] if PyInfo in target else []
    programs = []
    main = _main(target, rule)
    for attribute in _ATTRIBUTES:
        for dependency in _targets(rule, attribute):
            if PyAppInfo in dependency:
                app = dependency[PyAppInfo]
                wheels.append(app.wheels)
                transitive.append(app.sources)
                programs.append(getattr(app, "programs", depset()))
                if PyInfo not in target:
                    imports.append(app.imports)
                if attribute in ("actual", "binary"):
                    main = main or app.main
            if attribute == "data" and PyInfo not in dependency:
                transitive.append(dependency[DefaultInfo].files)
                program = dependency[DefaultInfo].files_to_run.executable
                if program and not program.is_source:
                    programs.append(depset([program]))
    return [PyAppInfo(
        imports = depset(transitive = imports),
        main = main,
        own = None,
        own_wheel = None,
        programs = depset(transitive = programs),
        sources = depset(files, transitive = transitive),
        wheels = depset(transitive = wheels),
    )]

app_aspect = aspect(
    implementation = _app_aspect_impl,
    attr_aspects = _ATTRIBUTES,
    doc = "Collects a Python application's wheels, first-party files and imports into `PyAppInfo`.",
)
