"""How many examples each property is tried with: a few hundred, or PARLEY_HYPOTHESIS_EXAMPLES."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "sealer",
    max_examples=int(os.environ.get("PARLEY_HYPOTHESIS_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("sealer")
