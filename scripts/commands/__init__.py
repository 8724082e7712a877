"""The commands, one module a group.

A body makes four moves: parse, build options, call one function, print. Heavy imports go inside the body, so that
``--help`` answers at once.
"""
