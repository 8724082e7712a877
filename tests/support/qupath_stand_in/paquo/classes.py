"""Classes."""


class QuPathPathClass:
    def __init__(self, name, color, parent=None):
        if ":" in name:
            raise ValueError("PathClass names cannot contain ':'")
        self.color = color
        self.full_name = name if parent is None else f"{parent.full_name}: {name}"
