"""Applications that are released: their images, and what release tools read of them."""

load(":images.bzl", "multiplatform_image")
load(":naming.bzl", "DEFAULT_PLATFORMS", "local_name", "platform_binary_name", "platform_variants")

LANGUAGES = ["python", "go"]

# Kinds of rule that are Python's and are not called so.
_PYTHON_KINDS = ["platform_binary", "project", "_py_binary", "_py_library"]

APP_TYPES = ["", "external-api", "internal-api", "worker", "job"]

def metadata_of(attr, binary, image):
    """Puts together what release tools read of an application.

    Args:
        attr: what has the values of the attributes of `app_metadata`.
        binary: str: label of the binary.
        image: str: label of the image.

    Returns:
        A dict.
    """
    metadata = {
        "binary_target": binary,
        "description": attr.description,
        "domain": attr.domain,
        "image_target": image,
        "language": attr.language,
        "name": attr.app_name,
        "organization": attr.organization,
        "registry": attr.registry,
        "replicas": attr.replicas,
        "repo_name": attr.repo_name,
        "version": attr.version,
    }
    if attr.app_type:
        metadata["app_type"] = attr.app_type
    if attr.port:
        metadata["port"] = attr.port
    if attr.health_check_enabled:
        metadata["health_check"] = {"enabled": True, "path": attr.health_check_path}
    if attr.ingress_host:
        metadata["ingress"] = {"host": attr.ingress_host, "tls_secret_name": attr.ingress_tls_secret}
    if attr.command:
        metadata["command"] = attr.command
    if attr.app_args:
        metadata["args"] = attr.app_args
    return metadata

def _label(text):
    """A label as people write it: without the main repository's name."""
    return text[2:] if text.startswith("@@//") else text

def _app_metadata_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".json")
    metadata = metadata_of(ctx.attr, _label(ctx.attr.binary_target), _label(ctx.attr.image_target))
    ctx.actions.write(output, json.encode_indent(metadata, indent = "  ") + "\n")
    return [DefaultInfo(files = depset([output]))]

app_metadata = rule(
    implementation = _app_metadata_impl,
    doc = "What release tools read of an application, as JSON. It builds nothing of the application.",
    attrs = {
        "app_args": attr.string_list(doc = "Arguments of the container."),
        "app_name": attr.string(mandatory = True, doc = "Name of the application."),
        "app_type": attr.string(values = APP_TYPES, doc = "Kind of application."),
        "binary_target": attr.string(mandatory = True, doc = "Label of its binary."),
        "command": attr.string_list(doc = "Command of the container."),
        "description": attr.string(doc = "What it is."),
        "domain": attr.string(mandatory = True, doc = "What it belongs to."),
        "health_check_enabled": attr.bool(default = True, doc = "Whether its health is asked for."),
        "health_check_path": attr.string(default = "/health", doc = "Where its health is asked for."),
        "image_target": attr.string(mandatory = True, doc = "Label of its image."),
        "ingress_host": attr.string(doc = "Host name it is reached by."),
        "ingress_tls_secret": attr.string(doc = "Secret that holds the certificate."),
        "language": attr.string(values = LANGUAGES, mandatory = True, doc = "Its language."),
        "organization": attr.string(doc = "First part of the repository."),
        "port": attr.int(doc = "Port it listens on; 0: none."),
        "registry": attr.string(doc = "Registry of its image."),
        "replicas": attr.int(doc = "How many are started; 0: not said."),
        "repo_name": attr.string(mandatory = True, doc = "Last part of the repository."),
        "version": attr.string(default = "latest", doc = "Version, unless a release says another."),
    },
)

def find_language(name, existing):
    """Finds the language of an application by the targets that its package has so far.

    Args:
        name: str or None: name of its binary, if that is in the same package.
        existing: dict: the rules that the package has so far, by name.

    Returns:
        `python` or `go`, and what is wrong, or None.
    """
    if not name:
        return None, "language is not given, and cannot be found, since the binary is in another package: write language = \"python\" or \"go\""
    for target in (name + "_linux_amd64", name + "_linux_arm64", name):
        if target not in existing:
            continue
        kind = existing[target]["kind"]
        if kind.startswith("go_"):
            return "go", None
        if kind.startswith("py_") or kind in _PYTHON_KINDS:
            return "python", None
        return None, "language is not given, and that of %s, which is a %s, is not known: write language = \"python\", or \"go\" for %s" % (
            target,
            kind,
            "any program that is built for the platform it is asked for",
        )
    return None, "language is not given, and cannot be found, since this package has no target %s above this one: %s" % (
        name,
        "declare the binary first, or write language = \"python\" or \"go\"",
    )

def _absolute(label):
    return str(native.package_relative_label(label))

