"""``slidebridge doctor``: what could go wrong, before it does.

Facts are gathered once (``facts``), then small pure checks look at them (``environment``, ``project_checks``); each
says what it found and, where something is amiss, the cure. ``verify`` asks QuPath itself.
"""
