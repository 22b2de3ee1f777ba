"""Tests of the tenant boundary."""
