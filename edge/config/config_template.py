"""Configuration file template (``config init``): every setting with its meaning and default, all commented out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect as types

from edge.config.field_docs import field_docs, without_markup
from edge.config.settings import Settings
from edge.config.toml_text import toml_value
from edge.config.validate import fields_of, without_none

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# sonoedge: settings of a daemon. Research use only, not a medical device.
#
# A line that begins with "#" and no space is a setting with its default, or an example where there is no default:
# take the "#" away to change it. What is not set here keeps its default, which a later version may improve.
# The environment overrides this file (EDGE_SITE, EDGE_RUNTIME__URI, EDGE_STREAMS__0__SOURCE), flags override both.
# Check it:  edge-cli config check FILE        Effective values:  edge-cli config show --config FILE
"""

EXAMPLES: dict[str, Any] = {
    "device": "cart-1",
    "state_dir": "/var/lib/sonoedge",
    "model": "/etc/sonoedge/model.tflite",
    "name": "cart-1",
    "source": "phantom://?seed=1",
    "body_part": "BREAST",
    "laterality": "L",
    "flip": "horizontal",
    "crop": [0, 0, 640, 480],
    "depth_mm": 40.0,
    "scan_outline": [[200, 60], [440, 60], [600, 400], [40, 400]],
    "box": [0, 0, 640, 480],
    "decode_timeout_s": 3.0,
    "mm_x": 0.1,
    "mm_y": 0.1,
    "hot_c": 80.0,
    "username": "cart-1",
    "password_file": "/etc/sonoedge/mqtt-password",
    "ca_file": "/etc/sonoedge/ca.pem",
    "cert_file": "/etc/sonoedge/cart-1.pem",
    "key_file": "/etc/sonoedge/cart-1.key",
    "features": "/var/lib/sonoedge/features",
    "token_file": "/etc/sonoedge/view-token",
}
"""Values for settings without a default, by name; `EXAMPLES_IN` where one name has several meanings."""
RETIRED = frozenset({("TrackingSettings", "gone_after_frames")})
"""Settings that are still read, with a warning, and are not offered any more."""
EXAMPLES_IN: dict[tuple[str, str], Any] = {("SinkSettings", "uri"): "mqtt://localhost:1883"}


def config_template() -> str:
    """Text of the template. It loads as it is, to the defaults, and also with all of its settings uncommented."""
    return HEAD + "\n" + "\n".join(_table(Settings, "")) + "\n"


def _table(cls: type[msgspec.Struct], name: str, mark: str = "") -> Iterator[str]:
    """The settings of ``cls``, then its tables; ``mark`` is "#" where tables must be commented out too."""
    docs = field_docs(cls)
    inner: list[tuple[str, types.Type]] = []
    for field in fields_of(cls).values():
        kind = without_none(field.type)
        if isinstance(kind, types.StructType) or _tables_in(kind):
            inner.append((field.name, kind))
            continue
        if (cls.__name__, field.name) in RETIRED:
            continue
        yield from _comment(docs[field.name])
        yield f"#{field.name} = {toml_value(_value(cls, field))}"
    for key, kind in inner:
        yield from _inner_table(f"{name}.{key}".lstrip("."), kind, docs.get(key, ""), mark)


def _inner_table(name: str, kind: types.Type, doc: str, mark: str) -> Iterator[str]:
    """``[name]``, or ``#[[name]]`` for a list of tables, with what it holds."""
    items = _tables_in(kind)
    cls = items or kind.cls  # type: ignore[attr-defined]
    yield ""
    yield from _comment(" ".join([without_markup(cls.__doc__ or ""), doc, "Once for each." if items else ""]))
    yield f"#[[{name}]]" if items else f"{mark}[{name}]"
    yield from _table(cls, name, "#" if items else mark)


def _tables_in(kind: types.Type) -> type[msgspec.Struct] | None:
    """The class of the tables in a list of tables; None for other types."""
    if isinstance(kind, types.ListType) and isinstance(kind.item_type, types.StructType):
        return kind.item_type.cls
    return None


def _value(cls: type, field: types.Field) -> Any:
    if field.default not in (None, msgspec.NODEFAULT):
        return field.default
    if field.default_factory is list:
        return []
    return EXAMPLES_IN.get((cls.__name__, field.name)) or EXAMPLES[field.name]


def _comment(text: str) -> Iterator[str]:
    text = " ".join(text.replace("None:", "Not set:").split())
    for line in textwrap.wrap(text, 108, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"
