"""Micro-benchmarks: what each stage of a query, and each kernel of a build, takes by itself."""
