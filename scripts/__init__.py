"""Scripts that made the bundled digits, their classifier, and the results and formulas in docs/."""
