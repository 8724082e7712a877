"""The daemon that ``slidebridge watch`` starts: it notices saves, learns from them, and writes, for months on end.

``schedule`` says when the nightly training is due; ``names``, ``people_hooks`` and ``heartbeat`` are what it tells
people; ``project_loop`` and ``deciding`` turn saves into jobs, ``lanes`` do them, and ``engine`` holds all of it for
one process and any number of projects. Everything here takes time, files and chance as arguments: tests use a fake
clock, ``commands/watch.py`` the real one.
"""
