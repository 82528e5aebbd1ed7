# Sends spans and a thousand log records by OpenTelemetry's kit for Python, each signal packed differently.
import logging, sys
from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry._logs import LogRecord, SeverityNumber
import time

base = f"http://127.0.0.1:{sys.argv[1]}"
resource = Resource.create({"service.name": "shop"})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(base + "/v1/traces", compression=Compression.Gzip)))
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(base + "/v1/logs")))
tracer, logger = tracers.get_tracer("shop"), loggers.get_logger("shop")
with tracer.start_as_current_span("checkout", kind=trace.SpanKind.SERVER):
    with tracer.start_as_current_span("POST", kind=trace.SpanKind.CLIENT, attributes={"url.full": "https://bank.example/charges"}) as span:
        span.record_exception(TimeoutError("no answer"))
for n in range(1000):
    logger.emit(LogRecord(timestamp=time.time_ns(), body=f"log {n}", severity_number=SeverityNumber.INFO, severity_text="INFO"))
tracers.shutdown()
loggers.shutdown()
