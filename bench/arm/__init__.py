"""What a query costs on ARM boards nobody here has: instructions counted, time modelled."""
