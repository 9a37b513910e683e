"""A simulated fleet of routers with its registry and tailnet; it shares no code with what it tests."""
