"""The test that checked-in JSON of a lock is current."""

load(":launcher.bzl", "TEST_ATTRS", "TEST_EXEC_GROUPS", "launcher")

def _lock_json_test_impl(ctx):
    files = [ctx.file.json, ctx.file.lock] + ctx.files.data
    arguments = ["--check", ctx.file.json.short_path, "--lock", ctx.file.lock.short_path]
    if ctx.file.project:
        files.append(ctx.file.project)
        arguments += ["--project", ctx.file.project.short_path]
    return [launcher(ctx, [("hub", arguments)], [], data = files)]

lock_json_test = rule(
    implementation = _lock_json_test_impl,
    test = True,
    doc = """Fails if what `crossdock bazel lock` has written is not what the lock gives now.

    lock_json_test(
        name = "lock_json_test",
        json = "crossdock.hub.json",
        lock = "uv.lock",
        project = "pyproject.toml",
    )

It needs no network. docs/bazel.md says what it proves of locks that do not tell everything.
""",
    attrs = TEST_ATTRS | {
        "data": attr.label_list(
            allow_files = True,
            doc = "Other files that are read: wheels and patches that the project's settings name, requirements that the lock includes.",
        ),
        "json": attr.label(mandatory = True, allow_single_file = [".json"], doc = "What `crossdock bazel lock` has written."),
        "lock": attr.label(mandatory = True, allow_single_file = True, doc = "The lock it was written of."),
        "project": attr.label(allow_single_file = [".toml"], doc = "The pyproject.toml, if it was written with one."),
    },
    exec_groups = TEST_EXEC_GROUPS,
)
