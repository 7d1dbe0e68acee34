"""What a hub is made of: targets, their names, what tells them apart, and what there is for each."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bazel/private:base_repo.bzl", "base_build", "base_hub_build")
load("//bazel/private:flags.bzl", "python_disagreement", "version_problem")
load("//bazel/private:hub_json.bzl", "check_data", "data_problem")
load("//bazel/private:hub_nodes.bzl", "PROJECT", "ascii", "extra_name", "group_name", "nodes_of", "wheel_name")
load("//bazel/private:hub_repo.bzl", "package_build", "root_build", "scripts_of", "target_build")
load("//bazel/private:hub_targets.bzl", "constraints_of_platform", "setting_of", "settings_of", "slug")
load("//bazel/private:lock_data.bzl", "included_files", "is_made_offline", "overrides_of", "wheel_files")
load("//bazel/private:wheel_repo.bzl", "is_pure", "wheel_build")

_ARM = "linux/arm64+glibc2.28 cp311"
_MUSL = "linux/arm64+musl1.2 cp311"
_MAC = "darwin/arm64+macos14.0 cp313t"

_ONE, _TWO, _THREE = "1" * 64, "2" * 64, "3" * 64
_FILE = {"filename": "a-1-py3-none-any.whl", "name": "a", "version": "1"}

_DATA = {
    "extras": {"fast": {_ARM: ["rust"], _MUSL: ["rust"]}},
    "files": {_ONE: _FILE, _TWO: _FILE, _THREE: _FILE},
    "groups": {"dev": {_ARM: ["web", "web[all]"]}},
    "left_out": {"extras": {"gpu": "gpu excludes fast"}, "groups": {}},
    "packages": {
        "here": {"deps": {_ARM: ["=there"]}, "version": "1", "wheels": {_ARM: _THREE}},
        "rust": {
            "deps": {_ARM: []},
            "missing": {_MUSL: "rust 1.0 has no wheel for " + _MUSL},
            "version": "1.0",
            "wheels": {_ARM: _ONE, _MUSL: None},
        },
        "there": {"deps": {_ARM: ["=here"]}, "version": "1", "wheels": {_ARM: _TWO}},
        "virtual": {"deps": {_ARM: ["rust"]}, "version": "0", "wheels": {_ARM: None}},
        "web": {
            "deps": {_ARM: ["virtual"]},
            "extras": {"all": {_ARM: ["web", "rust"]}},
            "version": "2.0",
            "wheels": {_ARM: _TWO},
        },
    },
    "project": {_ARM: ["web", "web[all]", "web[none]"]},
    "targets": {
        _ARM: {"cpu": "aarch64", "floor": "2.28", "freethreaded": False, "libc": "glibc", "os": "linux", "python": "3.11"},
        _MUSL: {"cpu": "aarch64", "floor": "1.2", "freethreaded": False, "libc": "musl", "os": "linux", "python": "3.11"},
    },
    "version": 1,
}

_SHA256 = "0123456789abcdef" * 4

def _hub(file = {}, package = {}, name = "web", sha256 = _SHA256, **parts):
    """A small hub, with what a test changes in it."""
    files = {sha256: {"filename": "web-1-py3-none-any.whl", "name": "web", "path": None, "size": 1, "url": None, "version": "1"} | file}
    packages = {name: {"wheels": {_ARM: sha256}} | package}
    return {"files": files, "packages": packages, "targets": {_ARM: _DATA["targets"][_ARM]}, "version": 1} | parts

def _problems_test_impl(ctx):
    env = unittest.begin(ctx)
    for sound in [
        _hub(),
        _hub(name = "web@1!2.0+cpu~1"),
        _hub(file = {"path": "vendor/web-1-py3-none-any.whl", "size": None}),
        _hub(file = {"path": "../../vendor/../web-1-py3-none-any.whl"}),
        _hub(file = {"url": "https://index.example/web%2F1.whl"}),
        _DATA,
    ]:
        asserts.equals(env, None, data_problem(sound, ["tools", "python"]))
    for wrong, problem in [
        (_hub(sha256 = "0" * 63), "is not named by a SHA-256"),
        (_hub(sha256 = "A" * 64), "is not named by a SHA-256"),
        (_hub(sha256 = "../" + "0" * 61), "is not named by a SHA-256"),
        (_hub(file = {"filename": "../web-1-py3-none-any.whl"}), "not the name of a wheel"),
        (_hub(file = {"filename": "web-1.tar.gz"}), "not the name of a wheel"),
        (_hub(file = {"name": "../web"}), "has no name"),
        (_hub(file = {"name": "we..b"}), "has no name"),
        (_hub(file = {"path": "/etc/passwd"}), "not within the repository"),
        (_hub(file = {"path": "C:/x.whl"}), "not within the repository"),
        (_hub(file = {"path": "../../../x.whl"}), "not within the repository"),
        (_hub(file = {"path": "a/../../../../x.whl"}), "not within the repository"),
        (_hub(file = {"path": "..\\x.whl"}), "not within the repository"),
        (_hub(file = {"url": "file:///etc/passwd"}), "not a URL of the web"),
        (_hub(file = {"size": "1"}), "bytes"),
        (_hub(name = "../web"), "is not named as a package"),
        (_hub(name = "_targets"), "is not named as a package"),
        (_hub(name = "We b"), "is not named as a package"),
        (_hub(package = {"wheels": {_ARM: "1" * 64}}), "not among the files"),
        (_hub(package = {"wheels": {_MUSL: _SHA256}}), "is no target"),
        (_hub(package = {"extras": {"a\"b": {}}}), "has an extra"),
        (_hub(package = {"deps": []}), "no object"),
        (_hub(groups = {"a/b": {}}), "not the name of an extra or group"),
        (_hub(files = None), "is no \"files\""),
        (_hub(project = []), "is not an object"),
        (_hub(targets = {_ARM: {"os": "linux"}}), "does not say its os"),
    ]:
        found = data_problem(wrong, ["tools", "python"])
        asserts.true(env, found and problem in found, "%s: %s" % (problem, found))
    return unittest.end(env)

def _overrides_test_impl(ctx):
    env = unittest.begin(ctx)
    tag = struct(dependencies = [], hub = "pypi", ignore_dependencies = ["b"], package = "a")
    more = struct(dependencies = ["c"], hub = "lib_pypi", ignore_dependencies = [], package = "a")
    modules = [
        struct(is_root = True, name = "app", tags = struct(lock = [struct(name = "pypi")], override = [tag, more])),
        struct(is_root = False, name = "lib", tags = struct(lock = [struct(name = "lib_pypi")], override = [])),
    ]
    asserts.equals(
        env,
        {"lib_pypi": {"a": {"dependencies": ["c"]}}, "pypi": {"a": {"ignore-dependencies": ["b"]}}},
        overrides_of(modules),
    )
    asserts.equals(
        env,
        ["a.txt", "../b.txt", "c/d.txt", "e.txt"],
        included_files("-r a.txt\n -c ../b.txt # b\n--requirement=c/d.txt\n-r\"e.txt\"\n--require-hashes\n# -r f\n-r\nclick==1\n-r /etc/g"),
    )
    asserts.true(env, is_made_offline({"lock": {"inputs": None}}))
    asserts.false(env, is_made_offline({"lock": {"inputs": "0" * 64}}))
    return unittest.end(env)

def _settings_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "linux_arm64_glibc2.28_cp311", slug(_ARM))
    setting = setting_of(_ARM, _DATA["targets"][_ARM])
    asserts.equals(env, ["//platforms/libc:glibc", "@platforms//cpu:aarch64", "@platforms//os:linux"], setting.constraints)
    asserts.equals(env, {"freethreaded": "False", "glibc": "2.28", "python_version": "3.11"}, setting.flags)
    setting = setting_of(_MAC, {"cpu": "aarch64", "floor": "14.0", "freethreaded": True, "libc": None, "os": "macos", "python": "3.13"})
    asserts.equals(env, ["@platforms//cpu:aarch64", "@platforms//os:osx"], setting.constraints)
    asserts.equals(env, {"freethreaded": "True", "macos": "14.0", "python_version": "3.13"}, setting.flags)
    asserts.equals(env, sorted([_ARM, _MUSL]), sorted(settings_of(_DATA["targets"])))
    asserts.equals(env, ["@platforms//cpu:x86_64", "@platforms//os:linux"], constraints_of_platform("linux/amd64"))
    asserts.equals(
        env,
        ["@platforms//cpu:aarch64", "@platforms//os:linux", "//platforms/libc:musl"],
        constraints_of_platform("linux/arm64/v8+musl1.2"),
    )
    return unittest.end(env)

def _nodes_test_impl(ctx):
    env = unittest.begin(ctx)
    nodes = nodes_of("pypi", _DATA, _ARM)
    asserts.equals(env, _TWO, nodes["web"].wheel)
    asserts.equals(env, ["virtual"], nodes["web"].deps)
    asserts.equals(env, ["web", "rust"], nodes[extra_name("web", "all")].deps)
    asserts.equals(env, ["web", extra_name("web", "all")], nodes[PROJECT].deps, "an unknown extra is nothing")
    asserts.equals(env, ["web", extra_name("web", "all")], nodes[group_name("dev")].deps)
    asserts.equals(env, ["rust"], nodes[extra_name("", "fast")].deps)
    asserts.equals(env, "gpu excludes fast", nodes[extra_name("", "gpu")].missing)
    asserts.equals(env, None, nodes["virtual"].wheel)
    asserts.equals(env, None, nodes["virtual"].missing, "what has no files of its own is not missing")
    asserts.equals(env, [wheel_name("there")], nodes["here"].deps, "a circle is cut")
    asserts.equals(env, [], nodes[wheel_name("there")].deps)
    asserts.equals(env, _TWO, nodes[wheel_name("there")].wheel)
    asserts.equals(env, "name = \"...\"\n", ascii("name = \"…\"\n"))
    musl = nodes_of("pypi", _DATA, _MUSL)
    asserts.equals(env, "rust 1.0 has no wheel for " + _MUSL, musl["rust"].missing)
    asserts.equals(env, musl["rust"].missing, musl[wheel_name("rust")].missing)
    return unittest.end(env)

def _texts_test_impl(ctx):
    env = unittest.begin(ctx)
    slugs = {key: slug(key) for key in _DATA["targets"]}
    root = root_build(_DATA, slugs)
    for name in ["is_linux_arm64_glibc2.28_cp311", "is_linux_arm64_musl1.2_cp311", "group_dev", "extra_fast", "extra_gpu", "project"]:
        asserts.true(env, "name = \"%s\"" % name in root, name)
    web = package_build("pypi", "web", _DATA["packages"]["web"], ["web"], slugs)
    for text in ["name = \"web\"", "name = \"extra_all\"", "name = \"bin/web\"", "name = \"wheel\"", "\"//conditions:default\":\":no_target\""]:
        asserts.true(env, text in web, text)
    target = target_build(nodes_of("pypi", _DATA, _MUSL), {})
    asserts.true(env, "missing_wheel(name = \"rust\"" in target)
    target = target_build(nodes_of("pypi", _DATA, _ARM), {_ONE: "whl_rust", _TWO: "whl_two", _THREE: "whl_here"})
    asserts.true(env, "wheel_library(name = \"web\", wheel = \"@whl_two//:wheel\", deps = [\":virtual\"])" in target)
    asserts.equals(env, ["a-b", "a_b", "other"], scripts_of("a-b", ["other"]))
    return unittest.end(env)

def _files_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.true(env, is_pure("six-1.17.0-py2.py3-none-any.whl"))
    asserts.false(env, is_pure("numpy-2.0-cp311-cp311-manylinux_2_28_aarch64.whl"))
    asserts.false(env, is_pure("uv-1.0-py3-none-win_amd64.whl"))
    text = wheel_build({"filename": "a-1-py3-none-any.whl", "name": "a", "pure": True, "sha256": "00", "size": 3000000000, "version": "1"})
    asserts.true(env, "file_size = \"3000000000\"" in text)
    asserts.false(env, "scripts" in text, "scripts are not known")
    asserts.equals(env, _DATA, check_data(_DATA, "here"))

    file = {"filename": "a-1-py3-none-any.whl", "name": "a", "path": None, "size": 3, "url": "https://index.example/a", "version": "1"}
    more = file | {"url": "https://index.example/b"}
    locks = [struct(tag = struct(lock = lock, json = None, project = None), data = {"files": files}) for lock, files in [
        ("first", {"00": file}),
        ("second", {"00": more, "01": file | {"url": None}}),
    ]]
    found = wheel_files(locks)
    asserts.equals(env, ["00", "01"], sorted(found))
    asserts.equals(env, ["https://index.example/a", "https://index.example/b"], found["00"].urls, "one repository for two locks")
    asserts.equals(env, "first", found["00"].lock)
    asserts.equals(env, [], found["01"].urls)
    return unittest.end(env)

def _bases_test_impl(ctx):
    env = unittest.begin(ctx)
    text = base_hub_build("debian", {"linux/amd64": "debian__linux_amd64", "linux/arm64": "debian__linux_arm64"})
    asserts.true(env, "\"@debian__linux_arm64//:base\"" in text)
    asserts.true(env, "\"//conditions:default\":\":no_base_here\"" in text)
    asserts.equals(env, 2, text.count("//platforms/libc:glibc"))
    asserts.true(env, "//platforms/libc:glibc" not in base_hub_build("alpine", {"linux/amd64+musl": "alpine__linux_amd64"}))
    text = base_build({"layers": [{"blob": "l.tar.gz", "metadata": "l.json"}], "target": "linux/arm64+glibc2.36"})
    asserts.true(env, "blobs = [\"base/l.tar.gz\"]" in text)
    return unittest.end(env)

def _versions_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, None, version_problem("3.11", ["3"]))
    asserts.equals(env, None, version_problem("14.0"))
    for wrong in ["", "3", "3.11.2", "3.x", "03.11", "2.7", "3.011", "3.", "-3.1"]:
        asserts.true(env, version_problem(wrong, ["3"]) != None, wrong)
    for theirs in ["", "3.12", "3.12.4"]:
        asserts.equals(env, None, python_disagreement("3.12", theirs))
    told = python_disagreement("3.11", "3.12.4")
    asserts.true(env, "python_version=3.12\n" in told, told)
    asserts.true(env, python_disagreement("3.1", "3.12") != None)
    return unittest.end(env)

overrides_test = unittest.make(_overrides_test_impl)
problems_test = unittest.make(_problems_test_impl)
settings_test = unittest.make(_settings_test_impl)
nodes_test = unittest.make(_nodes_test_impl)
texts_test = unittest.make(_texts_test_impl)
files_test = unittest.make(_files_test_impl)
bases_test = unittest.make(_bases_test_impl)
versions_test = unittest.make(_versions_test_impl)

def hub_tests(name):
    """Tests of hubs.

    Args:
        name: Name of the suite.
    """
    unittest.suite(name, overrides_test, problems_test, settings_test, nodes_test, texts_test, files_test, bases_test, versions_test)
