"""What is learned from data, each a plain function over arrays."""
