"""What the benchmarks share; nothing in here measures by itself."""