def _python_binaries(binary, given):
    """The binaries of platforms, and the one that the metadata names."""
    name, existing = local_name(binary), native.existing_rules()
    given = {key: value for key, value in given.items() if key in ("binary_amd64", "binary_arm64")}
    if name in existing:
        amd64 = platform_binary_name(name, "linux_amd64", existing)
        return {"binary": binary} | given, (":" + amd64 if amd64 else binary)

    # Nothing tells what is below this line, or in another package: the name is taken for one that multiplatform_py_binary gets.
    label = str(native.package_relative_label(binary))
    binaries = {"binary_" + cpu: "%s_linux_%s" % (label, cpu) for cpu in ("amd64", "arm64")} | given
    return {"binary": binary} | binaries, binaries["binary_amd64"]

def release_app(
        name,
        binary_target = None,
        language = None,
        domain = None,
        description = "",
        version = "latest",
        registry = "ghcr.io",
        organization = "",
        custom_repo_name = None,
        app_type = "",
        port = 0,
        replicas = 0,
        health_check_enabled = True,
        health_check_path = "/health",
        ingress_host = "",
        ingress_tls_secret = "",
        command = [],
        args = [],
        base = None,
        platforms = DEFAULT_PLATFORMS,
        visibility = None,
        **kwargs):
    """All that an application needs to be released: images for all platforms, and its metadata.

    Makes `<name>_image` and all that multiplatform_image makes of that name, and `<name>_metadata`, a JSON file that
    release tools find by its tag: `bazel query 'attr(tags, release-metadata, //...)'`.

    Args:
        name: Name of the application.
        binary_target: Its binary: the name that multiplatform_py_binary was given, or the label of a program that is built
            for the platform it is asked for. `name` if left out.
        language: `python` or `go` (which stands for all programs that are not Python's). Found by the binary if left out.
        domain: What it belongs to, as in `api`. Its repository is `<organization>/<domain>-<name>`.
        description: What it is.
        version: Version in the metadata; releases say another.
        registry: Registry of its image.
        organization: First part of its repository; left away if empty.
        custom_repo_name: Last part of its repository, in place of `<domain>-<name>`.
        app_type: `external-api`, `internal-api`, `worker` or `job`.
        port: Port it listens on, which the image exposes; 0 for none.
        replicas: How many are to be started; 0 if that is left open.
        health_check_enabled: Whether its health is asked for.
        health_check_path: Where its health is asked for.
        ingress_host: Host name it is reached by.
        ingress_tls_secret: Secret that holds the certificate for it.
        command: Command of the container, for the metadata.
        args: Arguments of the container, for the metadata.
        base: What its images stand on: see container_image.
        platforms: Platforms of its images.
        visibility: Who may depend on its images.
        **kwargs: What multiplatform_image takes.
    """
    where = "release_app(name = %r) in //%s" % (name, native.package_name())
    binary = binary_target or name
    if not language:
        language, problem = find_language(local_name(binary), native.existing_rules())
        if problem:
            fail("%s: %s" % (where, problem))
    if language not in LANGUAGES:
        fail("%s: language is %r: it has to be %s; \"go\" stands for all programs that are built for the platform they are asked for" % (
            where,
            language,
            " or ".join(LANGUAGES),
        ))
    if not domain:
        fail("%s: domain is missing: say what it belongs to, as in domain = \"api\", for its repository is <domain>-%s" % (where, name))
    if app_type not in APP_TYPES:
        fail("%s: app_type is %r: it has to be one of %s" % (where, app_type, ", ".join(APP_TYPES[1:])))
    binaries, reference = _python_binaries(binary, kwargs) if language == "python" else ({"binary": binary}, binary)
    if "linux_amd64" not in platform_variants(platforms, where + ": platforms"):
        reference = binary
    repo_name = custom_repo_name or "%s-%s" % (domain, name)
    ports = kwargs.pop("ports", None) or ([str(port)] if port else [])
    multiplatform_image(
        name = name + "_image",
        base = base,
        registry = registry,
        repository = "%s/%s" % (organization, repo_name) if organization else repo_name,
        platforms = platforms,
        language = language,
        image_name = kwargs.pop("image_name", name),
        ports = ports,
        visibility = visibility,
        **(kwargs | binaries)
    )
    app_metadata(
        name = name + "_metadata",
        app_args = args,
        app_name = name,
        app_type = app_type,
        binary_target = _absolute(reference),
        command = command,
        description = description,
        domain = domain,
        health_check_enabled = health_check_enabled,
        health_check_path = health_check_path,
        image_target = _absolute(":" + name + "_image"),
        ingress_host = ingress_host,
        ingress_tls_secret = ingress_tls_secret,
        language = language,
        organization = organization,
        port = port,
        registry = registry,
        replicas = replicas,
        repo_name = repo_name,
        tags = ["release-metadata"],
        version = version,
        visibility = ["//visibility:public"],
    )
