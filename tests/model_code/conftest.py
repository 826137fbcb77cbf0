"""The example groups are shared with the tests of the layers."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "layers"))
