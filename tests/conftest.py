"""How often and how patiently properties are tried.

No deadline and no haste: on a busy machine any test may take long, and any example long to draw.
``--hypothesis-profile=brief`` has a tenth of the examples, for where each takes ten times as long.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", settings.get_profile("patient"), max_examples=10)
settings.load_profile("patient")
