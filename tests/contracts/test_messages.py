"""Messages come through JSON as they are; what a later version adds does not hinder this one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect as types

from edge.contracts.coverage import Coverage
from edge.contracts.envelope import Durable, Envelope
from edge.contracts.finding import Finding
from edge.contracts.health import FrameNumbers, Health
from edge.contracts.latest_result import LatestResult
from edge.contracts.manifest import ModelManifest, PreprocessRecipe
from edge.contracts.request import Request, Response
from edge.contracts.state import State, Will
from edge.schema.json_schema import DOCUMENTED

MESSAGES: list[type[msgspec.Struct]] = [Finding, Coverage, State, Will, Health, LatestResult, Request, Response]
TYPES = [*MESSAGES, ModelManifest]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def example_of(cls: type[msgspec.Struct]) -> msgspec.Struct:
    (example,) = [item.example for item in DOCUMENTED if item.type is cls]
    return example


def values(kind: types.Type) -> st.SearchStrategy[Any]:
    """Anything of a type, as far as JSON has it: no NaN, and integers of 64 bits."""
    simple = {
        types.StrType: st.text(min_size=1, max_size=5),
        types.IntType: st.integers(-(2**63), 2**63 - 1),
        types.FloatType: st.floats(allow_nan=False, allow_infinity=False),
        types.BoolType: st.booleans(),
        types.NoneType: st.none(),
        types.AnyType: JSON,
    }
    if type(kind) in simple:
        return simple[type(kind)]
    if isinstance(kind, types.LiteralType):
        return st.sampled_from(kind.values)
    if isinstance(kind, types.EnumType):
        return st.sampled_from(kind.cls)
    if isinstance(kind, types.UnionType):
        return st.one_of([values(each) for each in kind.types])
    if isinstance(kind, types.ListType):
        return st.lists(values(kind.item_type), max_size=2)
    if isinstance(kind, types.VarTupleType):
        return st.lists(values(kind.item_type), max_size=2).map(tuple)
    if isinstance(kind, types.TupleType):
        return st.tuples(*[values(each) for each in kind.item_types])
    if isinstance(kind, types.DictType):
        return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=2)
    assert isinstance(kind, types.StructType), kind
    return st.builds(kind.cls, **{field.name: values(field.type) for field in kind.fields})


@pytest.mark.parametrize("cls", MESSAGES)
@settings(max_examples=25)
@given(data=st.data())
def test_any_message_comes_through_json_as_it_is(cls: type[msgspec.Struct], data: st.DataObject) -> None:
    message = data.draw(values(types.type_info(cls)))
    assert msgspec.json.decode(msgspec.json.encode(message), type=cls) == message


@pytest.mark.parametrize("cls", TYPES)
def test_every_field_is_on_the_wire_defaults_too(cls: type[msgspec.Struct]) -> None:
    assert set(json.loads(msgspec.json.encode(example_of(cls)))) == set(cls.__struct_fields__)


@pytest.mark.parametrize("cls", TYPES)
@settings(max_examples=25)
@given(extra=st.dictionaries(st.text("xyz", min_size=1, max_size=6).map("later_{}".format), JSON, max_size=3))
def test_fields_of_a_later_version_are_ignored(cls: type[msgspec.Struct], extra: dict[str, Any]) -> None:
    example = example_of(cls)
    plain = {**json.loads(msgspec.json.encode(example)), **extra}
    assert msgspec.json.decode(json.dumps(plain), type=cls) == example


def test_fields_of_a_later_version_are_ignored_deep_down() -> None:
    plain = json.loads(msgspec.json.encode(example_of(Finding)))
    for inner in (plain["model"], plain["frame"], plain["lesions"][0], plain["region"]):
        inner["later"] = 1
    assert msgspec.json.decode(json.dumps(plain), type=Finding) == example_of(Finding)


@pytest.mark.parametrize("cls", [Finding, LatestResult])
def test_a_message_of_an_older_version_has_no_uncertain_call(cls: type[msgspec.Struct]) -> None:
    plain = json.loads(msgspec.json.encode(msgspec.structs.replace(example_of(cls), call_uncertain=True)))
    assert plain.pop("call_uncertain") is True
    old: Any = msgspec.json.decode(json.dumps(plain), type=cls)
    assert old.call_uncertain is False
    assert {**json.loads(msgspec.json.encode(old))} == {**plain, "call_uncertain": False}


def test_a_manifest_of_an_older_version_has_one_anatomy_limit() -> None:
    plain = json.loads(msgspec.json.encode(example_of(ModelManifest)))
    del plain["thresholds"]["anatomy_stated"]
    assert msgspec.json.decode(json.dumps(plain), type=ModelManifest).thresholds.anatomy_stated is None


@pytest.mark.parametrize("cls", TYPES)
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"{", b"\xff", b'{"schema": "finding/2"}'])
def test_what_is_no_message_is_refused(cls: type[msgspec.Struct], body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(body, type=cls)


@pytest.mark.parametrize("cls", [cls for cls in MESSAGES if cls is not Request])
def test_every_payload_of_the_device_names_its_schema_and_version(cls: type[msgspec.Struct]) -> None:
    schema = json.loads(msgspec.json.encode(example_of(cls)))["schema"]
    name, _, version = schema.partition("/")
    assert name.isalpha()
    assert version == "1"
    wrong = {**json.loads(msgspec.json.encode(example_of(cls))), "schema": f"{name}/2"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(wrong), type=cls)


def test_what_is_durable_and_what_is_not() -> None:
    assert {cls for cls in MESSAGES if issubclass(cls, Durable)} == {Finding, Coverage}
    assert {cls for cls in MESSAGES if not issubclass(cls, Envelope)} == {Will, Request}


def test_the_will_has_no_time_for_the_broker_says_it() -> None:
    assert not {"at", "mono_ns", "clock"} & set(Will.__struct_fields__)


@pytest.mark.parametrize("cls", [Finding, Coverage, State, LatestResult, ModelManifest])
def test_what_people_may_read_says_that_it_is_for_research_only(cls: type[msgspec.Struct]) -> None:
    plain = json.loads(msgspec.json.encode(example_of(cls)))
    assert plain["research_only"] is True
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps({**plain, "research_only": False}), type=cls)


def test_every_number_of_the_frame_process_is_a_field_of_health_with_the_same_type() -> None:
    health = {field.name: field.type for field in types.type_info(Health).fields}  # type: ignore[attr-defined]
    numbers = {field.name: field.type for field in types.type_info(FrameNumbers).fields}  # type: ignore[attr-defined]
    assert numbers == {name: health[name] for name in numbers}


def test_messages_do_not_change() -> None:
    finding: Any = example_of(Finding)
    with pytest.raises(AttributeError):
        finding.seq = 1


def test_a_recipe_has_one_hash_and_any_change_another() -> None:
    recipe = PreprocessRecipe(width=160, height=160)
    assert recipe.digest() == PreprocessRecipe(height=160, width=160).digest()
    others = [
        msgspec.structs.replace(recipe, **change)
        for change in (
            {"width": 161},
            {"height": 161},
            {"channels": 1},
            {"crop": "full"},
            {"background": 13},
            {"median": 3},
            {"contrast": list(range(256))},
            {"pad": 1},
        )
    ]
    assert len({other.digest() for other in [recipe, *others]}) == len(others) + 1
    assert len(others) == len(PreprocessRecipe.__struct_fields__) - 1  # all but the version
