"""Compares docs/openapi.json and the types of the client with what the service says: a change is seen in review.

python .ci/openapi.py            # exit code 1 where they differ
python .ci/openapi.py --write    # brings the file in line
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tgfr_search.app.service.app import make_app
from tgfr_search.app.service.hub import Hub
from tgfr_search.app.service.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "openapi.json"
TYPES = ROOT / "tgfr_search" / "client" / "answers.py"
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_HEAD = '''"""What goes over the wire, typed: made from docs/openapi.json by `python .ci/openapi.py --write`."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict
'''


def schema() -> str:
    """The service's description of itself, as it stands in the file; no model and no index is opened for it."""
    settings = Settings(Path("unused"), insecure_loopback=True)
    told: dict[str, Any] = make_app(cast(Hub, SimpleNamespace(settings=settings))).openapi()
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def client_types(text: str) -> str:
    """The module of the client's types: a `TypedDict` for each schema that is no form, a text for one that is a word.

    Args:
        text: As `schema` gives it.
    """
    out = [_HEAD]
    for name, own in sorted(json.loads(text)["components"]["schemas"].items()):
        if name.startswith("Body_"):
            continue
        if "enum" in own:  # its words are in the description; the client need not know them all
            told = own.get("description", name).splitlines()[0]
            out.append(f'{name} = str\n"""{told}"""\n')
            continue
        lines = [f"class {name}(TypedDict):", f'    """{own.get("description", name).splitlines()[0]}"""', ""]
        for key, value in own.get("properties", {}).items():
            kind = _python(value)
            lines.append(f"    {key}: {kind if key in own.get('required', ()) else f'NotRequired[{kind}]'}")
        out.append("\n".join(lines) + "\n")
    return "\n\n".join(out)


def _python(value: dict[str, Any]) -> str:
    """A schema as Python writes its type."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "anyOf" in value:
        return " | ".join(dict.fromkeys(_python(each) for each in value["anyOf"]))
    kind = value.get("type")
    if kind == "array":
        return f"list[{_python(value.get('items', {}))}]"
    if kind == "object":
        inner = value.get("additionalProperties")
        return f"dict[str, {_python(inner) if isinstance(inner, dict) else 'Any'}]"
    return _PLAIN.get(str(kind), "Any")


def main() -> int:
    """As the module says."""
    text = schema()
    wanted = {FILE: text, TYPES: client_types(text)}
    if "--write" in sys.argv[1:]:
        for path, own in wanted.items():
            path.write_text(own, encoding="utf-8")
        return 0
    differs = [path.name for path, own in wanted.items() if not path.is_file() or path.read_text("utf-8") != own]
    told = f"{', '.join(differs)} differs; python .ci/openapi.py --write" if differs else "as the service says"
    print(f"{FILE.name}, {TYPES.name}: {told}")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
