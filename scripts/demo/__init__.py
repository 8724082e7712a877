"""The demo: the loop played on a real picture with a simulated expert, measured on a part that nobody labels.

``material`` fetches the picture and its true outlines; ``expert_imagescope`` and ``expert_qupath`` are the simulated
expert, programs of their own that touch the annotation file and nothing else; ``play`` takes turns with them;
``measure`` and ``figures`` say how it went.
"""
