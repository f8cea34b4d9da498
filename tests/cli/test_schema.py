"""The generated schemas: current, valid, and true to what is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from edge.cli.main import run
from edge.contracts import topics
from edge.schema import asyncapi
from edge.schema.json_schema import DOCUMENTED, documents

COMMITTED = Path(__file__).parents[2] / "schemas"
DOCUMENT: dict[str, Any] = json.loads(documents()["asyncapi.json"])


def test_the_committed_schemas_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "--check", "--out", str(COMMITTED)]) == 0, capsys.readouterr().err


def test_written_then_current_then_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a" / "b"
    assert run(["schema", "--out", str(out), "--check"]) == 1
    assert not out.exists()
    assert run(["schema", "--out", str(out)]) == 0
    assert run(["schema", "--out", str(out), "--check"]) == 0
    assert {p.name for p in out.iterdir()} == set(documents())
    (out / "finding.json").write_text("{}")
    (out / "health.json").unlink()
    (out / "old.json").write_text("{}")
    capsys.readouterr()
    assert run(["schema", "--out", str(out), "--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{out / name} is not current" for name in ("finding.json", "health.json", "old.json")
    ]


def test_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["schema", "--out", str(tmp_path / "file" / "x")]) == 5
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("item", DOCUMENTED, ids=lambda item: item.name)
def test_a_schema_is_valid_and_its_example_fits_and_is_what_the_device_decodes(item: Any) -> None:
    schema = json.loads(documents()[f"{item.name}.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    (example,) = schema["examples"]
    validator.validate(example)
    assert msgspec.json.decode(msgspec.json.encode(example), type=item.type) == item.example
    validator.validate({**example, "a_later_field": 1})
    for key in schema["$defs"][item.type.__name__]["required"]:
        assert not validator.is_valid({k: v for k, v in example.items() if k != key}), key


def test_the_schema_of_the_settings_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(documents()["settings.json"]))


@pytest.mark.parametrize("first", ["edge.config.settings", "edge.contracts.manifest"])
def test_the_text_does_not_depend_on_what_was_imported_first(first: str) -> None:
    code = (
        f"import sys, pathlib, {first}; from edge.schema.json_schema import stale;"
        "sys.exit(len(stale(pathlib.Path(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(COMMITTED)], check=False, timeout=60)
    assert done.returncode == 0


@pytest.mark.parametrize("name", sorted(documents()))
def test_docstrings_become_descriptions_without_markup(name: str) -> None:
    text = documents()[name]
    assert "``" not in text
    document = json.loads(text)
    definitions = document.get("$defs") or document["components"]["schemas"]
    assert all(definition["description"] for definition in definitions.values())


def test_what_docstrings_say_of_fields_is_there_inherited_ones_too() -> None:
    finding = json.loads(documents()["finding.json"])["$defs"]["Finding"]["properties"]
    assert finding["replayed"]["description"].startswith("True when sent again")
    assert finding["exam_id"]["description"].startswith("Id of the exam; changes between patients")


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 50
    for reference in found:
        node: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_channels_are_the_topics_that_the_code_makes() -> None:
    own = topics.Topics(site="{site}", device="{device}")
    made = {
        own.full(suffix)
        for suffix in (
            topics.STATE,
            topics.HEALTH,
            topics.findings("{stream}"),
            topics.labels("{stream}"),
            topics.feedback("{stream}"),
            topics.coverage("{stream}"),
            topics.results("{stream}"),
            "request/{command}",
            "response/{command}",
        )
    }
    channels = DOCUMENT["channels"].values()
    assert {channel["address"] for channel in channels} == made
    for channel in channels:
        in_address = {part.strip("{}") for part in channel["address"].split("/") if part.startswith("{")}
        assert set(channel["parameters"]) == in_address
        assert set(channel["messages"])


def test_operations_say_direction_quality_and_retention() -> None:
    shown = {
        name: (op["action"], op["bindings"]["mqtt"]["qos"], op["bindings"]["mqtt"]["retain"])
        for name, op in DOCUMENT["operations"].items()
    }
    assert shown == {
        "sendState": ("send", 1, True),
        "sendHealth": ("send", 0, False),
        "sendFindings": ("send", 1, False),
        "sendLabels": ("send", 1, False),
        "sendFeedback": ("send", 1, False),
        "sendCoverage": ("send", 1, False),
        "sendResults": ("send", 0, False),
        "receiveRequest": ("receive", 1, False),
    }
    assert DOCUMENT["operations"]["receiveRequest"]["reply"]["channel"] == {"$ref": "#/channels/response"}


@pytest.mark.parametrize("name", asyncapi.EXAMPLES)
def test_a_message_of_the_document_has_an_example_that_fits_its_payload(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    root = {"components": DOCUMENT["components"], **message["payload"]}
    jsonschema.Draft7Validator.check_schema(root)
    for example in message["examples"]:
        jsonschema.Draft7Validator(root).validate(example["payload"])
        assert not jsonschema.Draft7Validator(root).is_valid({})


def test_draft_07_knows_no_prefix_items_and_no_words_beside_a_reference() -> None:
    pair = {"type": "array", "prefixItems": [{"type": "integer"}], "items": False}
    assert asyncapi.to_draft_07(pair) == {"type": "array", "items": [{"type": "integer"}], "additionalItems": False}
    beside = {"$ref": "#/a", "description": "b"}
    assert asyncapi.to_draft_07({"x": [beside]}) == {"x": [{"allOf": [{"$ref": "#/a"}], "description": "b"}]}
    assert "prefixItems" not in json.dumps(DOCUMENT)


def references(node: Any) -> list[str]:
    """All ``$ref`` values below ``node``, in order."""
    if isinstance(node, list):
        return [ref for item in node for ref in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [ref for item in node.values() for ref in references(item)]
