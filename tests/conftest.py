"""What holds for every suite: properties are judged by what they find, not by how fast a busy machine finds it."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
