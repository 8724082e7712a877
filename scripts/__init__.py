"""The shell: commands, configuration, logging set-up; the one place that knows every room.

Reads the configuration and the environment, builds the options of the other rooms, and calls them. No other room
prints, sets up logging or reads the environment.
"""
