"""The plain NumPy twin of every kernel: the tests' oracle, and what runs without Numba."""
