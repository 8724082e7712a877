"""Conversion: annotations of one file into another, whatever their formats, and label masks from and to them.

    parse_endpoint ──▶ read ──▶ classes ──▶ write ──▶ ConversionReport

Reading changes nothing; writing never goes over a file that is there unless asked to, and into people's files only by
the safe way (backup, temporary file, exchange, conflict).
"""

from scripts.conversion.endpoints import Endpoint, EndpointKind, parse_endpoint
from scripts.conversion.report import ConversionReport
from scripts.conversion.run import ConversionRequest, convert

__all__ = ["ConversionReport", "ConversionRequest", "Endpoint", "EndpointKind", "convert", "parse_endpoint"]
