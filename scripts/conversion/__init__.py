"""Conversion: annotations of one file into another, whatever their formats, and label masks from and to them.

    parse_source ──▶ read ──▶ transform ──▶ classes ──▶ write ──▶ ConversionReport
    plan_jobs ──▶ convert_all: the same for each file of a folder or project ──▶ BatchReport

Reading changes nothing; writing never goes over a file that is there unless asked to, and into people's files only by
the safe way (backup, temporary file, exchange, conflict).
"""

from scripts.conversion.batch import BatchReport, check_report_path, convert_all
from scripts.conversion.endpoints import Endpoint, EndpointKind, parse_endpoint, parse_source
from scripts.conversion.finding import Job
from scripts.conversion.jobs import TargetFormat, is_many, parse_target_format, plan_jobs
from scripts.conversion.mending import Mending
from scripts.conversion.report import ConversionReport
from scripts.conversion.run import ConversionOptions, ConversionRequest, convert
from scripts.conversion.transforming import Transform

__all__ = [
    "BatchReport",
    "ConversionOptions",
    "ConversionReport",
    "ConversionRequest",
    "Endpoint",
    "EndpointKind",
    "Job",
    "Mending",
    "TargetFormat",
    "Transform",
    "check_report_path",
    "convert",
    "convert_all",
    "is_many",
    "parse_endpoint",
    "parse_source",
    "parse_target_format",
    "plan_jobs",
]
