"""``python -m steps.expectations``: check the tables that standard input names; see `apart`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from model_code.events.engine import EngineSettings
from model_code.events.validation_settings import ValidationSettings
from model_code.settings import SettingsError, parse
from steps.expectations.apart import BAD_SUITE
from steps.expectations.run import validate


def main() -> int:
    """Answer one request."""
    request = json.load(sys.stdin)
    limits = parse(ValidationSettings, request["limits"], "validation")
    engine = parse(EngineSettings, request["engine"], "engine")
    try:
        result = validate(Path(request["tables"]), Path(request["suite"]), limits, engine)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_SUITE
    result.save(Path(request["out"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
