"""Compares docs/openapi.json with what the service says of itself: a change of the interface is seen in review.

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

FILE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def schema() -> str:
    """The service's description of itself, as it stands in the file; no model and no index is opened for it."""
    settings = Settings(Path("unused"), insecure_loopback=True)
    told: dict[str, Any] = make_app(cast(Hub, SimpleNamespace(settings=settings))).openapi()
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """As the module says."""
    text = schema()
    if "--write" in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
        return 0
    same = FILE.is_file() and FILE.read_text(encoding="utf-8") == text
    print(f"{FILE.name}: {'as the service says' if same else 'differs; python .ci/openapi.py --write'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
