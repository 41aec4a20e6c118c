"""Calibrations: a cohort, likelihood ratios fitted on labelled people, and validated on others."""
