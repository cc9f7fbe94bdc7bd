"""Programs that use scannlite, each with a README of its own."""
