"""Measurements. Nothing here is needed to use the package."""
