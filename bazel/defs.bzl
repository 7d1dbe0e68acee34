"""Rules and macros of crossdock: binaries, images, PEX files and zips of Python applications, for any platform.

    load("@crossdock//bazel:defs.bzl", "multiplatform_py_binary", "release_app")

docs/bazel.md has a quick start and a reference.
"""

load("//bazel/private:binary.bzl", _multiplatform_py_binary = "multiplatform_py_binary")
load("//bazel/private:images.bzl", _container_image = "container_image", _multiplatform_image = "multiplatform_image")
load("//bazel/private:lambda.bzl", _py_lambda_zip = "py_lambda_zip")
load("//bazel/private:lock_json_test.bzl", _lock_json_test = "lock_json_test")
load("//bazel/private:pex.bzl", _py_pex_binary = "py_pex_binary")
load("//bazel/private:project.bzl", _py_project = "py_project")
load("//bazel/private:release.bzl", _release_app = "release_app")
load("//bazel/private:verify_test.bzl", _cross_compilation_test = "cross_compilation_test")

container_image = _container_image
cross_compilation_test = _cross_compilation_test
lock_json_test = _lock_json_test
multiplatform_image = _multiplatform_image
multiplatform_py_binary = _multiplatform_py_binary
py_lambda_zip = _py_lambda_zip
py_pex_binary = _py_pex_binary
py_project = _py_project
release_app = _release_app
