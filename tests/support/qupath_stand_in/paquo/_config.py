"""Settings."""

import os


class _Settings:
    def to_dict(self):
        return {"QUPATH_DIR": os.environ.get("PAQUO_QUPATH_DIR", "")}


settings = _Settings()


def to_kwargs(given):
    return {"qupath_dir": given.to_dict()["QUPATH_DIR"]}
