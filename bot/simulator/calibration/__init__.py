"""Calibration: how many known defects the code reviewers catch, and how often they raise a false alarm."""
