"""Scripts behind the bundled digits, their judge, the figures in docs/, and the site's formulas."""
