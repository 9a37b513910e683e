"""Use cases: they await and never decide. They know the ports; what they do was decided in core/."""
