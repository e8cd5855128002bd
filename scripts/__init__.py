"""Scripts that build the bundled digits and try how reliable a training is."""
