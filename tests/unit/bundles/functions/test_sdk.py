"""Which packages are left to Lambda's runtime: the SDK, and what nothing that stays needs."""

from __future__ import annotations

import pytest

from crossdock.bundles.functions.sdk import left_to_runtime

PROJECT = ""
BOTO3 = {
    "boto3": {PROJECT},
    "botocore": {"boto3", "s3transfer"},
    "s3transfer": {"boto3"},
    "jmespath": {"boto3", "botocore"},
    "python-dateutil": {"botocore"},
    "six": {"python-dateutil"},
    "urllib3": {"botocore"},
}


@pytest.mark.parametrize(
    ("more", "stay"),
    [
        ({}, set()),
        ({"requests": {PROJECT}, "urllib3": {"botocore", "requests"}}, {"requests", "urllib3"}),
        ({"urllib3": {"botocore", PROJECT}}, {"urllib3"}),
        ({"pandas": {PROJECT}, "python-dateutil": {"botocore", "pandas"}}, {"pandas", "python-dateutil", "six"}),
        ({"six": {"python-dateutil", PROJECT}}, {"six"}),
        ({"aioboto3": {PROJECT}, "boto3": {"aioboto3"}}, {"aioboto3"}),
        ({"awscrt": {"botocore"}}, {"awscrt"}),
        ({"jmespath": set()}, {"jmespath"}),
    ],
)
def test_what_stays(more: dict[str, set[str]], stay: set[str]) -> None:
    needed_by = {**BOTO3, **more}

    assert needed_by.keys() - left_to_runtime(needed_by) == stay


def test_without_the_sdk_nothing_is_left_out() -> None:
    needed_by = {"requests": {PROJECT}, "urllib3": {"requests"}, "six": {PROJECT}}

    assert left_to_runtime(needed_by) == frozenset()
