"""Values in, text out: nothing here knows of routers, sessions or files."""
