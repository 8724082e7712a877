"""Tools as they behave on a file: how QuPath and ImageScope open, change and save it.

Written from what was measured of the tools, for benches and tests; none of it is used by the product.
"""
