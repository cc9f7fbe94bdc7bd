"""How often and how patiently properties are tried.

No deadline: on a busy machine any test may take long. ``--hypothesis-profile=brief`` has a tenth of
the examples, for where each takes ten times as long.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.register_profile("brief", deadline=None, max_examples=10)
settings.load_profile("patient")
