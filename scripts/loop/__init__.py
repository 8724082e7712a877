"""One pass of the loop: pull what people drew, learn from it, push predictions and proposals back.

The composition of all rooms; each half is a function of a project, a store and what it is told of time. Command bodies
call these, and so will the daemon.
"""
