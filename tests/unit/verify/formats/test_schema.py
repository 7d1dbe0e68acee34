"""docs/verify.schema.json: what it says of a report is so, and all that is in a report it knows."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.unit.verify.formats.samples import each_hostile, hostile, mixed, report

from crossdock.verify.codes import CODES
from crossdock.verify.formats import to_github, to_junit, to_markdown, to_sarif
from crossdock.verify.image import verify_layout

SCHEMA: dict[str, Any] = json.loads((Path(__file__).resolve().parents[4] / "docs" / "verify.schema.json").read_text())


def printed(values: dict[str, Any]) -> Any:
    return json.loads(json.dumps(values, allow_nan=False))


def closed(schema: Any) -> Any:
    """The schema as a list of all keys there are: one that it does not know is an error, and so is one that lacks."""
    schema = copy.deepcopy(schema)
    for item in (schema, *schema["$defs"].values()):
        assert item["required"] == sorted(item["properties"])
        item["additionalProperties"] = False
    return schema


def validate(values: Any, schema: dict[str, Any] = SCHEMA) -> None:
    jsonschema.Draft202012Validator(schema).validate(values)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_report_has_every_key_of_it_and_no_other() -> None:
    validate(printed(mixed().to_json()), closed(SCHEMA))
    validate(printed(report().to_json()), closed(SCHEMA))


def test_further_keys_may_come() -> None:
    values = printed(mixed().to_json())
    for item in (values, values["images"][0], values["findings"][0], values["not_judged"][0]):
        item["new"] = 1
    validate(values)


@each_hostile
def test_a_report_of_an_artifact_whose_maker_means_harm(text: str) -> None:
    values = printed(hostile(text).to_json())
    validate(values, closed(SCHEMA))
    assert values["images"][0]["findings"][0]["path"] == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "crossdock.verify/2"),
        (("ok",), "yes"),
        (("images", 0, "files"), -1),
        (("images", 0, "natives"), None),
        (("images", 0, "machines", "aarch64 ELF"), "40"),
        (("images", 0, "findings", 0, "severity"), "fatal"),
        (("findings", 0, "code"), "No Code"),
        (("not_judged", 0, "reason"), None),
    ],
)
def test_it_is_no_empty_promise(path: tuple[str | int, ...], value: object) -> None:
    values = item = printed(mixed().to_json())
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate(values)


def test_every_code_is_one_by_its_pattern() -> None:
    pattern = {"type": "array", "items": SCHEMA["$defs"]["finding"]["properties"]["code"]}
    validate([*CODES], pattern)


def test_the_report_of_a_layout_whose_files_have_hostile_names(layout: Any, make: Any) -> None:
    names = ["a|b`c.so", "<b>@octocat.so", "line\nbreak.so", "\x1b[31mred.so", "100%25::error::x.so"]
    wrong = layout.layer({name: make.elf(62) for name in names})
    told = verify_layout(
        layout.finish(layout.image("arm64", wrong), layout.image("amd64", layout.layer({"a.so": make.elf(62)})))
    )
    values = printed(told.to_json())
    validate(values, closed(SCHEMA))
    by_platform = {image["platform"]: image for image in values["images"]}
    assert by_platform["linux/arm64"]["natives"] == len(names)
    assert [item["ok"] for item in by_platform.values()] == [False, True]
    assert {item["path"] for item in by_platform["linux/arm64"]["findings"]} == {*names}
    results = to_sarif([told])["runs"][0]["results"]
    assert {item["ruleId"] for item in results} == {"elf-machine"}
    assert "elf-machine" in to_junit([told])
    assert "elf-machine" in to_github([told])
    assert "elf-machine" in to_markdown([told])
