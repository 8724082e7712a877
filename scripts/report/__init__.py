"""The morning report: what a project's records, files and slides say, as one HTML file that needs nothing else.

``gather`` reads the project, one slide at a time, and writes nothing; ``render`` makes the page from what it found, and
is a pure function of it. Neither knows torch. May call ``scripts.loop``, ``scripts.daemon`` (names, schedule),
``scripts.web`` and what is below; nothing but ``scripts.commands`` calls it.
"""
