"""The live report: one self-contained HTML file per session, and an index of all of them."""

from eucentric.monitors.report.writer import ReportWriter

__all__ = ["ReportWriter"]
