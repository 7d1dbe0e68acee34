"""Images and indexes with all that belongs to them."""

load(":exceptions.bzl", "encoded_exceptions")
load(":image.bzl", "image")
load(":index.bzl", "image_index")
load(":load.bzl", "image_load")
load(":naming.bzl", "DEFAULT_PLATFORMS", "binary_for", "clean_name", "image_ending", "platform_label", "platform_name", "platform_variants")
load(":push.bzl", "image_push")

def _base_attributes(base, language):
    """Attributes that say what an image stands on: for other languages than Python nothing, if nothing is said."""
    if base or language not in ("", "python"):
        return {"base": base}
    return {"base": Label("//bazel/config:base"), "base_is_default": True}

def container_image(name, binary, base = None, platform = None, env = {}, entrypoint = [], language = "", tag = "", exceptions = [], **kwargs):
    """An image for one platform: with the platform's wheels, on the platform's base, with its configuration.

    `--output_groups=` writes it as `oci_layout` (a folder), `oci_tar` or `docker_archive`.

    Args:
        name: Name of the target.
        binary: What is run: a py_binary, a target of multiplatform_py_binary, a py_project, or a program of any language,
            which is built for the platform.
        base: What it stands on, as in `"@debian_bookworm//:base"`. If left out: that of the flag `//bazel/config:base` for
            Python; nothing for other programs, which then have to be linked statically.
        platform: Platform, as in `linux/arm64`, or the label of one; if left out, that of `--platforms`.
        env: Environment variables.
        entrypoint: What is run when a container starts; the binary if left out.
        language: `python` or another one; found by itself if left out.
        tag: Name and tag in archives; `<name>:latest` if left out.
        exceptions: Exceptions to the proof: dicts with `package` or `path` or both, perhaps `code`, `reason`, and `expires`,
            the last day it counts, as in `"2027-01-31"`, or `"never"`.
        **kwargs: `labels`, `annotations`, `user`, `ports`, `layers`, `python_version`, `freethreaded`, `glibc`, `musl`, and
            what all rules take.
    """
    where = "container_image(name = %r) in //%s" % (name, native.package_name())
    image(
        name = name,
        binary = binary_for(binary, platform_name(str(platform))) if platform else binary,
        platform = platform_label(platform, where + ": platform") if platform else None,
        env = env,
        entrypoint = [entrypoint] if type(entrypoint) == "string" else entrypoint,
        exceptions = encoded_exceptions(exceptions, where),
        tag = tag or clean_name(name) + ":latest",
        **(kwargs | _base_attributes(base, language))
    )

def multiplatform_image(
        name,
        binary = None,
        binary_amd64 = None,
        binary_arm64 = None,
        base = None,
        registry = "ghcr.io",
        repository = None,
        platforms = DEFAULT_PLATFORMS,
        image_name = None,
        remote_tags = [],
        visibility = None,
        **kwargs):
    """Images of an application for several platforms, with an index, and targets that load and push them.

    | target | what it is |
    |---|---|
    | `<name>` | the index |
    | `<name>_amd64`, `<name>_arm64` | the image for one platform |
    | `<name>_load` | `bazel run` loads the first platform's image as `APP:latest` |
    | `<name>_amd64_load`, `<name>_arm64_load` | the same for one platform, as `APP_amd64:latest`, … |
    | `<name>_push`, `<name>_amd64_push`, `<name>_arm64_push` | `bazel run` pushes the index, or one image; if `repository` is given |

    `APP` is the name of the binary without a platform's ending.

    Args:
        name: Name of the index.
        binary: What is run, for all platforms: each image builds it for its own.
        binary_amd64: What is run on linux/amd64, in place of `binary`.
        binary_arm64: What is run on linux/arm64, in place of `binary`.
        base: As in container_image; it follows the platform.
        registry: Registry to push to.
        repository: Repository to push to; without it there are no targets that push.
        platforms: Platforms; the first is what `<name>_load` loads.
        image_name: `APP`, if it is to be another.
        remote_tags: Tags that pushed images always get; more are given as in `bazel run //app:app_image_push -- --tag v1`.
        visibility: Who may depend on them.
        **kwargs: What container_image takes.
    """
    where = "multiplatform_image(name = %r) in //%s" % (name, native.package_name())
    variants = platform_variants(platforms, where + ": platforms")
    own = {"linux_amd64": binary_amd64, "linux_arm64": binary_arm64}
    binaries = {ending: own.get(ending) or (binary_for(binary, ending) if binary else None) for ending in variants}
    missing = [ending for ending, value in binaries.items() if not value]
    if missing:
        fail("%s: there is no binary for %s: give binary, or %s" % (
            where,
            " and ".join(missing),
            " and ".join(["binary_" + image_ending(ending) for ending in missing if ending in own] or ["other platforms"]),
        ))
    app = image_name or clean_name(binary or binaries.values()[0])
    common = {key: kwargs[key] for key in ("tags", "testonly", "target_compatible_with") if key in kwargs}
    for ending, platform in variants.items():
        container_image(
            name = "%s_%s" % (name, image_ending(ending)),
            binary = binaries[ending],
            base = base,
            platform = platform,
            image_name = app,
            stem = name,
            tag = "%s_%s:latest" % (app, image_ending(ending)),
            visibility = visibility,
            **kwargs
        )
    image_index(
        name = name,
        images = [":%s_%s" % (name, image_ending(ending)) for ending in variants],
        tag = app + ":latest",
        visibility = visibility,
        **common
    )
    _running(name, app, variants, registry, repository, remote_tags, common | {"visibility": visibility})

def _running(name, app, variants, registry, repository, remote_tags, common):
    """Targets that load and push. `//...` leaves them out: they take the contents of all layers, which images need not."""
    common = common | {"tags": common.get("tags", []) + ["manual"]}
    endings = [image_ending(ending) for ending in variants]
    image_load(name = name + "_load", image = ":%s_%s" % (name, endings[0]), tag = app + ":latest", **common)
    for ending in endings:
        image_load(
            name = "%s_%s_load" % (name, ending),
            image = ":%s_%s" % (name, ending),
            tag = "%s_%s:latest" % (app, ending),
            **common
        )
    if not repository:
        return
    for part in [name] + ["%s_%s" % (name, ending) for ending in endings]:
        image_push(
            name = part + "_push",
            image = ":" + part,
            registry = registry,
            remote_tags = remote_tags,
            repository = repository,
            **common
        )
