"""Search kernels, their twins, and the SIMD values under them."""
