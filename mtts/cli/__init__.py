"""The command line: parse, build, one use case, render, exit. Heavy imports happen inside the commands."""
