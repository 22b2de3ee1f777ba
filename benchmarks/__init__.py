"""Figures: the product against the bare limit, as ratios taken inside one run."""
